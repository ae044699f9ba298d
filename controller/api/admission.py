"""Admission: an object on its way into the API server, with defaults, or with all that is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from controller.api.context import DELETE, Context
from controller.api.errors import FieldError, generic, merged, text
from controller.api.meta import Resource
from controller.api.registry import Kind
from controller.api.schema import shape_problems

if TYPE_CHECKING:
    from controller.config.settings import Settings

Json = dict[str, Any]

DECODING, VALIDATION = "decoding request failed", "validation failed"


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a request."""

    document: Json
    """The object as it should be stored."""

    errors: tuple[FieldError, ...] = ()
    warnings: tuple[FieldError, ...] = ()
    stage: str = VALIDATION
    """What failed, as the answer begins (SC 5.2)."""

    @property
    def is_allowed(self) -> bool:
        return not self.errors

    @property
    def message(self) -> str:
        """Every problem, as users of Knative know them; empty where there is none."""
        return f"{self.stage}: {text(self.errors)}" if self.errors else ""

    @property
    def warning_texts(self) -> list[str]:
        """One line for each, as they go into the response."""
        return [str(each) for each in self.warnings]


def admit(
    kind: Kind,
    operation: str,
    document: Json,
    old: Json | None,
    user: str,
    settings: Settings,
    subresource: str = "",
) -> Admission:
    """Defaults, then rules; the same for a webhook and for the embedded API.

    operation     CREATE, UPDATE or DELETE
    document      the object as it was sent; it is left as it is
    old           the object before an UPDATE
    user          name of who asks
    subresource   `status` for a write that leaves the spec alone
    """
    if operation == DELETE or subresource:
        return Admission(document=document)
    problems = shape_problems(document, kind.schema)
    if problems:
        return _refused(document, problems)
    try:
        resource = decoded(kind, document)
        before = decoded(kind, old) if old is not None else None
    except msgspec.ValidationError as problem:
        return _refused(document, [_undecodable(problem)])
    if resource.is_deleted:
        return Admission(document=document)
    context = Context(settings=settings, operation=operation, user=user, old=before)
    resource = kind.defaulted(resource, context)
    found = merged(kind.problems(resource, context))
    return Admission(
        document=_with(document, resource),
        errors=tuple(each for each in found if not each.is_warning),
        warnings=tuple(each for each in found if each.is_warning),
    )


def decoded(kind: Kind, document: Json) -> Resource:
    """The object as a struct.

    Raises   msgspec.ValidationError
    """
    return msgspec.convert(_without_nulls(document), kind.struct)


def _without_nulls(value: Any, is_spec: bool = False) -> Any:
    """A null is an absent field; only a pod template is left as it is."""
    if isinstance(value, dict) and not is_spec:
        is_template = "spec" in value and "metadata" in value and "kind" not in value
        return {
            name: _without_nulls(each, is_template and name == "spec")
            for name, each in value.items()
            if each is not None
        }
    return [_without_nulls(each) for each in value] if isinstance(value, list) and not is_spec else value


def _refused(document: Json, problems: list[FieldError]) -> Admission:
    return Admission(document=document, errors=tuple(merged(problems)), stage=DECODING)


def _undecodable(problem: msgspec.ValidationError) -> FieldError:
    said, _, place = str(problem).partition(" - at `$.")
    return generic(said, place.removesuffix("`"))


def _with(document: Json, resource: Resource) -> Json:
    """The document with the spec and the annotations of the struct; all else as it was sent."""
    encoded: Json = msgspec.json.decode(msgspec.json.encode(resource))
    changed = dict(document)
    if "spec" in encoded or "spec" in document:
        changed["spec"] = encoded.get("spec", {})
    annotations = encoded.get("metadata", {}).get("annotations", {})
    metadata = document.get("metadata") or {}
    if annotations != (metadata.get("annotations") or {}):
        changed["metadata"] = {**metadata, "annotations": annotations}
    return changed
