"""corpus: what the fuzzer kept breaks no promise."""

import pytest

from ext.testing.fuzz_http import run
from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

DOORS = {"fuzz_message": "message", "fuzz_chunked": "chunked"}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_kept_input_keeps_the_promises(target):
    inputs = [*target.seeds, *corpus.read(target.name)]
    assert len(inputs) > len(target.seeds)
    assert {data.hex(): broken for data in inputs if (broken := run(DOORS[target.function], data))} == {}
