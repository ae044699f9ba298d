"""models: the shapes and schemas of Kubernetes' own kinds, taken from the classes of `lightkube.models`."""

from __future__ import annotations

import dataclasses
import importlib
import re
from functools import cache
from typing import Any

from controller.local.api.merging import ATOMIC, LISTS, RETAIN
from controller.local.api.shape import (
    ANYTHING,
    ARRAY,
    BOOLEAN,
    INT_OR_STRING,
    INTEGER,
    NUMBER,
    OBJECT,
    QUANTITY,
    STRING,
    Shape,
)  # fmt: skip

Object = dict[str, Any]

_SCALARS = {
    "str": STRING, "int": INTEGER, "float": NUMBER, "bool": BOOLEAN, "Time": STRING, "MicroTime": STRING,
    "meta_v1.Time": STRING, "meta_v1.MicroTime": STRING, "util_intstr.IntOrString": INT_OR_STRING,
    "resource.Quantity": QUANTITY, "datetime": STRING,
}  # fmt: skip

_INNER = re.compile(r"^(Optional|List)\[(.*)\]$")
_PARAMETER = re.compile(r"^      \* \*\*(\w+)\*\* ``.*?`` - ", re.MULTILINE)


def load(reference: str) -> type:
    """The class that `core_v1.Pod` names."""
    module, _, name = reference.rpartition(".")
    found: type = getattr(importlib.import_module(f"lightkube.models.{module}"), name)
    return found


def _taken_apart(annotation: str) -> tuple[str, bool]:
    """`Optional[List[X]]` → (`X`, it is a list)."""
    is_list = False
    while match := _INNER.match(annotation):
        is_list = is_list or match[1] == "List"
        annotation = match[2]
    return annotation, is_list


def _reference(owner: str, annotation: str) -> str:
    """A class named in a module, with the module it is in."""
    return annotation if "." in annotation else f"{owner.rpartition('.')[0]}.{annotation}"


@cache
def shape(reference: str) -> Shape:
    """The shape of a class such as `core_v1.Pod`."""
    name = reference.rpartition(".")[2]

    def make() -> dict[str, Shape]:
        cls = load(reference)
        return {each: _field(reference, each, said) for each, said in cls.__annotations__.items()}

    found = Shape(OBJECT, title=name, make=make)
    found.is_atomic = name in ATOMIC
    return found


def _field(owner: str, field: str, annotation: str) -> Shape:
    said, is_list = _taken_apart(annotation)
    inner = _value(owner, field, said)
    key = f"{owner.rpartition('.')[2]}.{field}"
    if is_list:
        found = Shape(ARRAY)
        found.items = inner
        keys, merge_key = LISTS.get(key, ((), ""))
        found.is_set = keys == ("",)
        found.keys = () if found.is_set else keys
        found.merge_key = merge_key
        found.strategies = frozenset(["merge"]) if keys else frozenset()
        if key in RETAIN:
            found.strategies |= {"retainKeys"}
        return found
    if key in ATOMIC or key in RETAIN:
        found = Shape(inner.type, title=inner.title, make=lambda: inner.fields)
        found.values = inner.values
        found.is_atomic = key in ATOMIC
        found.strategies = frozenset(["retainKeys"]) if key in RETAIN else frozenset()
        return found
    return inner


_QUANTITIES = frozenset(["allocatable", "allocatedResources", "capacity", "limits", "overhead", "requests"])
"""Maps of quantities: everywhere else a map holds words."""


def _value(owner: str, field: str, said: str) -> Shape:
    if said in _SCALARS:
        return Shape(_SCALARS[said])
    if said == "dict":
        return _words(QUANTITY if field in _QUANTITIES else STRING)
    if said in ("object", "Any", "FieldsV1", "runtime.RawExtension"):
        return ANYTHING
    return shape(_reference(owner, said))


@cache
def _words(of: str) -> Shape:
    found = Shape(OBJECT)
    found.values = Shape(of)
    return found


_FORMATS: dict[str, Object] = {
    STRING: {"type": "string"}, INTEGER: {"type": "integer", "format": "int32"}, BOOLEAN: {"type": "boolean"},
    NUMBER: {"type": "number", "format": "double"},
    INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    QUANTITY: {"oneOf": [{"type": "string"}, {"type": "number"}]},
}  # fmt: skip


def component(reference: str) -> str:
    """The name that OpenAPI has for a class: `io.k8s.api.core.v1.Pod`."""
    module, _, name = reference.rpartition(".")
    package, _, version = module.rpartition("_")
    if package == "meta":
        return f"io.k8s.apimachinery.pkg.apis.meta.{version}.{name}"
    return f"io.k8s.api.{package}.{version}.{name}"


def schemas(reference: str, into: dict[str, Object]) -> Object:
    """Adds the OpenAPI v3 schema of a class, and of all that it uses, to `into`; gives a reference to it."""
    name = component(reference)
    pointer: Object = {"$ref": f"#/components/schemas/{name}"}
    if name in into:
        return pointer
    cls = load(reference)
    summary, described = _described(cls)
    properties: Object = {}
    into[name] = {"description": summary, "type": "object", "properties": properties}
    fields: dict[str, Any] = getattr(cls, "__dataclass_fields__", {})
    required = [
        each.name for each in fields.values()
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    if required:
        into[name]["required"] = required
    for field, annotation in cls.__annotations__.items():
        said, is_list = _taken_apart(annotation)
        inner = _schema(reference, said, into)
        if is_list:
            key = f"{reference.rpartition('.')[2]}.{field}"
            inner = {"type": "array", "items": inner, **_list_type(key)}
        if "$ref" in inner:
            inner = {"allOf": [inner], "default": {}}
        properties[field] = {"description": described.get(field, ""), **inner}
    return pointer


def _list_type(key: str) -> Object:
    keys, merge_key = LISTS.get(key, ((), ""))
    if not keys:
        return {"x-kubernetes-list-type": "atomic"}
    if keys == ("",):
        return {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    return {
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-patch-strategy": "merge,retainKeys" if key in RETAIN else "merge",
        "x-kubernetes-patch-merge-key": merge_key or keys[0],
    }  # fmt: skip


def _schema(owner: str, said: str, into: dict[str, Object]) -> Object:
    if said in ("Time", "MicroTime", "meta_v1.Time", "meta_v1.MicroTime", "datetime"):
        return {"type": "string", "format": "date-time"}
    if said in _SCALARS:
        return dict(_FORMATS[_SCALARS[said]])
    if said == "dict":
        return {"type": "object", "additionalProperties": {"type": "string", "default": ""}}
    if said in ("object", "Any", "FieldsV1", "runtime.RawExtension"):
        return {"type": "object"}
    return schemas(_reference(owner, said), into)


def _described(cls: type) -> tuple[str, dict[str, str]]:
    """A class's own sentence, and one for each of its fields, from its docstring."""
    text = cls.__doc__ or ""
    head, _, rest = text.partition("**parameters**")
    parts = _PARAMETER.split(rest)
    fields = {name: _joined(said) for name, said in zip(parts[1::2], parts[2::2], strict=True)}
    return _joined(head), fields


def _joined(text: str) -> str:
    return " ".join(text.split())
