"""Spec plugin: tells which numbered rules the tests prove, and which they leave out.

A rule is proved when a test that names it has passed and none has failed.
A rule that DIFFERENCES.md lists counts as a difference, whatever tests say.
An id that no document has ends the run before the first test. A rule that is
missing fails the run, when the run was all of the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SPEC = Path(__file__).parent / "spec"
DIFFERENCES = SPEC / "DIFFERENCES.md"
RULE = re.compile(r"\b([A-Z]{2})-(\d{3})\b")


@dataclass(frozen=True, slots=True)
class Document:
    """One document of rules."""

    file: str
    prefix: str

    def rules(self) -> set[str]:
        """Every rule that the document numbers: the first cell of a row of a table."""
        rows = re.findall(rf"^\| ({self.prefix}-\d{{3}}) \|", (SPEC / self.file).read_text(), re.MULTILINE)
        return set(rows)


@dataclass(frozen=True, slots=True)
class Scope:
    """Rules that belong together, because the same roles keep them."""

    document: Document
    ranges: tuple[tuple[int, int], ...]
    """First and last numbers."""
    is_finished: bool
    """A rule of it that nothing proves fails the run; else it is only counted."""

    def due(self) -> list[str]:
        return sorted(
            rule for rule in self.document.rules() if any(low <= number(rule) <= high for low, high in self.ranges)
        )


DATA_PLANE = Document("serving-dataplane.md", "DP")
CONTROL_PLANE = Document("serving-controlplane.md", "SC")
NETWORKING = Document("networking.md", "NW")
DOCUMENTS = (DATA_PLANE, CONTROL_PLANE, NETWORKING)
SCOPES = (
    Scope(DATA_PLANE, ((1, 172),), is_finished=True),
    Scope(DATA_PLANE, ((173, 240),), is_finished=False),
    Scope(CONTROL_PLANE, ((1, 60), (62, 128), (139, 142), (154, 161), (166, 204), (206, 221)), is_finished=False),
    Scope(NETWORKING, ((57, 99), (101, 104), (156, 157), (161, 161)), is_finished=True),
)


def number(rule: str) -> int:
    return int(rule.partition("-")[2])


def differences() -> set[str]:
    """Rules in the first column of the table of DIFFERENCES.md. A range is written out: "DP-001, DP-002"."""
    cells = [line.split("|")[1] for line in DIFFERENCES.read_text().splitlines() if line.startswith("|")]
    return {f"{prefix}-{digits}" for cell in cells for prefix, digits in RULE.findall(cell)}


@dataclass(eq=False)
class Tally:
    """What the tests said about each rule; a plugin of pytest."""

    config: pytest.Config
    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        rules = [str(value) for name, value in report.user_properties if name == "rule"]
        if report.failed:
            self.failed.update(rules)
        elif report.when == "call" and report.passed:
            self.passed.update(rules)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        is_good = session.exitstatus == pytest.ExitCode.OK
        if is_good and self.is_whole() and any(self.missing(scope) for scope in SCOPES if scope.is_finished):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.is_whole() and not self.passed:
            return
        for scope in SCOPES:
            terminalreporter.write_line(self.line(scope))
            if scope.is_finished and self.is_whole() and (missing := self.missing(scope)):
                terminalreporter.write_line("missing: " + ", ".join(missing))

    def is_whole(self) -> bool:
        """All tests were asked for, and none by name."""
        option = self.config.option
        names = ("keyword", "markexpr", "lf", "deselect", "collectonly")
        chosen = any(getattr(option, name, None) for name in names)
        return self.config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen

    def missing(self, scope: Scope) -> list[str]:
        accounted = (self.passed - self.failed) | differences()
        return [rule for rule in scope.due() if rule not in accounted]

    def line(self, scope: Scope) -> str:
        due = scope.due()
        listed = len(differences().intersection(due))
        missing = len(self.missing(scope))
        state = "" if scope.is_finished else " (in work)"
        proved = len(due) - listed - missing
        return f"spec: {due[0]} to {due[-1]}: {proved} proved, {listed} differences, {missing} missing{state}"


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tally(config), "tally of rules")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    known = set().union(*(document.rules() for document in DOCUMENTS))
    for item in items:
        for mark in item.iter_markers("spec"):
            unknown = [rule for rule in mark.args if rule not in known]
            if unknown:
                raise pytest.UsageError(f"{item.nodeid} names rules that no document has: {', '.join(unknown)}")
            item.user_properties += [("rule", rule) for rule in mark.args]
