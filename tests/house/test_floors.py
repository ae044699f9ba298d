"""Floors: who may cimport whom in the engine, as HOUSE draws it; siblings do not meet."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
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
    "tls_door": {"transport"},
    "certificates": {"base", "transport", "tls_door"},
    "live": BELOW,
    "hosts": BELOW,
    "plan": BELOW | {"hosts", "live"},
    "engine": BELOW | {"tls_door", "live", "plan"},
}
"""The modules at the top of `ext`, the only ones that Python may see."""

WITH_ENGINE = re.compile(r"^(ext/|tests/|loadtests/micro/|dataplane/((gateway|activator)/)?(plan|supervisor)\.py$)")
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


def imports(node: ast.AST) -> Iterator[str]:
    """Modules that a file imports when it runs: not those that only its types need."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (name.name for name in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module and not child.level:
            yield child.module
        elif not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield from imports(child)


@pytest.mark.parametrize("file", [file for file in code(".py") if not WITH_ENGINE.match(str(file))], ids=str)
def test_python_reaches_the_engine_only_through_plan_and_supervisor(file: Path) -> None:
    assert {name for name in imports(ast.parse(text(file))) if name.split(".")[0] == "ext"} == set()


def test_only_tests_open_the_test_doors() -> None:
    outside = [file for file in code(".py", ".pyx", ".pxd") if file.parts[0] not in ("tests",)]
    openers = [
        str(file) for file in outside
        if "ext.testing" in text(file) and not file.is_relative_to("ext/testing") and "micro" not in file.parts
    ]  # fmt: skip
    assert openers == []
