"""fields: sets of fields, as `managedFields` keeps them, and what of an object belongs to such a set.

A set is a Python set of paths. A path is a tuple of elements in the spelling of FieldsV1: `f:spec` is a field,
`k:{"name":"web"}` an item of a list by its keys, `v:"a"` an item of a set by its value.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from controller.local.api.merging import KEY_DEFAULTS
from controller.local.api.shape import Shape

Object = dict[str, Any]
Path = tuple[str, ...]
Fields = set[Path]

_encode = msgspec.json.Encoder(order="sorted").encode


def parse(document: Object) -> Fields:
    """A set from its FieldsV1 document."""
    found: Fields = set()

    def walk(node: Object, path: Path) -> None:
        for element, inner in node.items():
            if element == ".":
                found.add(path)
            elif inner:
                walk(inner, (*path, element))
            else:
                found.add((*path, element))

    walk(document, ())
    return found


def document(fields: Fields) -> Object:
    """The FieldsV1 document of a set."""
    root: Object = {}
    for path in sorted(fields):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node["."] = {}
    _lighten(root)
    return root


def _lighten(node: Object) -> None:
    """A member without anything below it is `{}`, not `{".": {}}`."""
    for element, inner in node.items():
        if element == ".":
            continue
        if len(inner) == 1 and "." in inner:
            node[element] = {}
        else:
            _lighten(inner)


def element_of(shape: Shape, item: Any) -> str:
    """How a path names an item of a list that is a map or a set.

    Raises  ValueError if the item has none of the fields that tell items apart.
    """
    if shape.is_set:
        return "v:" + _encode(item).decode()
    if not isinstance(item, dict):
        raise ValueError("associative list with keys may not have non-map elements")
    keys = {}
    for key in shape.keys:
        value = item.get(key, KEY_DEFAULTS.get(key))
        if value is not None:
            keys[key] = value
    if not keys:
        missing = ", ".join(f'"{key}"' for key in shape.keys)
        raise ValueError(f"associative list with keys has an element that omits key field {missing}")
    return "k:" + _encode(keys).decode()


def children(shape: Shape, value: Any) -> Iterator[tuple[str, Shape, Any]]:
    """Element, shape and value of all that is directly inside; of items with equal keys, the first."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield "f:" + name, shape.field(name), each
    elif isinstance(value, list):
        inner, seen = shape.item(), set()
        for each in value:
            if (element := element_of(shape, each)) not in seen:
                seen.add(element)
                yield element, inner, each


def owned(shape: Shape, value: Any) -> Fields:
    """The set of fields that an applied configuration owns.

    Raises  ValueError if a list that is a map or a set has two items of one key, or an item without
    """
    found: Fields = set()

    def walk(shape: Shape, value: Any, path: Path) -> None:
        if shape.is_leaf(value):
            found.add(path)
            return
        named = shape.fields if isinstance(value, dict) else None
        inside = list(children(shape, value))
        if len(inside) != len(value):
            raise ValueError(f"{printed(path)}: {_twice(shape, value)}")
        for element, inner, each in inside:
            below = (*path, element)
            walk(inner, each, below)
            is_item = named is None or element[2:] not in named
            if is_item or each is None or each == {}:
                found.add(below)

    walk(shape, value, ())
    return found


def _twice(shape: Shape, items: list[Any]) -> str:
    elements = [element_of(shape, each) for each in items]
    first = next(each for number, each in enumerate(elements) if each in elements[:number])
    return f"duplicate entries for key {printed((first,))}"


def members(shape: Shape, value: Any) -> Fields:
    """Every field and item of an object, the declared fields that only hold others included."""
    found: Fields = set()

    def walk(shape: Shape, value: Any, path: Path) -> None:
        if path:
            found.add(path)
        if not shape.is_leaf(value):
            for element, inner, each in children(shape, value):
                walk(inner, each, (*path, element))

    walk(shape, value, ())
    return found


def with_named(shape: Shape, fields: Iterable[Path]) -> Fields:
    """The set, and the declared fields on the way to its members."""
    found = set(fields)
    for path in list(found):
        node = shape
        for depth, element in enumerate(path[:-1], start=1):
            if element.startswith("f:"):
                if element[2:] in node.fields:
                    found.add(path[:depth])
                node = node.field(element[2:])
            else:
                node = node.item()
    return found


def compared(shape: Shape, old: Any, new: Any) -> tuple[Fields, Fields]:
    """Fields that a change sets (added or modified), and fields that it takes away."""
    changed: Fields = set()
    removed: Fields = set()

    def gone(shape: Shape, value: Any, path: Path, into: Fields) -> None:
        into.add(path)
        if not shape.is_leaf(value):
            for element, inner, each in children(shape, value):
                gone(inner, each, (*path, element), into)

    def walk(shape: Shape, old: Any, new: Any, path: Path) -> None:
        if old == new and type(old) is type(new):
            return
        if old is None and isinstance(new, dict | list):
            old = type(new)()
        if type(old) is not type(new) or shape.is_leaf(old) or shape.is_leaf(new):
            changed.add(path)
            return
        before = {element: (inner, each) for element, inner, each in children(shape, old)}
        for element, inner, each in children(shape, new):
            below = (*path, element)
            if element not in before:
                gone(inner, each, below, changed)
            else:
                walk(inner, before.pop(element)[1], each, below)
        for element, (inner, each) in before.items():
            gone(inner, each, (*path, element), removed)

    walk(shape, old, new, ())
    return changed, removed


def without(shape: Shape, value: Any, gone: Fields) -> Any:
    """The object without these fields and all below them; the object itself is not touched."""
    trie: Object = {}
    for path in gone:
        node = trie
        for element in path:
            node = node.setdefault(element, {})
        node["."] = True

    def walk(shape: Shape, value: Any, node: Object) -> Any:
        if shape.is_leaf(value):
            return value
        kept: list[tuple[str, Any]] = []
        for element, inner, each in children(shape, value):
            below = node.get(element)
            if below is None:
                kept.append((element, each))
            elif "." not in below:
                kept.append((element, walk(inner, each, below)))
        return {element[2:]: each for element, each in kept} if isinstance(value, dict) else [each for _, each in kept]

    return walk(shape, value, trie)


def printed(path: Path) -> str:
    """A path as messages spell it: `.spec.containers[name="web"].image`."""
    said = ""
    for element in path:
        mark, text = element[:2], element[2:]
        if mark == "f:":
            said += "." + text
        elif mark == "v:":
            said += f"[={text}]"
        else:
            keys: Object = msgspec.json.decode(text)
            said += "[" + ",".join(f"{key}={_encode(value).decode()}" for key, value in keys.items()) + "]"
    return said
