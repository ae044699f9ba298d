"""The frames of an activator, byte for byte."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataplane.contract.stat import Stat
from dataplane.contract.stat_batch import decode_batch, encode_batch

FIRST = bytes.fromhex("0a240a026e7312037265761a190a056163742d3011000000000000f03f21000000000000f03f")
IDLE = bytes.fromhex("0a130a026e73120469646c651a070a056163742d30")
POKE = ("ns", "rev", Stat(pod_name="act-0", average_concurrent_requests=1.0, request_count=1.0))
NAMES = st.text(min_size=1, max_size=20)
ENTRIES = st.lists(
    st.tuples(NAMES, NAMES, st.builds(Stat, pod_name=NAMES, request_count=st.floats(0, 1e9))), max_size=5
)


@pytest.mark.spec("DP-222")
@pytest.mark.parametrize(
    ("entry", "wire"), [(POKE, FIRST), (("ns", "idle", Stat(pod_name="act-0")), IDLE)], ids=["first request", "idle"]
)
def test_the_reference_values_give_the_reference_bytes(entry, wire):
    assert encode_batch([entry]) == wire
    assert decode_batch(wire) == [entry]


@pytest.mark.spec("DP-219")
@given(ENTRIES)
def test_many_revisions_share_a_frame(entries):
    assert decode_batch(encode_batch(entries)) == entries


def test_an_entry_without_a_record_is_left_out():
    assert decode_batch(bytes.fromhex("0a040a026e73") + FIRST) == [POKE]


@given(st.binary(max_size=60))
def test_no_bytes_do_harm(wire):
    with contextlib.suppress(ValueError, UnicodeDecodeError):
        decode_batch(wire)
