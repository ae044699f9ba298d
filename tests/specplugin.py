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
    """One document of rules, and how far the project has come in it."""

    file: str
    prefix: str
    last: int
    """The highest rule that there is code for; what comes after belongs to roles that do not exist yet.
    0: none is due."""

    def rules(self) -> set[str]:
        """Every rule that the document numbers: the first cell of a row of a table."""
        rows = re.findall(rf"^\| ({self.prefix}-\d{{3}}) \|", (SPEC / self.file).read_text(), re.MULTILINE)
        return set(rows)

    def due(self) -> list[str]:
        return sorted(rule for rule in self.rules() if number(rule) <= self.last)


DOCUMENTS = (
    Document("serving-dataplane.md", "DP", 172),
    Document("serving-controlplane.md", "SC", 0),
    Document("networking.md", "NW", 0),
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
        if is_good and self.is_whole() and any(self.missing(document) for document in DOCUMENTS):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.is_whole() and not self.passed:
            return
        for document in DOCUMENTS:
            terminalreporter.write_line(self.line(document))
            if self.is_whole() and (missing := self.missing(document)):
                terminalreporter.write_line("missing: " + ", ".join(missing))

    def is_whole(self) -> bool:
        """All tests were asked for, and none by name."""
        option = self.config.option
        names = ("keyword", "markexpr", "lf", "deselect", "collectonly")
        chosen = any(getattr(option, name, None) for name in names)
        return self.config.args_source is pytest.Config.ArgsSource.TESTPATHS and not chosen

    def missing(self, document: Document) -> list[str]:
        accounted = (self.passed - self.failed) | differences()
        return [rule for rule in document.due() if rule not in accounted]

    def line(self, document: Document) -> str:
        due = document.due()
        if not due:
            proved = (self.passed - self.failed) & document.rules()
            return f"spec: {document.prefix}: {len(proved)} of {len(document.rules())} proved, none is due"
        listed = len(differences().intersection(due))
        missing = len(self.missing(document))
        proved = len(due) - listed - missing
        return f"spec: {due[0]} to {due[-1]}: {proved} proved, {listed} differences, {missing} missing"


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
