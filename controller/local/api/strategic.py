"""strategic: the merge patch that knows which lists are maps.

An item of such a list is found by its merge key; `$patch`, `$retainKeys`, `$setElementOrder/…` and
`$deleteFromPrimitiveList/…` say what plain merging cannot.
Source: Kubernetes, "Strategic Merge Patch" (API conventions, `patchStrategy` and `patchMergeKey`).
"""

from __future__ import annotations

from typing import Any

from controller.local.api.shape import Shape
from controller.local.api.status import bad_request

Object = dict[str, Any]

_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_ORDER, _DELETE = "$setElementOrder/", "$deleteFromPrimitiveList/"


def patched(shape: Shape, document: Object, change: Object) -> Object:
    """The document after a strategic merge patch; the document itself is not touched.

    Raises  ApiError 400 for a directive that does not exist, or an item without its merge key
    """
    directive = change.get(_DIRECTIVE)
    if directive == "replace":
        return {name: _plain(each) for name, each in change.items() if name != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unrecognized patch type: {directive}")
    found = dict(document)
    if _RETAIN in change:
        found = {name: each for name, each in found.items() if name in change[_RETAIN]}
    for name, each in change.items():
        if name in (_DIRECTIVE, _RETAIN) or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE):
            _delete_values(found, name[len(_DELETE) :], each)
        elif each is None:
            found.pop(name, None)
        elif isinstance(each, dict):
            live = found.get(name)
            found[name] = patched(shape.field(name), live if isinstance(live, dict) else {}, each)
            if each.get(_DIRECTIVE) == "delete":
                del found[name]
        elif isinstance(each, list):
            found[name] = _list(shape.field(name), found.get(name) or [], each, change.get(_ORDER + name))
        else:
            found[name] = each
    for name in change:
        if name.startswith(_ORDER) and name[len(_ORDER) :] not in change:
            field = name[len(_ORDER) :]
            if isinstance(found.get(field), list):
                found[field] = _ordered(shape.field(field), found[field], found[field], change[name])
    return found


def _plain(value: Any) -> Any:
    """What a patch adds, without the directives and the nulls that are only for merging."""
    if isinstance(value, dict):
        if value.get(_DIRECTIVE) == "delete":
            return {}
        return {name: _plain(each) for name, each in value.items() if each is not None and not name.startswith("$")}
    if isinstance(value, list):
        return [_plain(each) for each in value if not (isinstance(each, dict) and each.get(_DIRECTIVE) == "delete")]
    return value


def _delete_values(found: Object, field: str, values: list[Any]) -> None:
    if isinstance(found.get(field), list):
        found[field] = [each for each in found[field] if each not in values]


def _list(shape: Shape, live: list[Any], change: list[Any], order: list[Any] | None) -> list[Any]:
    if "merge" not in shape.strategies:
        return [_plain(each) for each in change]
    if any(isinstance(each, dict) and each.get(_DIRECTIVE) == "replace" for each in change):
        return [_plain(each) for each in change if each.get(_DIRECTIVE) != "replace"]
    if not shape.merge_key:
        found = live + [each for each in change if each not in live]
        return _ordered(shape, found, live, change if order is None else order)
    found, wanted = list(live), []
    for each in change:
        key = _key(shape, each)
        places = [number for number, item in enumerate(found) if item.get(shape.merge_key) == key]
        if each.get(_DIRECTIVE) == "delete":
            found = [item for item in found if item.get(shape.merge_key) != key]
            continue
        wanted.append(each)
        if places:
            found[places[0]] = patched(shape.item(), found[places[0]], each)
        else:
            found.append(patched(shape.item(), {}, each))
    return _ordered(shape, found, live, wanted if order is None else order)


def _key(shape: Shape, item: Any) -> Any:
    if not isinstance(item, dict) or shape.merge_key not in item:
        raise bad_request(f"map: {item} does not contain declared merge key: {shape.merge_key}")
    return item[shape.merge_key]


def _ordered(shape: Shape, items: list[Any], live: list[Any], order: list[Any]) -> list[Any]:
    """Items that the patch names in its order; the others stand before those that they stood before."""

    def key(item: Any) -> str:
        return repr(item.get(shape.merge_key) if shape.merge_key and isinstance(item, dict) else item)

    before = {key(each): number for number, each in enumerate(live)}
    asked = {key(each): number for number, each in enumerate(order)}
    named = sorted((each for each in items if key(each) in asked), key=lambda each: asked[key(each)])
    others = [each for each in items if key(each) not in asked]
    found: list[Any] = []
    while named and others:
        first, place = before[key(others[0])], before.get(key(named[0]))
        found.append(others.pop(0) if place is not None and first < place else named.pop(0))
    return found + named + others
