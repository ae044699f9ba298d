"""shape: what the fields of a kind are, as far as merging, pruning and ownership need to know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Object = dict[str, Any]

OBJECT, ARRAY, STRING, INTEGER, NUMBER, BOOLEAN, INT_OR_STRING, QUANTITY, ANY = (
    "object", "array", "string", "integer", "number", "boolean", "int-or-string", "quantity", "any",
)  # fmt: skip


class Shape:
    """One node of a schema.

    type        one of the words above
    fields      of an object, its declared fields; made when first asked for, because few kinds are used at a time
    values      of an object, what its other keys hold; None: other keys are unknown
    items       of an array, what it holds
    is_open     unknown fields are kept and belong to no schema
    is_atomic   the whole value is one field for ownership
    keys        of an array, the fields that tell its items apart; empty: no map
    is_set      of an array, its items are told apart by their value
    merge_key   of an array, the one field by which a strategic merge patch finds an item
    strategy    of a strategic merge patch: merge, retainKeys, or replace
    title       the name of the type, for messages
    """

    __slots__ = (
        "_fields", "_make", "enum", "is_atomic", "is_open", "is_set", "items", "keys", "maximum", "merge_key",
        "minimum", "pattern", "required", "strategies", "title", "type", "values",
    )  # fmt: skip

    def __init__(self, type_: str, *, title: str = "", make: Callable[[], dict[str, Shape]] | None = None) -> None:
        self.type = type_
        self.title = title
        self._make = make
        self._fields: dict[str, Shape] | None = None
        self.values: Shape | None = None
        self.items: Shape | None = None
        self.is_open = False
        self.is_atomic = False
        self.is_set = False
        self.keys: tuple[str, ...] = ()
        self.merge_key = ""
        self.strategies: frozenset[str] = frozenset()
        self.required: tuple[str, ...] = ()
        self.enum: tuple[Any, ...] = ()
        self.minimum: float | None = None
        self.maximum: float | None = None
        self.pattern = ""

    @property
    def fields(self) -> dict[str, Shape]:
        if self._fields is None:
            self._fields = self._make() if self._make else {}
        return self._fields

    def field(self, name: str) -> Shape:
        """The shape of one field; ANYTHING when nothing is known of it."""
        return self.fields.get(name) or self.values or ANYTHING

    def item(self) -> Shape:
        return self.items or ANYTHING

    def is_leaf(self, value: Any) -> bool:
        """The value is one field for ownership: nothing inside of it has owners of its own."""
        if isinstance(value, dict):
            return self.is_atomic
        if isinstance(value, list):
            return self.is_atomic or not (self.keys or self.is_set)
        return True


ANYTHING = Shape(ANY)
ANYTHING.is_open = True


def from_schema(schema: Object, metadata: Shape | None = None) -> Shape:
    """A shape from a structural OpenAPI v3 schema, as a CustomResourceDefinition carries it.

    metadata  the shape of an object's own metadata, which such a schema leaves out
    """
    kind = schema.get("type", "")
    if schema.get("x-kubernetes-int-or-string"):
        kind = INT_OR_STRING
    shape = Shape(kind or ANY)
    shape.is_open = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or not kind
    properties: Object = schema.get("properties") or {}
    if properties or metadata is not None:

        def make() -> dict[str, Shape]:
            fields = {name: from_schema(each) for name, each in properties.items()}
            if metadata is not None:
                fields |= {"apiVersion": Shape(STRING), "kind": Shape(STRING), "metadata": metadata}
            return fields

        shape._make = make
    if isinstance(values := schema.get("additionalProperties"), dict):
        shape.values = from_schema(values)
    elif values:
        shape.is_open = True
    if "items" in schema:
        shape.items = from_schema(schema["items"])
    listed = schema.get("x-kubernetes-list-type", "")
    shape.is_atomic = listed == "atomic" or schema.get("x-kubernetes-map-type") == "atomic"
    shape.is_set = listed == "set"
    if listed == "map":
        shape.keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
    shape.required = tuple(schema.get("required") or ())
    shape.enum = tuple(schema.get("enum") or ())
    shape.minimum, shape.maximum = schema.get("minimum"), schema.get("maximum")
    shape.pattern = schema.get("pattern", "")
    return shape


def pruned(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """Takes fields that the schema does not know out of a value; gives their paths, as messages name them."""
    if isinstance(value, dict):
        if shape.type != OBJECT or (shape.is_open and not shape.fields):
            return
        fields, values = shape.fields, shape.values
        for name in list(value):
            inner = fields.get(name) or values
            where = f"{path}.{name}" if path else name
            if inner is not None:
                if isinstance(value[name], dict | list):
                    yield from pruned(inner, value[name], where)
            elif not shape.is_open:
                del value[name]
                yield where
    elif isinstance(value, list) and shape.items is not None:
        for number, each in enumerate(value):
            if isinstance(each, dict | list):
                yield from pruned(shape.items, each, f"{path}[{number}]")


def without_nulls(value: Any) -> Any:
    """The value without fields that are null: JSON's null is not there."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    return value
