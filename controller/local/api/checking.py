"""checking: do the values of an object have the types, ranges and words that its schema asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from controller.local.api.shape import (
    ANY,
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
from controller.local.api.status import Cause

_FITS: dict[str, tuple[type, ...]] = {
    OBJECT: (dict,), ARRAY: (list,), STRING: (str,), INTEGER: (int,), NUMBER: (int, float), BOOLEAN: (bool,),
    INT_OR_STRING: (int, str), QUANTITY: (int, float, str),
}  # fmt: skip

_GO_NAMES = {STRING: "string", INTEGER: "int32", BOOLEAN: "bool", NUMBER: "float64", INT_OR_STRING: "string"}


def fits(shape: Shape, value: Any) -> bool:
    """The value has the type that the schema asks for; null fits everywhere."""
    if value is None or shape.type == ANY:
        return True
    if isinstance(value, bool) and shape.type != BOOLEAN:
        return False
    if shape.type == INTEGER and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _FITS[shape.type])


def word(value: Any) -> str:
    """JSON's name of a value's type."""
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((dict, "object"), (list, "array"), (str, "string"), (int, "number"), (float, "number")):
        if isinstance(value, kind):
            return name
    return "null"


def first_misfit(shape: Shape, value: Any, owner: str = "", path: str = "") -> str:
    """Why a built-in kind cannot hold this value, in the words of the decoder; empty when it can."""
    if not fits(shape, value):
        wanted = _GO_NAMES.get(shape.type) or (
            f"[]{_go_name(shape.item())}" if shape.type == ARRAY else _go_name(shape)
        )
        return f"json: cannot unmarshal {word(value)} into Go struct field {owner}.{path} of type {wanted}"
    if isinstance(value, dict):
        known = shape.title or owner
        for name, each in value.items():
            if found := first_misfit(shape.field(name), each, known, f"{path}.{name}" if path else name):
                return found
    elif isinstance(value, list):
        for each in value:
            if found := first_misfit(shape.item(), each, shape.item().title or owner, path):
                return found
    return ""


def _go_name(shape: Shape) -> str:
    return f"v1.{shape.title}" if shape.title else _GO_NAMES.get(shape.type, "map[string]string")


def violations(shape: Shape, value: Any, path: str = "") -> Iterator[Cause]:
    """Every place where an object of one of our own kinds breaks its schema."""
    if value is None:
        return
    if not fits(shape, value):
        found = {"number": "integer" if isinstance(value, int) else "number", "bool": "boolean"}
        said = f"{path} in body must be of type {shape.type}: "
        shown = found.get(word(value), word(value))
        yield Cause("FieldValueTypeInvalid", f'Invalid value: "{shown}": {said}"{shown}"', path)
        return
    if shape.enum and value not in shape.enum:
        names = ", ".join(f'"{each}"' for each in shape.enum)
        yield Cause("FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {names}', path)
    if shape.minimum is not None and value < shape.minimum:
        said = f"{path} in body should be greater than or equal to {shape.minimum:g}"
        yield Cause("FieldValueInvalid", f"Invalid value: {value}: {said}", path)
    if shape.maximum is not None and value > shape.maximum:
        said = f"{path} in body should be less than or equal to {shape.maximum:g}"
        yield Cause("FieldValueInvalid", f"Invalid value: {value}: {said}", path)
    if shape.pattern and isinstance(value, str) and not re.search(shape.pattern, value):
        yield Cause(
            "FieldValueInvalid", f"Invalid value: \"{value}\": {path} in body should match '{shape.pattern}'", path
        )
    if isinstance(value, dict):
        for name in shape.required:
            if name not in value:
                yield Cause("FieldValueRequired", "Required value", f"{path}.{name}" if path else name)
        for name, each in value.items():
            if (inner := shape.fields.get(name) or shape.values) is not None:
                yield from violations(inner, each, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and shape.items is not None:
        for number, each in enumerate(value):
            yield from violations(shape.items, each, f"{path}[{number}]")
