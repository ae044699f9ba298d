"""Error: what an API server refuses, by the reasons of its Status objects."""

from __future__ import annotations

from typing import Any

import msgspec


class KubeError(Exception):
    """A request that had no success. `status` is 0 when no answer came at all."""

    def __init__(self, status: int, reason: str, message: str, details: dict[str, Any] | None = None) -> None:
        self.status = status
        self.reason = reason
        self.message = message
        self.details = details or {}
        super().__init__(message)

    @property
    def retry_after_s(self) -> float | None:
        """When the server wants to be asked again, in seconds."""
        seconds = self.details.get("retryAfterSeconds")
        return float(seconds) if seconds else None


class NotFound(KubeError):
    """There is no such object."""


class AlreadyExists(KubeError):
    """An object of that name is there."""


class Conflict(KubeError):
    """The object has changed meanwhile, or another manager owns a field."""


class Gone(KubeError):
    """The version asked for is too old: list again (410)."""


class Invalid(KubeError):
    """The object is wrong; `details["causes"]` names every field."""


class Unreachable(KubeError):
    """No answer: refused, cut or timed out."""


_BY_REASON: dict[str, type[KubeError]] = {
    "NotFound": NotFound,
    "AlreadyExists": AlreadyExists,
    "Conflict": Conflict,
    "Gone": Gone,
    "Expired": Gone,
    "Invalid": Invalid,
}
_BY_STATUS: dict[int, type[KubeError]] = {404: NotFound, 409: Conflict, 410: Gone, 422: Invalid}


def error_of(status: int, body: bytes) -> KubeError:
    """The error that an answer stands for: by the reason in its Status, else by its code."""
    try:
        told = msgspec.json.decode(body)
    except msgspec.DecodeError:
        told = None
    if not isinstance(told, dict) or told.get("kind") != "Status":
        text = body.decode(errors="replace").strip() or f"HTTP {status}"
        return _BY_STATUS.get(status, KubeError)(status, "", text)
    reason = told.get("reason") or ""
    cls = _BY_REASON.get(reason) or _BY_STATUS.get(status, KubeError)
    return cls(status, reason, told.get("message") or f"HTTP {status}", told.get("details"))
