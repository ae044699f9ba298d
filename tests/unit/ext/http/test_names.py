"""names: every known name is found in any case, nothing else is, and the table is the generator's."""

import runpy
from pathlib import Path

import pytest

from ext.testing.http import lookup

HTTP = Path(__file__).resolve().parents[4] / "ext" / "http"
GENERATOR = runpy.run_path(str(HTTP / "names_gen.py"))
NAMES = GENERATOR["names"]()


def test_the_generated_table_is_what_the_generator_makes():
    assert (HTTP / "names.pxi").read_text() == GENERATOR["generate"]()


def test_ids_fit_into_one_word():
    assert 0 < len(NAMES) < 64


@pytest.mark.parametrize("spelled", [str.lower, str.upper, str.title, str.swapcase])
def test_a_known_name_is_found_in_any_case(spelled):
    found = [lookup(spelled(name).encode()) for name in NAMES]
    assert found == list(zip(range(1, len(NAMES) + 1), NAMES.values(), strict=True))


@pytest.mark.parametrize("name", [b"", b"x", b"hos", b"hosts", b"h\x0fst", b"content_length", b"content\rlength"])
def test_an_unknown_name_has_no_id(name):
    assert lookup(name) == (0, 0)


def test_one_changed_byte_makes_a_name_unknown():
    for name in NAMES:
        for i in range(len(name)):
            other = bytearray(name.encode())
            other[i] ^= 0x01
            assert lookup(bytes(other))[0] == 0 or other.decode() in NAMES


def test_control_characters_are_never_folded_into_letters():
    for name in NAMES:
        for i in range(len(name)):
            other = bytearray(name.encode())
            other[i] &= 0x1F
            assert lookup(bytes(other))[0] == 0
