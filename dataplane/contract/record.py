"""Record: the frozen base of every class of plain values, in both planes.

A record declares its fields as annotations, in order, with or without a
default. Its instances have slots, compare by value, and cannot be changed.
It stands in for `dataclasses`, which costs the sidecar 12 ms at its start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self, dataclass_transform
else:

    def dataclass_transform(**_marks):
        """Mark a metaclass for type checkers; at run time it does nothing."""
        return lambda decorated: decorated


@dataclass_transform(eq_default=True, kw_only_default=True, frozen_default=True)
class RecordType(type):
    """Turns the annotations of a class body into slots, and its values into defaults."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordType:
        fields = tuple(namespace.get("__annotations__", ()))
        defaults = {field: namespace.pop(field) for field in fields if field in namespace}
        namespace["__slots__"] = fields
        made = super().__new__(mcs, name, bases, namespace)
        made._defaults = defaults  # type: ignore[attr-defined]
        return made


class Record(metaclass=RecordType):
    """Named values that never change. Fields are given by name only.

    Raises  TypeError for a field that is missing or unknown,
            AttributeError for an assignment.
    """

    def __init__(self, **values: Any) -> None:
        cls = type(self)
        for field in cls.__slots__:  # type: ignore[attr-defined]
            if field in values:
                value = values.pop(field)
            elif field in cls._defaults:  # type: ignore[attr-defined]
                value = cls._defaults[field]  # type: ignore[attr-defined]
            else:
                raise TypeError(f"{cls.__name__} needs {field}")
            object.__setattr__(self, field, value)
        if values:
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(values))}")

    def __setattr__(self, field: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{field} cannot be changed; use but()")

    def __delattr__(self, field: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{field} cannot be removed")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in fields_of(type(self)))

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, field) for field in fields_of(type(self))))

    def __repr__(self) -> str:
        inner = ", ".join(f"{field}={getattr(self, field)!r}" for field in fields_of(type(self)))
        return f"{type(self).__name__}({inner})"

    def but(self, **changes: Any) -> Self:
        """The same record with these fields changed."""
        values = {field: getattr(self, field) for field in fields_of(type(self))}
        values.update(changes)
        return type(self)(**values)


def fields_of(cls: type) -> tuple[str, ...]:
    """The names of a record's fields, in the order of their declaration."""
    return cls.__slots__  # type: ignore[attr-defined, no-any-return]


def defaults_of(cls: type) -> dict[str, Any]:
    """The defaults of a record's fields; a field that must be given is not among them."""
    return cls._defaults  # type: ignore[attr-defined, no-any-return]
