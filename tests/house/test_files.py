"""Files: sizes, headers, and the words that say who owns a pointer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.sources import code, functions, is_exempt, text
from tests.house.test_floors import DOORS

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
DIRECTIVES = "# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True"
OWNERSHIP = re.compile(r"#.*\b(owns|owned|borrows|shares|inline)\b")


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    long = {str(file): len(text(file).splitlines()) for file in code() if not is_exempt(file)}
    assert {file: lines for file, lines in long.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_page() -> None:
    long = [
        f"{file}: {name} has {lines} lines"
        for file in code()
        if not is_exempt(file)
        for name, lines in functions(file)
        if lines > FUNCTION_LINES_MAX
    ]
    assert long == []


@pytest.mark.parametrize("file", code(".pyx", under="ext"), ids=str)
def test_a_module_of_the_engine_says_what_it_is_and_on_which_floor(file: Path) -> None:
    lines = text(file).splitlines()
    assert lines[0] == DIRECTIVES
    assert lines[1].startswith(f'"""{file.stem}: '), "the first sentence names the file's noun and its job"
    floor = re.search(r"^Floor +(?:a )?(\w+)", "\n".join(lines[1:40]), re.MULTILINE)
    assert floor is not None, "the header says on which floor the module is"
    assert floor[1] in ({file.parts[1]} if len(file.parts) > 2 else {"door", *DOORS})


@pytest.mark.parametrize("file", code(".pxd", under="ext"), ids=str)
def test_a_declaration_file_begins_with_its_noun(file: Path) -> None:
    lines = text(file).splitlines()
    assert lines[0] == "# cython: language_level=3"
    assert lines[1].startswith(f'"""{file.stem}: ')


@pytest.mark.parametrize(
    "file", [file for part in ("dataplane", "controller", "loadtests") for file in code(".py", under=part)], ids=str
)
def test_a_module_begins_with_a_sentence(file: Path) -> None:
    source = text(file)
    assert source == "" or source.startswith('"""'), "the first sentence names one noun and one job"


def pointer_fields(file: Path) -> Iterator[str]:
    """Lines of `cdef struct` bodies that declare a pointer to data, `name: line`."""
    inside = outside = ""
    for line in text(file).splitlines():
        depth = len(line) - len(line.lstrip())
        if not line.strip():
            continue
        if depth == 0:
            inside = outside = ""
            if match := re.match(r"cdef (?:packed )?struct (\w+):", line):
                inside = match[1]
            elif line.startswith("cdef extern"):
                outside = line
        elif inside and not outside and re.match(r"\s+[\w ]+\*+ ?\w+(\[|\s|$)", line.partition("#")[0] + " "):
            yield f"{inside}: {line.strip()}"


@pytest.mark.parametrize("file", code(".pxd", ".pyx", under="ext"), ids=str)
def test_every_pointer_field_says_who_owns_what_it_points_to(file: Path) -> None:
    assert [line for line in pointer_fields(file) if not OWNERSHIP.search(line)] == []
