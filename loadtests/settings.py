"""Settings: NAME=value words for the programs of the load tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence


class Settings:
    """What a program may be told, what it was told, and everything wrong with that.

    defaults  every name, with the value that it has when nothing is said
    numbers   names whose value is a whole number above 0
    words     names whose value is a list of words, and the words that they may hold
    """

    def __init__(
        self,
        program: str,
        defaults: Mapping[str, str],
        *,
        numbers: Collection[str] = (),
        words: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self.program = program
        self.problems: list[str] = []
        self._values = dict(defaults)
        self._given: set[str] = set()
        self._numbers = numbers
        self._words = words or {}

    def read(self, arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
        """Takes the environment and, above it, the arguments (default: those of this process)."""
        environ = os.environ if environ is None else environ
        for name in self._values:
            if environ.get(name):
                self._set(name, environ[name])
        for argument in sys.argv[1:] if arguments is None else arguments:
            name, sign, value = argument.partition("=")
            if not sign or name not in self._values:
                names = ", ".join(f"{known}=…" for known in self._values)
                self.problems.append(f"{argument!r} is not one of {names}")
            else:
                self._set(name, value)
        return self

    def _set(self, name: str, value: str) -> None:
        self._values[name] = value
        self._given.add(name)
        if name in self._numbers and (not value.isdecimal() or int(value) < 1):
            self.problems.append(f"{name}: {value!r} is not a whole number above 0")
        for word in value.split(",") if name in self._words else []:
            if word and word not in self._words[name]:
                self.problems.append(f"{name}: {word!r} is unknown; use {', '.join(self._words[name])}")

    def complain(self) -> bool:
        """Prints every problem to stderr, a line each. Returns whether there was one."""
        for problem in self.problems:
            print(f"{self.program}: {problem}", file=sys.stderr)
        return bool(self.problems)

    def given(self, name: str) -> bool:
        """Whether it was said, with some value."""
        return name in self._given and bool(self._values[name])

    def text(self, name: str) -> str:
        """The value as it is."""
        return self._values[name]

    def number(self, name: str) -> int:
        """The value of one of the numbers."""
        return int(self._values[name])

    def words(self, name: str) -> list[str]:
        """The words of a list; empty when nothing is said and nothing is the default."""
        return [word for word in self._values[name].split(",") if word]
