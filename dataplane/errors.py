"""Error: what the data plane raises, by cause."""

from __future__ import annotations

from dataplane.contract.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class DataplaneError(Exception):
    """Something that the data plane reports itself; every other exception is a bug."""


class Problem(Record):
    """One thing that is wrong."""

    where: str
    """The variable, or the file."""

    what: str
    """Its value, and what would be right."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigError(DataplaneError):
    """The settings cannot be used. Carries every problem found, not the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    def report(self, program: str) -> str:
        """One line per problem, as they go to stderr."""
        return "".join(f"{program}: {problem}\n" for problem in self.problems)
