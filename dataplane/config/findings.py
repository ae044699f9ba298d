"""Findings: everything that reading has found wrong or odd, so that all of it is told at once."""

from __future__ import annotations

from dataplane.contract.ports import PORT_MAX
from dataplane.contract.values import quoted
from dataplane.errors import ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Findings:
    """Problems end the process; warnings are logged once it runs."""

    __slots__ = ("problems", "warnings")

    def __init__(self, problems: Iterable[tuple[str, str]] = ()) -> None:
        self.problems = [Problem(where=where, what=what) for where, what in problems]
        self.warnings: list[Problem] = []

    def wrong(self, where: str, what: str) -> None:
        self.problems.append(Problem(where=where, what=what))

    def odd(self, where: str, what: str) -> None:
        self.warnings.append(Problem(where=where, what=what))

    def is_wrong(self, where: str) -> bool:
        """Has this variable been named already? Then nothing more is said about it."""
        return any(problem.where == where for problem in self.problems)

    def end(self) -> None:
        """Raises ConfigError with every problem, if there is one."""
        if self.problems:
            raise ConfigError(self.problems)

    def needed(self, environ: Mapping[str, str], variable: str, hint: str) -> str:
        """What the variable says; empty if it says nothing, which is then named. `hint`: what would be right."""
        text = environ.get(variable, "")
        if not text:
            self.wrong(variable, f"is missing; use {hint}")
        return text

    def port(self, where: str, text: str, example: str, lowest: int = 1) -> int:
        """A port number; 0 if the text is none, which is then named."""
        if text.isascii() and text.isdigit() and len(text) <= 6 and lowest <= int(text) <= PORT_MAX:
            return int(text)
        if not self.is_wrong(where):
            shown = "an empty value" if not text else quoted(text)
            self.wrong(where, f"{shown} is not a port; use {lowest} to {PORT_MAX}, such as {example}")
        return 0

    def one_of(self, where: str, text: str, choices: tuple[str, ...]) -> str:
        """One of these words; the first if the text is none of them, which is then named."""
        if text in choices:
            return text
        self.wrong(where, f"{quoted(text)} is not known; use {one_of_words(choices)}")
        return choices[0]

    def within(self, where: str, number: int, lowest: int, highest: int) -> int:
        """A number inside these bounds; the nearer bound if it is outside, which is then named."""
        if number < lowest:
            self.wrong(where, f"{number} is below {lowest}; use {lowest} to {highest}")
            return lowest
        if number > highest:
            self.wrong(where, f"{number} is above {highest}; use {lowest} to {highest}")
            return highest
        return number


def one_of_words(choices: Iterable[str]) -> str:
    """Choices as a sentence lists them."""
    *firsts, last = choices
    return f"{', '.join(firsts)} or {last}" if firsts else last
