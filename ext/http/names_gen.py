"""names_gen: makes names.pxi from names.toml.

The lookup needs a table without collisions. Names are placed by their length,
first, middle and last letter; this program searches for multipliers that give
every name a slot of its own.

Run: python ext/http/names_gen.py
"""

from __future__ import annotations

import itertools
import random
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
SLOTS = 256
TEXT_BYTES = 32
FLAGS = {"hop": 1, "once": 2, "platform": 4, "head": 8, "framing": 16}


def names() -> dict[str, int]:
    """Every name with its flags as a number, in the order of the ids.

    Raises  ValueError when there are more than 63 names, or one is too long or not in lower case.
    """
    table = tomllib.loads((HERE / "names.toml").read_text())["names"]
    if len(table) > 63:
        raise ValueError(f"names.toml: {len(table)} names; `seen` has bits for 63")
    for name in table:
        if not 2 <= len(name) <= TEXT_BYTES or name != name.lower():
            raise ValueError(f"names.toml: {name!r} must be 2 to {TEXT_BYTES} bytes in lower case")
    return {name: sum(FLAGS[flag] for flag in flags) for name, flags in table.items()}


def slot(name: str, factors: tuple[int, int, int, int]) -> int:
    """Where a name is looked for; the same sum as `name_slot` in names.pxd."""
    first, middle, last = (ord(name[i]) | 0x20 for i in (0, len(name) // 2, len(name) - 1))
    parts = (len(name), first, middle, last)
    return sum(part * factor for part, factor in zip(parts, factors, strict=True)) % SLOTS


def factors(table: dict[str, int]) -> tuple[int, int, int, int]:
    """Multipliers that give every name its own slot; the same ones for the same names."""
    tries = random.Random(1)
    for _ in itertools.repeat(None, 1_000_000):
        picked = tuple(tries.randrange(1, SLOTS) for _ in range(4))
        if len({slot(name, picked) for name in table}) == len(table):
            return picked
    raise ValueError("names.toml: no multipliers without collision found; more SLOTS are needed")


def row(name: str, flags: int) -> str:
    """One row of the C table: the text, and the bits that turn a capital into its small letter."""
    mask = "".join(" " if letter.isalpha() else "\\\\0" for letter in name)
    return f'        {{{len(name)}, {flags}, "{name}", "{mask}"}},'


def generate() -> str:
    """The whole text of names.pxi."""
    table = names()
    picked = factors(table)
    slots = [0] * SLOTS
    for number, name in enumerate(table, start=1):
        slots[slot(name, picked)] = number
    lines = [
        "# Made from names.toml by names_gen.py; do not edit.",
        "",
        "cdef enum:",
        *(f"    NAME_{n.upper().replace('-', '_')} = {i}" for i, n in enumerate(table, start=1)),
        f"    NAME_COUNT = {len(table) + 1}",
        "",
        "cdef enum name_flag:",
        *(f"    NAME_IS_{flag.upper()} = {bit}" for flag, bit in FLAGS.items()),
        "",
        "cdef extern from * nogil:",
        '    """',
        f"    #define NAME_FACTOR_LENGTH {picked[0]}u",
        f"    #define NAME_FACTOR_FIRST {picked[1]}u",
        f"    #define NAME_FACTOR_MIDDLE {picked[2]}u",
        f"    #define NAME_FACTOR_LAST {picked[3]}u",
        f"    struct name_row {{ unsigned char len, flags; char text[{TEXT_BYTES}], mask[{TEXT_BYTES}]; }};",
        "    static const struct name_row name_rows[] = {",
        '        {0, 0, "", ""},',
        *(row(name, flags) for name, flags in table.items()),
        "    };",
        f"    static const unsigned char name_slots[{SLOTS}] = {{",
        *("        " + ", ".join(map(str, slots[i : i + 24])) + "," for i in range(0, SLOTS, 24)),
        "    };",
        '    """',
        "    const unsigned int NAME_FACTOR_LENGTH",
        "    const unsigned int NAME_FACTOR_FIRST",
        "    const unsigned int NAME_FACTOR_MIDDLE",
        "    const unsigned int NAME_FACTOR_LAST",
        "    struct name_row:",
        "        unsigned char len",
        "        unsigned char flags",
        "        const char* text",
        "        const char* mask",
        "    const name_row name_rows[1]",
        "    const unsigned char name_slots[1]",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    (HERE / "names.pxi").write_text(generate())
