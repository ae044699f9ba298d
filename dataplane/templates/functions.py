"""Functions: the built-in functions of a template.

Each takes values (see values.py) that are already evaluated; `and` and `or`
are not here, as they leave arguments unevaluated.
Source: the documentation of Go's text/template, "Functions".
"""

from __future__ import annotations

from dataplane.templates import format as fmt
from dataplane.templates.errors import ExecError
from dataplane.templates.url import UNRESERVED, escape
from dataplane.templates.values import Map, NilPointer, Struct, Uint8, raw, string, truth, type_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

JS = {
    ord("\\"): "\\\\",
    ord("'"): "\\'",
    ord('"'): '\\"',
    ord("<"): "\\u003C",
    ord(">"): "\\u003E",
    ord("&"): "\\u0026",
    ord("="): "\\u003D",
} | {c: f"\\u{c:04X}" for c in range(32)}
HTML = {0: "\ufffd", 34: "&#34;", 39: "&#39;", 38: "&amp;", 60: "&lt;", 62: "&gt;"}


def printable(value: object) -> object:
    """What an action prints: a struct instead of the pointer to it, and a text for no value."""
    if value is None:
        return "<no value>"
    if isinstance(value, Struct):
        text = value.text()
        return fmt.show_struct(fmt.PLAIN, value) if text is None else text
    return value


def to_text(value: object) -> str:
    """The text that an action writes for its value."""
    return value if type(value) is str else fmt.sprint((printable(value),))


def _joined(args: tuple[object, ...]) -> str:
    if len(args) == 1 and type(args[0]) is str:
        return args[0]
    if len(args) == 1:
        return to_text(args[0])
    # A struct becomes text early; as in Go it still counts as no string for the spaces.
    out = []
    for i, value in enumerate(args):
        if i and not _is_string(value) and not _is_string(args[i - 1]):
            out.append(" ")
        out.append(to_text(value))
    return "".join(out)


def _is_string(value: object) -> bool:
    return value is None or type(value) is str


def js(*args: object) -> str:
    text = _joined(args).translate(JS)
    if text.isascii():
        return text
    return "".join(
        [c if ord(c) < 128 or 0xDC80 <= ord(c) < 0xDD00 or c.isprintable() else f"\\u{ord(c):04X}" for c in text]
    )


def html(*args: object) -> str:
    return _joined(args).translate(HTML)


def urlquery(*args: object) -> str:
    return escape(raw(_joined(args)), UNRESERVED, plus=True)


def print_(*args: object) -> str:
    return fmt.sprint(args)


def println(*args: object) -> str:
    return " ".join([fmt.show(fmt.PLAIN, a) for a in args]) + "\n"


def printf(pattern: object, *args: object) -> str:
    if type(pattern) is not str:
        raise ExecError(f"wrong type for value; expected string; got {type_name(pattern)}")
    return fmt.sprintf(fmt.parse(pattern), args)


def length(value: object) -> int:
    if type(value) is str:
        return len(value) if value.isascii() else len(raw(value))
    if isinstance(value, list):
        return len(value)
    if isinstance(value, Map):
        return len(value.items)
    raise ExecError(f"len of type {type_name(value)}")


def not_(value: object) -> bool:
    return not truth(value)


def _place(position: object, size: int) -> int:
    if isinstance(position, bool) or not isinstance(position, int):
        raise ExecError(f"cannot index slice/array with type {type_name(position)}")
    if not 0 <= position <= size:
        raise ExecError(f"index out of range: {position}")
    return position


def index(value: object, *keys: object) -> object:
    if value is None:
        raise ExecError("index of untyped nil")
    for key in keys:
        if isinstance(value, Map):
            if type(key) is not str:
                raise ExecError(f"value has type {type_name(key)}; should be string")
            value = value.items.get(key) or []
        elif isinstance(value, (list, str)):
            value = _item(value, key)
        elif isinstance(value, NilPointer):
            raise ExecError("index of nil pointer")
        else:
            raise ExecError(f"can't index item of type {type_name(value)}")
    return value


