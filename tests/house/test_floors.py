"""Floors: who may cimport whom in the engine, as HOUSE draws it; siblings do not meet."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.sources import code, text

GROUND = {"base"}
PLUMBING = GROUND | {"stats", "loop"}
FLOORS: dict[str, set[str]] = {
    "base": set(),
    "stats": GROUND,
    "loop": GROUND,
    "http": GROUND,
    "admission": GROUND,
    "transport": PLUMBING,
    "mux": PLUMBING | {"http", "transport"},
    "upstream": PLUMBING | {"admission", "transport", "mux"},
    "proxy": PLUMBING | {"http", "admission", "transport", "mux", "upstream"},
}
"""What a floor may cimport beside its own folder."""

BELOW = set(FLOORS)
DOORS: dict[str, set[str]] = {
    "certificates": {"base", "transport"},
    "plan": BELOW | {"certificates"},
    "engine": BELOW | {"certificates", "plan"},
}
"""The modules at the top of `ext`, the only ones that Python may see."""

WITH_ENGINE = re.compile(r"^(ext/|tests/|loadtests/micro/|dataplane/(plan|supervisor)\.py$)")
"""Whose Python may import `ext`."""

CIMPORT = re.compile(
    r"^\s*(?:from +ext\.([\w.]+) +c?import|cimport +ext\.([\w.]+)|import +ext\.([\w.]+))", re.MULTILINE
)


def floor_of(file: Path) -> str:
    return file.parts[1] if len(file.parts) > 2 else file.stem


def wants(file: Path) -> set[str]:
    """Floors and doors that a module of the engine names."""
    return {"".join(match).split(".")[0] for match in CIMPORT.findall(text(file))}


@pytest.mark.parametrize("file", code(".pyx", ".pxd", ".pxi", under="ext"), ids=str)
def test_a_floor_sees_only_floors_below_it(file: Path) -> None:
    floor = floor_of(file)
    if floor == "testing":
        return
    allowed = FLOORS.get(floor, DOORS.get(floor))
    assert allowed is not None, f"{floor} stands in no table of floors"
    assert wants(file) - {floor} - allowed == set()


@pytest.mark.parametrize("file", [file for file in code(".py") if not WITH_ENGINE.match(str(file))], ids=str)
def test_python_reaches_the_engine_only_through_plan_and_supervisor(file: Path) -> None:
    named = set()
    for node in ast.walk(ast.parse(text(file))):
        if isinstance(node, ast.Import):
            named.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            named.add(node.module)
    assert {name for name in named if name.split(".")[0] == "ext"} == set()


def test_only_tests_open_the_test_doors() -> None:
    outside = [file for file in code(".py", ".pyx", ".pxd") if file.parts[0] not in ("tests",)]
    openers = [
        str(file) for file in outside
        if "ext.testing" in text(file) and not file.is_relative_to("ext/testing") and "micro" not in file.parts
    ]  # fmt: skip
    assert openers == []
