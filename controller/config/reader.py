"""Reader: takes settings out of a config map and notes every problem on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeVar

import yaml

from controller.api.values import NS_PER_S, boolean, duration_ns, integer, number, quantity

Value = TypeVar("Value")

EXAMPLE = "_example"
"""Text for people, never read as a setting."""


class Reader:
    """The data of one map. A key that is missing has its default; keys that nobody asks for do not matter.

    problems   one sentence for each value that cannot be used, with its key, as upstream words it
    """

    __slots__ = ("_data", "problems")

    def __init__(self, data: Mapping[str, str]) -> None:
        self._data = {key: value for key, value in data.items() if key != EXAMPLE}
        self.problems: list[str] = []

    def said(self, *keys: str) -> str | None:
        """The value under the first of several spellings of a key that is there."""
        return next((self._data[key] for key in keys if key in self._data), None)

    def said_keys(self) -> list[str]:
        return sorted(self._data)

    def refuse(self, problem: str) -> None:
        self.problems.append(problem)

    def require(self, is_right: bool, problem: str) -> None:
        if not is_right:
            self.problems.append(problem)

    def text(self, default: str, *keys: str) -> str:
        found = self.said(*keys)
        return default if found is None else found

    def boolean(self, default: bool, *keys: str) -> bool:
        return self._read(boolean, default, keys)

    def integer(self, default: int, *keys: str, bits: int = 64) -> int:
        return self._read(lambda text: integer(text.strip(), bits), default, keys)

    def number(self, default: float, *keys: str) -> float:
        return self._read(number, default, keys)

    def duration_s(self, default: float, *keys: str) -> float:
        return self._read(lambda text: duration_ns(text) / NS_PER_S, default, keys)

    def quantity(self, default: str, *keys: str) -> str:
        """As it was written; empty: unset."""
        found = self.said(*keys)
        if not found:
            return default if found is None else ""
        self._read(quantity, Fraction(0), keys)
        return found

    def words(self, default: tuple[str, ...], *keys: str) -> tuple[str, ...]:
        """What stands between commas, without spaces."""
        found = self.said(*keys)
        if found is None:
            return default
        return tuple(word.strip() for word in found.split(",") if word.strip())

    def yaml(self, *keys: str) -> object:
        """None: not there, or empty."""
        return self._read(_parsed, None, keys)

    def _read(self, parse: Callable[[str], Value], default: Value, keys: tuple[str, ...]) -> Value:
        found = self.said(*keys)
        if found is None:
            return default
        try:
            return parse(found)
        except (ValueError, OverflowError) as problem:
            key = next(key for key in keys if key in self._data)
            self.problems.append(f'failed to parse data: failed to parse "{key}": {problem}')
            return default


def _parsed(text: str) -> object:
    try:
        return yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as problem:
        raise ValueError(" ".join(str(problem).split())) from None