def _item(value: list[str] | str, key: object) -> object:
    items = value if isinstance(value, list) else raw(value)
    place = _place(key, len(items))
    if place == len(items):
        raise ExecError(f"index out of range: {place}")
    found = items[place]
    return Uint8(found) if isinstance(found, int) else found


def slice_(value: object, *places: object) -> object:
    if len(places) > 3 or (len(places) == 3 and type(value) is str):
        raise ExecError("too many slice indexes")
    if not isinstance(value, (list, str)):
        raise ExecError(f"can't slice item of type {type_name(value)}")
    items = raw(value) if isinstance(value, str) else value
    bounds = [_place(p, len(items)) for p in places]
    if bounds != sorted(bounds):
        raise ExecError("invalid slice index")
    start = bounds[0] if bounds else 0
    end = bounds[1] if len(bounds) > 1 else len(items)
    if isinstance(items, bytes):
        return string(items[start:end])
    return items[start:end]


def _kind(value: object) -> str:
    """The kind in which values are compared; "" for what has no order."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    return "string" if isinstance(value, str) else ""


def _is_nil(value: object) -> bool:
    return value is None or isinstance(value, NilPointer) or value == []


def _same(left: object, right: object) -> bool:
    kind = _kind(left)
    if kind != _kind(right):
        if left is None or right is None:
            return False
        raise ExecError(f"incompatible types for comparison: {type_name(left)} and {type_name(right)}")
    if kind:
        return left == right
    if left is not None and right is not None and _shape(left) != _shape(right):
        raise ExecError(f"non-comparable types {type_name(left)} and {type_name(right)}")
    if _is_nil(left) or _is_nil(right):
        return _is_nil(left) == _is_nil(right)
    if isinstance(right, (list, Map)):
        raise ExecError(f"non-comparable type {type_name(right)}")
    return left is right


def _shape(value: object) -> str:
    return "slice" if isinstance(value, list) else "map" if isinstance(value, Map) else "pointer"


def eq(left: object, *others: object) -> bool:
    if not others:
        raise ExecError("missing argument for comparison")
    return any(_same(left, other) for other in others)


def ne(left: object, right: object) -> bool:
    return not _same(left, right)


def lt(left: object, right: object) -> bool:
    kind = _kind(left)
    if kind in ("", "bool") or _kind(right) in ("", "bool"):
        if kind == "bool" and _kind(right) not in ("", "bool"):
            raise ExecError(f"incompatible types for comparison: bool and {type_name(right)}")
        raise ExecError("invalid type for comparison")
    if kind != _kind(right):
        raise ExecError(f"incompatible types for comparison: {type_name(left)} and {type_name(right)}")
    if kind == "string":
        return raw(left) < raw(right)  # type: ignore[arg-type]
    return bool(left < right)  # type: ignore[operator]


def le(left: object, right: object) -> bool:
    return lt(left, right) or _same(left, right)


def gt(left: object, right: object) -> bool:
    return not le(left, right)


def ge(left: object, right: object) -> bool:
    return not lt(left, right)


# name → (function, fewest arguments, most arguments or -1 for any number)
TABLE: dict[str, tuple[Callable[..., object], int, int]] = {
    "eq": (eq, 1, -1),
    "ge": (ge, 2, 2),
    "gt": (gt, 2, 2),
    "html": (html, 0, -1),
    "index": (index, 1, -1),
    "js": (js, 0, -1),
    "le": (le, 2, 2),
    "len": (length, 1, 1),
    "lt": (lt, 2, 2),
    "ne": (ne, 2, 2),
    "not": (not_, 1, 1),
    "print": (print_, 0, -1),
    "printf": (printf, 1, -1),
    "println": (println, 0, -1),
    "slice": (slice_, 1, -1),
    "urlquery": (urlquery, 0, -1),
}
LAZY = ("and", "or")
UNSUPPORTED = ("call",)
