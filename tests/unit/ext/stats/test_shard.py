"""Counters of one worker, and the table that they come from."""

import re
from pathlib import Path

from ext.base.faults import fault_names
from ext.stats.shard import counter_names
from ext.testing.stats import Shard

EXT = Path(__file__).resolve().parents[4] / "ext"


def test_a_shard_begins_at_zero():
    values = Shard().read()
    assert not any(value if isinstance(value, int) else any(value) for value in values.values())


def test_the_table_and_the_reading_have_the_same_names_and_lengths():
    values = Shard().read()
    assert [name for name, _ in counter_names()] == list(values)
    for name, labels in counter_names():
        assert values[name] == 0 if not labels else len(values[name]) == len(labels)


def test_faults_carry_the_names_of_the_fault_table():
    assert dict(counter_names())["faults"] == fault_names()


def test_an_addition_lands_in_its_counter_and_nowhere_else():
    shard = Shard()
    shard.fault(3)
    shard.fault(3)
    shard.bytes_in(1000)
    values = shard.read()
    assert values["faults"][3] == 2
    assert values["bytes_in"] == 1000
    assert sum(values["faults"]) == 2
    assert values["bytes_out"] == 0


def test_the_start_of_the_last_request_is_a_time():
    shard = Shard()
    shard.request(5_000_000_000)
    shard.request(7_000_000_000)
    values = shard.read()
    assert values["requests"] == [2, 0, 0, 0, 0, 0]
    assert values["last_request_start_ns"] == 7_000_000_000


def declared(text, start):
    """Names in the indented block that begins with `start`, without a count at its end."""
    block = text.split(start, 1)[1]
    names = []
    for line in block.splitlines()[1:]:
        found = re.match(r"\s+(?:uint64_t\* )?([A-Za-z_0-9]+)(?: = 0)?\s*(?:#.*)?$", line)
        if not found:
            break
        names.append(found[1])
    return [name for name in names if not name.endswith(("_COUNT", "_CAUSES"))]


def test_the_declaration_for_cython_and_the_table_list_the_same_in_the_same_order():
    declaration = (EXT / "stats" / "shard.pxd").read_text()
    table = (EXT / "stats" / "counters.h").read_text()
    assert declared(declaration, "struct shard:") == [name for name, _ in counter_names()]
    assert declared(declaration, "enum listener_kind:") == re.findall(r"X\((LISTENER_\w+), \"", table)
    assert declared(declaration, "enum bound_cause:") == re.findall(r"X\((BOUND_\w+), \"", table)


def test_what_is_mended_is_counted_in_the_order_of_the_parser():
    causes = declared((EXT / "http" / "head.pxd").read_text(), "enum mend_cause:")
    assert [cause.removeprefix("MEND_").lower() for cause in causes] == list(dict(counter_names())["mended"])
