"""Schema: the structural OpenAPI schema of a struct, and what a document has that it does not allow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from controller.api.errors import FieldError, generic, joined, quoted
from controller.api.meta import ObjectMeta, Resource
from controller.api.podspec import ANY, BOOLEAN, INT_OR_STRING, INTEGER, REVISION_SPEC, STRING, Schema, array, mapping
from controller.api.serving import PodTemplate

PRESERVE = "x-kubernetes-preserve-unknown-fields"
IDENTITY = ("apiVersion", "kind")


def schema_of(struct: type[msgspec.Struct]) -> Schema:
    """The schema of an object; its metadata is the API server's own."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return _struct(info)


def _struct(info: inspect.StructType) -> Schema:
    properties = {field.encode_name: _field(info.cls, field) for field in info.fields}
    schema: Schema = {"type": "object", "description": _first_sentence(info.cls), "properties": properties}
    required = [field.encode_name for field in info.fields if _is_required(field) and field.encode_name not in IDENTITY]
    return {**schema, "required": required} if required else schema


def _first_sentence(cls: type) -> str:
    return (cls.__doc__ or "").strip().partition("\n")[0]


def _is_required(field: inspect.Field) -> bool:
    """A field that is written even when it has its default has to be there."""
    return field.required or field.default_factory not in (msgspec.NODEFAULT, dict, list)


def _field(owner: type, field: inspect.Field) -> Schema:
    if issubclass(owner, PodTemplate) and field.name == "spec":
        return REVISION_SPEC
    if field.name == "metadata":
        return {"type": "object"} if issubclass(owner, Resource) else ANY
    return _type(field.type)


def _type(info: inspect.Type) -> Schema:
    if isinstance(info, inspect.UnionType):
        kinds = [kind for kind in info.types if not isinstance(kind, inspect.NoneType)]
        return _type(kinds[0]) if len(kinds) == 1 else INT_OR_STRING
    if isinstance(info, inspect.StructType):
        return ANY if info.cls is ObjectMeta else _struct(info)
    if isinstance(info, inspect.VarTupleType):
        return array(_type(info.item_type))
    if isinstance(info, inspect.DictType):
        return mapping(_type(info.value_type))
    return {inspect.StrType: STRING, inspect.IntType: INTEGER, inspect.BoolType: BOOLEAN}[type(info)]


def shape_problems(document: object, schema: Schema, path: str = "") -> list[FieldError]:
    """Values whose type is not the schema's, and fields that are missing; in the words of a kube-apiserver.

    A field that is null counts as absent, unless the schema says that it may be null: it is dropped by `pruned`.
    """
    return list(_shape(document, schema, path))


def _shape(value: object, schema: Schema, path: str) -> Iterator[FieldError]:
    wanted, found = schema.get("type"), _type_name(value)
    if schema.get("x-kubernetes-int-or-string"):
        if found not in ("integer", "string"):
            yield _wrong(found, path, "integer,string")
        elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
            yield generic(f"Invalid value: {quoted(value)}: {path} in body should match '{schema['pattern']}'", path)
    elif wanted is not None and found != wanted and not (value is None and schema.get("nullable")):
        yield _wrong(found, path, wanted)
    elif isinstance(value, dict):
        yield from _shape_of_object(value, schema, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _shape(item, schema.get("items", {}), f"{path}[{index}]")


def _shape_of_object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[FieldError]:
    for name in schema.get("required", ()):
        if value.get(name) is None:
            yield generic("Required value", joined(path, name))
    properties, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, item in value.items():
        known = properties.get(name, others)
        if known is not None and item is not None:
            yield from _shape(item, known, joined(path, name))


def _wrong(found: str, path: str, wanted: str) -> FieldError:
    return generic(f"Invalid value: {quoted(found)}: {path} in body must be of type {wanted}: {quoted(found)}", path)


def _type_name(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer()):
        return "integer"
    names: dict[type, str] = {str: "string", float: "number", dict: "object", list: "array", type(None): "null"}
    return names[type(value)]


def pruned(document: Any, schema: Schema) -> Any:
    """The document without the fields that nobody knows, and without nulls where the schema has none."""
    if isinstance(document, list):
        items = schema.get("items", {})
        return [pruned(item, items) for item in document]
    if not isinstance(document, dict):
        return document
    properties, others = schema.get("properties"), schema.get("additionalProperties")
    kept = {}
    for name, item in document.items():
        known = (properties or {}).get(name, others)
        if known is not None and (item is not None or known.get("nullable")):
            kept[name] = pruned(item, known)
        elif known is None and (properties is None or schema.get(PRESERVE)):
            kept[name] = item
    return kept
