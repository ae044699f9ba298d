"""Generated and mirrored: what is made from a table says what the table says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.house.sources import text

TABLE = Path("ext/base/faults.h")
MIRROR = Path("ext/base/faults.pxd")


def table_rows() -> list[str]:
    return re.findall(r"^\s+X\((\w+),", text(TABLE), re.MULTILINE)


def test_the_declared_faults_are_those_of_the_table_in_its_order() -> None:
    declared = re.search(r"enum fault:\n((?:\s+\w+\n)+)", text(MIRROR))
    assert declared is not None
    assert declared[1].split() == ["FAULT_NONE", *table_rows(), "FAULT_COUNT"]
