"""patch: JSON patch and JSON merge patch. Source: RFC 6902, RFC 7386."""

from __future__ import annotations

from typing import Any

import jsonpatch
import jsonpointer

from controller.local.api.status import ApiError, bad_request

Object = dict[str, Any]

JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)  # fmt: skip

OPERATIONS_MAX = 10_000


def json_patched(document: Object, operations: Any) -> Any:
    """The document after the operations of RFC 6902; the document itself is not touched.

    Raises  ApiError 400 if that is no list of operations, 422 if one of them cannot be done
    """
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > OPERATIONS_MAX:
        why = f"The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {len(operations)}"
        raise ApiError(413, "RequestEntityTooLarge", why)
    try:
        return jsonpatch.JsonPatch(operations).apply(document)
    except jsonpatch.InvalidJsonPatch as wrong:
        raise bad_request(f"error decoding patch: {wrong}") from None
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
        refused = "the server rejected our request due to an error in our request"
        raise ApiError(422, "Invalid", refused, {}) from None


def merge_patched(document: Any, change: Any) -> Any:
    """The document after a merge patch: null takes away, an object goes deeper, anything else replaces."""
    if not isinstance(change, dict):
        return change
    found = dict(document) if isinstance(document, dict) else {}
    for name, each in change.items():
        if each is None:
            found.pop(name, None)
        else:
            found[name] = merge_patched(found.get(name), each)
    return found
