"""status: the Status object, by which the API says how a request ended.

Codes, reasons, messages and causes are those of kube-apiserver, because clients compare them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Cause:
    """One problem of one field. `reason` is a word of the API (FieldValueInvalid), `field` a path or empty."""

    reason: str
    message: str
    field: str = ""

    def document(self) -> Object:
        found = {"reason": self.reason, "message": self.message}
        return {**found, "field": self.field} if self.field else found


class ApiError(Exception):
    """A request that fails. `status()` is the body of its answer, `code` the HTTP status."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    def status(self) -> Object:
        document: Object = {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message,
        }  # fmt: skip
        if self.reason:
            document["reason"] = self.reason
        if self.details:
            document["details"] = self.details
        return {**document, "code": self.code}


def qualified(resource: str, group: str) -> str:
    """`deployments.apps`, and `pods` for the core group."""
    return f"{resource}.{group}" if group else resource


def _details(name: str, group: str, kind: str, causes: list[Cause] | None = None) -> Object:
    found: Object = {"name": name, "group": group, "kind": kind, "causes": [cause.document() for cause in causes or ()]}
    return {key: value for key, value in found.items() if value}


def success(name: str, group: str, resource: str, uid: str) -> Object:
    """The answer to a deletion of a kind that does not give its last state back."""
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {**_details(name, group, resource), "uid": uid},
    }  # fmt: skip


def not_found(resource: str, group: str, name: str) -> ApiError:
    message = f'{qualified(resource, group)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(name, group, resource))


def no_such_path() -> ApiError:
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def already_exists(resource: str, group: str, name: str) -> ApiError:
    message = f'{qualified(resource, group)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(name, group, resource))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, group: str, name: str, why: str = MODIFIED) -> ApiError:
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(name, group, resource))


def precondition(resource: str, group: str, name: str, field: str, wanted: str, found: str) -> ApiError:
    """An update names another uid than the object has."""
    said = field.upper() if field == "uid" else "ResourceVersion"
    why = f"Precondition failed: {said} in precondition: {wanted}, {said} in object meta: {found}"
    return conflict(resource, group, name, why)


def other_record(kind: str, group: str, name: str, field: str, wanted: str, found: str) -> ApiError:
    """A deletion names another uid, or another version, than the object has."""
    said, done = ("UID", "deleted and then recreated") if field == "uid" else ("ResourceVersion", "modified")
    why = f"the {said} in the precondition ({wanted}) does not match the {said} in record ({found})."
    return conflict(kind, group, name, f"{why} The object might have been {done}")


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def forbidden(resource: str, group: str, name: str, why: str, causes: list[Cause] | None = None) -> ApiError:
    message = f'{qualified(resource, group)} "{name}" is forbidden: {why}'
    return ApiError(403, "Forbidden", message, _details(name, group, resource, causes))


def invalid(kind: str, group: str, name: str, causes: list[Cause]) -> ApiError:
    """422: the object breaks rules of its kind; every problem is named."""
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    problems = said[0] if len(said) == 1 else "[" + ", ".join(said) + "]"
    message = f'{qualified(kind, group)} "{name}" is invalid: {problems}'
    return ApiError(422, "Invalid", message, _details(name, group, kind, causes))


def denied(webhook: str, why: str, code: int = 400) -> ApiError:
    """An admission function says no, in the words of an admission webhook of that name."""
    reason = {400: "BadRequest", 403: "Forbidden"}.get(code, "")
    return ApiError(code, reason, f'admission webhook "{webhook}" denied the request: {why}')


def expired(message: str) -> ApiError:
    """410: the version asked for is older than what the server remembers."""
    return ApiError(410, "Expired", message)


def unsupported_media(given: str, wanted: list[str]) -> ApiError:
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(wanted)
    return ApiError(415, "UnsupportedMediaType", message) if given else bad_request(message)


def method_not_allowed() -> ApiError:
    return ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {})


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", {"causes": [{"message": message}]})


def too_large(limit_bytes: int) -> ApiError:
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {limit_bytes}")


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def field_invalid(field: str, value: Any, why: str) -> Cause:
    shown = _shown(value)
    return Cause("FieldValueInvalid", f"Invalid value: {shown}: {why}", field)


def field_required(field: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", "Required value" + (f": {why}" if why else ""), field)


def field_unsupported(field: str, value: str | list[str], wanted: list[str]) -> Cause:
    names, shown = ", ".join(f'"{each}"' for each in wanted), json.dumps(value, ensure_ascii=False)
    return Cause("FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {names}", field)


def field_duplicate(field: str, value: Any) -> Cause:
    shown = _shown(value)
    return Cause("FieldValueDuplicate", f"Duplicate value: {shown}", field)


def field_forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)
