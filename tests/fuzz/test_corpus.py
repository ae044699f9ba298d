"""corpus: what the fuzzer kept breaks no promise."""

import pytest

from ext.testing import fuzz_h2, fuzz_http, fuzz_sniff, fuzz_tls
from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

DOORS = {
    "fuzz_message": (fuzz_http.run, "message"),
    "fuzz_chunked": (fuzz_http.run, "chunked"),
    "fuzz_server": (fuzz_h2.run, "server"),
    "fuzz_client": (fuzz_h2.run, "client"),
    "fuzz_sniff": (fuzz_sniff.run, "sniff"),
    "fuzz_tls": (fuzz_tls.run, "tls"),
}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_kept_input_keeps_the_promises(target):
    inputs = [*target.seeds, *corpus.read(target.name)]
    assert len(inputs) > len(target.seeds)
    run, name = DOORS[target.function]
    assert {data.hex(): broken for data in inputs if (broken := run(name, data))} == {}
