"""Values: Go's types as a template sees them, in Python objects.

nil, no value        None
bool, int, float64   bool, int, float
int64, uint8         Int64, Uint8, so that %T and %d name them rightly
string               str, bytes that are no UTF-8 as surrogates
[]string             list of str; the empty list stands for nil
map[string][]string  Map
struct and pointer   Struct; a nil pointer is NilPointer
"""

# The tables of a class are never written; ClassVar would cost an import of typing.
# ruff: noqa: RUF012

from __future__ import annotations

from dataplane.templates.errors import ExecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Int64(int):
    """An int64, which prints as an int and has another type name."""

    __slots__ = ()


class Uint8(int):
    """A byte of a string, as `index` gives it."""

    __slots__ = ()


class NilPointer:
    """A pointer that points nowhere.

    type_name  of the pointer, for error texts.
    """

    __slots__ = ("type_name",)

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name


class Map:
    """A map from string to a list of strings, with methods.

    items      name → values.
    TYPE       Go's name of the type.
    METHODS    name → (function of self and arguments, argument types).
    """

    __slots__ = ("items",)
    TYPE = "map[string][]string"
    METHODS: dict[str, Any] = {}

    def __init__(self, items: dict[str, list[str]]) -> None:
        self.items = items


class Struct:
    """A pointer to a struct: fields by name, methods by name.

    TYPE         Go's name of the pointer type.
    FIELDS       name → function of self.
    METHODS      name → (function of self and arguments, argument types).
    UNSUPPORTED  names that Go has and that have no meaning in a log line.
    PRINTS       fields in order when the whole can be printed; None otherwise.
    """

    __slots__ = ()
    TYPE = ""
    FIELDS: dict[str, Any] = {}
    METHODS: dict[str, Any] = {}
    UNSUPPORTED: frozenset[str] = frozenset()
    PRINTS: tuple[str, ...] | None = None

    def text(self) -> str | None:
        """What Go's String() gives, None for a type without it."""
        return None


def type_name(value: Any) -> str:
    """Go's name of a value's type; "<nil>" for no value."""
    if value is None:
        return "<nil>"
    kind = type(value)
    if kind in _NAMES:
        return _NAMES[kind]
    if kind is NilPointer:
        return str(value.type_name)
    return str(value.TYPE)


_NAMES = {bool: "bool", int: "int", Int64: "int64", Uint8: "uint8", float: "float64", str: "string", list: "[]string"}


def truth(value: object) -> bool:
    """Whether `if` takes its first branch."""
    if isinstance(value, Map):
        return bool(value.items)
    return bool(value) and type(value) is not NilPointer


def raw(text: str) -> bytes:
    """The bytes of a Go string."""
    return text.encode("utf-8", "surrogateescape")


def string(data: bytes) -> str:
    """A Go string from its bytes."""
    return data.decode("utf-8", "surrogateescape")


def field(receiver: object, name: str) -> object:
    """`receiver.name` where nothing is passed to it: a field, a map entry, or a method without arguments.

    Raises ExecError when there is none of that name.
    """
    if receiver is None:
        return None
    if isinstance(receiver, Struct):
        getter = receiver.FIELDS.get(name)
        if getter is not None:
            return getter(receiver)
        if name in receiver.METHODS:
            return call_method(receiver, name, ())
        if name in receiver.UNSUPPORTED:
            raise ExecError(f"field {name} of {receiver.TYPE} is not supported")
    elif isinstance(receiver, Map):
        if name in receiver.METHODS:
            return call_method(receiver, name, ())
        return receiver.items.get(name)
    elif type(receiver) is NilPointer:
        raise ExecError(f"nil pointer evaluating {receiver.type_name}.{name}")
    raise ExecError(f"can't evaluate field {name} in type {type_name(receiver)}")


def call_method(receiver: object, name: str, args: tuple[Any, ...]) -> object:
    """`receiver.name args...`; the types of the arguments have been checked.

    Raises ExecError for a wrong number, or when `name` is no method.
    """
    if receiver is None:
        return None
    methods = getattr(receiver, "METHODS", {})
    if name not in methods:
        if type(receiver) is NilPointer:
            raise ExecError(f"nil pointer evaluating {receiver.type_name}.{name}")
        raise ExecError(f"{name} of {type_name(receiver)} has arguments but cannot be invoked as function")
    function, kinds = methods[name]
    if len(args) != len(kinds):
        raise ExecError(f"wrong number of args for {name}: want {len(kinds)} got {len(args)}")
    return function(receiver, *args)
