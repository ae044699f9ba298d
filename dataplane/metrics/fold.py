"""Fold: keeps the number of label values bounded (W28).

Host and route tag come from callers. Each may take a number of values; what
comes later is counted under OTHER. Unknown methods become OTHER too, as
OpenTelemetry has it. Histograms that fall together are added.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

OTHER = "_OTHER"
METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
DEFAULT_PORTS = {"http": "80", "https": "443"}


class Fold:
    """Remembers which label values have been let in, for the life of the process.

    values_max  how many hosts, and how many tags, keep their own name.
    """

    __slots__ = ("_hosts", "_tags", "values_max")

    def __init__(self, values_max: int) -> None:
        self.values_max = values_max
        self._hosts: dict[str, str] = {}
        self._tags: dict[str, str] = {}

    def _value(self, known: dict[str, str], value: str) -> str:
        found = known.get(value)
        if found is None:
            if len(known) >= self.values_max:
                return OTHER
            known[value] = found = value
        return found

    def series(self, series: dict[Any, Any]) -> dict[Any, Any]:
        """`series` of a snapshot with bounded labels; a default port is left out."""
        out: dict[Any, Any] = {}
        for (method, scheme, host, port, version, status, tag), parts in series.items():
            key = (
                _method(method),
                scheme,
                self._value(self._hosts, host),
                None if port == DEFAULT_PORTS.get(scheme) else port,
                version,
                status,
                self._value(self._tags, tag),
            )
            out[key] = parts if key not in out else tuple(map(added, out[key], parts))
        return out

    def client(self, series: dict[Any, Any]) -> dict[Any, Any]:
        """`client` of a snapshot the same way."""
        out: dict[Any, Any] = {}
        for (method, outcome, version, tag), parts in series.items():
            key = (_method(method), outcome, version, self._value(self._tags, tag))
            out[key] = parts if key not in out else tuple(map(added, out[key], parts))
        return out

    def tagged(self, series: dict[Any, Any]) -> dict[Any, Any]:
        """`request_ms` of a snapshot the same way."""
        out: dict[Any, Any] = {}
        for (status, tag), histogram in series.items():
            key = (status, self._value(self._tags, tag))
            out[key] = histogram if key not in out else added(out[key], histogram)
        return out


def _method(method: str) -> str:
    """The label of a method; upstream takes one in lower case for the one in capitals."""
    if method in METHODS:
        return method
    upper = method.upper()
    return upper if upper in METHODS else OTHER


def split_host(text: str) -> tuple[str, str | None]:
    """Name and port of an authority; the port is None when there is none, an IPv6 address loses its brackets."""
    name, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        name, port = text, ""
    return name.removeprefix("[").removesuffix("]"), port or None


def added(left: tuple[Any, ...], right: tuple[Any, ...]) -> tuple[Any, ...]:
    """Two histograms with the same bounds as one."""
    counts = tuple([a + b for a, b in zip(left[0], right[0], strict=True)])
    return counts, left[1] + right[1], left[2] + right[2]
