"""The autoscaler's record, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.contract.stat import STAT_BYTES_MAX, Stat, decode

VECTOR = bytes.fromhex(
    "0a03702d3111000000000000f83f19000000000000e03f21000000000000084029000000000000f03f310000000000802840"
)
BUSY = Stat(
    pod_name="p-1",
    average_concurrent_requests=1.5,
    average_proxied_concurrent_requests=0.5,
    request_count=3.0,
    proxied_request_count=1.0,
    process_uptime=12.25,
)
DOUBLES = st.floats(allow_nan=False)
STATS = st.builds(
    Stat,
    pod_name=st.text(max_size=253),
    average_concurrent_requests=DOUBLES,
    average_proxied_concurrent_requests=DOUBLES,
    request_count=DOUBLES,
    proxied_request_count=DOUBLES,
    process_uptime=DOUBLES,
    timestamp=st.integers(-(1 << 63), (1 << 63) - 1),
)


@pytest.mark.spec("DP-121")
def test_the_reference_values_give_the_reference_bytes():
    assert BUSY.encode() == VECTOR
    assert len(VECTOR) == 50


@pytest.mark.spec("DP-120")
def test_an_idle_pod_is_its_name_alone():
    assert Stat(pod_name="p-1").encode() == bytes.fromhex("0a03702d31")


@pytest.mark.spec("DP-122")
def test_zeros_are_left_out():
    assert Stat().encode() == b""
    assert Stat(pod_name="p", request_count=2.0).encode() == bytes.fromhex("0a0170210000000000000040")


@pytest.mark.spec("DP-123")
def test_the_longest_pod_name_fits_into_what_the_autoscaler_reads():
    wire = BUSY.but(pod_name="p" * 253).encode()
    assert len(wire) <= STAT_BYTES_MAX
    assert wire[:4] == b"\x0a\xfd\x01p"


@settings(deadline=None)
@given(STATS)
def test_what_is_written_is_read_back(stat):
    assert decode(stat.encode()) == stat


def test_a_timestamp_of_another_sender_is_read():
    assert decode(bytes.fromhex("3880e2cfaa06")).timestamp == 1_700_000_000
    assert decode(bytes.fromhex("38ffffffffffffffffff01")).timestamp == -1


def test_fields_of_a_later_version_are_skipped():
    later = bytes.fromhex("4005" + "4a0178" + "5501020304" + "590102030405060708" + "9a0602abcd")
    assert decode(later[:2] + VECTOR + later[2:]) == BUSY


def test_of_a_repeated_field_the_last_counts():
    assert decode(VECTOR + Stat(request_count=9.0).encode()) == BUSY.but(request_count=9.0)


CUTS = [VECTOR[:1], VECTOR[:3], VECTOR[:9], VECTOR[:-1], b"\x38\x80", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]


@pytest.mark.parametrize("wire", [*CUTS, b"\x0b", b"\x00\x00", b"\x80" * 11, b"\x0a\x02\xff\xfe"])
def test_what_is_no_record_is_refused(wire):
    with pytest.raises(ValueError, match=r"cut short|no number|wire type|64 bits|codec"):
        decode(wire)


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_are_a_record_or_a_value_error(wire):
    try:
        decode(wire)
    except ValueError:
        return
