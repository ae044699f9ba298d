"""Document: records as JSON, and JSON as records, with every problem named by its path.

Fields at their defaults are left out when writing; fields that a reader does
not know are skipped, so that a newer writer can speak to an older reader.
"""

from __future__ import annotations

from .record import Record, defaults_of, fields_of
from .values import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Problems = list[str]
    Reader = Callable[[object, str, Problems], Any]
    """Reads one value; takes the value, its path, and a list that it adds problems to."""

COUNT_MAX = (1 << 53) - 1
"""What JSON carries without loss."""


class DocumentError(ValueError):
    """A document cannot be used. Carries every problem found, each as `path: what`."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def document(record: Record) -> dict[str, Any]:
    """The record as plain JSON values, without what stands at its default."""
    defaults = defaults_of(type(record))
    made = {}
    for field in fields_of(type(record)):
        value = getattr(record, field)
        if field not in defaults or value != defaults[field]:
            made[field] = _plain(value)
    return made


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return document(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value


def text(value: object, where: str, problems: Problems) -> str:
    """Any string."""
    if isinstance(value, str):
        return value
    problems.append(f"{where}: {quoted(str(value))} is no text")
    return ""


def truth(value: object, where: str, problems: Problems) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        problems.append(f"{where}: {quoted(str(value))} is neither true nor false")
    return value is True


def whole(least: int, most: int) -> Reader:
    """A whole number within bounds, both included."""

    def read(value: object, where: str, problems: Problems) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        problems.append(f"{where}: {quoted(str(value))} is no whole number from {least} to {most}")
        return least

    return read


def seconds(value: object, where: str, problems: Problems) -> float:
    """A time span: a number from 0."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    problems.append(f"{where}: {quoted(str(value))} is no number of seconds")
    return 0.0


def one_of(*words: str) -> Reader:
    """One of these words."""

    def read(value: object, where: str, problems: Problems) -> str:
        if isinstance(value, str) and value in words:
            return value
        problems.append(f"{where}: {quoted(str(value))} is none of {', '.join(words)}")
        return words[0]

    return read


def list_of(one: Reader) -> Reader:
    """A list, as a tuple."""

    def read(value: object, where: str, problems: Problems) -> tuple[Any, ...]:
        if isinstance(value, list):
            return tuple(one(item, f"{where}[{i}]", problems) for i, item in enumerate(value))
        problems.append(f"{where}: {quoted(str(value))} is no list")
        return ()

    return read


def map_of(one: Reader) -> Reader:
    """An object with any keys."""

    def read(value: object, where: str, problems: Problems) -> dict[str, Any]:
        if isinstance(value, dict):
            return {key: one(item, f"{where}[{quoted(key)}]", problems) for key, item in value.items()}
        problems.append(f"{where}: {quoted(str(value))} is no object")
        return {}

    return read


def or_none(one: Reader) -> Reader:
    """null, or what the other reads."""
    return lambda value, where, problems: None if value is None else one(value, where, problems)


def record_of(cls: type[Record], readers: Mapping[str, Reader]) -> Reader:
    """Reads an object into a record; `readers` has one for each of its fields."""
    if set(readers) != set(fields_of(cls)):
        raise TypeError(f"readers of {cls.__name__} and its fields differ")

    def read(value: object, where: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            problems.append(f"{where or cls.__name__.lower()}: {quoted(str(value))} is no object")
            return None
        found = {}
        for field, reader in readers.items():
            at = f"{where}.{field}" if where else field
            if field in value:
                found[field] = reader(value[field], at, problems)
            elif field not in defaults_of(cls):
                problems.append(f"{at}: is missing")
                found[field] = None
        return cls(**found)

    return read
