"""Spec: the documents of rules, the list of differences, and the report that is made from both."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.specplugin import DIFFERENCES, DOCUMENTS, SCOPES, differences

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_rules_of_the_sidecar_are_all_there() -> None:
    assert SCOPES[0].due() == [f"DP-{number:03}" for number in range(1, 173)]


def test_differences_name_rules_that_exist() -> None:
    known = set().union(*(document.rules() for document in DOCUMENTS))
    assert differences() - known == set()


def test_every_difference_says_both_sides_and_why_nobody_is_hurt() -> None:
    rows = [line for line in DIFFERENCES.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]
    assert [row for row in cells if len(row) != 4 or "" in row] == []


PROVING = "@pytest.mark.spec('DP-002')\ndef test_b(): pass\n"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("@pytest.mark.spec('DP-001')\ndef test_a(): pass\n", "spec: DP-001 to DP-172: 2 proved"),
        ("@pytest.mark.spec('DP-001')\ndef test_a(): assert False\n", "spec: DP-001 to DP-172: 1 proved"),
        ("@pytest.mark.spec('DP-001')\ndef test_a(): pytest.skip()\n", "spec: DP-001 to DP-172: 1 proved"),
        ("@pytest.mark.spec('DP-999')\ndef test_a(): pass\n", "names rules that no document has: DP-999"),
    ],
    ids=["passed", "failed", "skipped", "unknown"],
)
def test_the_report_counts_what_tests_prove(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = spec\n")
    (tmp_path / "test_it.py").write_text(f"import pytest\n\n{body}\n{PROVING}")
    command = [sys.executable, "-m", "pytest", "-p", "tests.specplugin", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert said in done.stdout + done.stderr
