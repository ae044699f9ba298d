"""Cold: what a gateway says and counts of requests that waited for an instance to start."""

from __future__ import annotations

import time

import pytest

from dataplane.gateway.metrics import COLD_START, page
from ext.stats.histogram import DURATION_BOUNDS_NS
from tests.gatewayfixture import path, routes

MS = 1_000_000
START = (1 * MS, 2 * MS, 3 * MS, 4 * MS)
NAMES = ["queued", "decided", "created", "started", "ready", "forwarded"]
WAIT_S = 0.05


@pytest.fixture
def held(gateway, origin):
    """Makes a gateway, asks it for something that nobody serves, and lets somebody."""

    def make(start, **how):
        made = gateway(**how)
        made.hold("ns/rev")
        made.route({"a.example": routes(path("/", "ns/rev"))})
        line = made.connect()
        began = time.monotonic()
        line.send(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        made.until(load=1)
        time.sleep(WAIT_S)  # what is measured is time
        made.engine.endpoints("ns/rev", [("127.0.0.1", origin.port, 1)], unlimited=True, start=start)
        head = line.head()
        assert head.status == 200
        return made, head.get("Server-Timing"), (time.monotonic() - began) * 1000

    return make


def phases_of(timing):
    """Milliseconds by phase."""
    pairs = [one.strip().split(";dur=") for one in timing.decode().split(",")]
    return {name: float(ms) for name, ms in pairs}


def test_the_phases_of_a_wait_sum_up_to_it(held):
    _, timing, took_ms = held(START, timing=True)
    phases = phases_of(timing)
    assert list(phases) == NAMES
    assert [phases[name] for name in NAMES[1:5]] == [1, 2, 3, 4]
    assert WAIT_S * 1000 <= sum(phases.values()) <= took_ms


def test_who_came_in_the_middle_of_a_start_waited_for_its_end_only(held):
    _, timing, took_ms = held((MS, MS, 3_600_000 * MS, 4 * MS), timing=True)
    phases = phases_of(timing)
    assert phases["decided"] == phases["created"] == 0
    assert phases["ready"] == 4
    assert sum(phases.values()) <= took_ms


def test_what_a_wait_was_for_is_counted_whether_or_not_it_is_said(held):
    made, timing, _ = held(START)
    assert timing is None
    counted = made.engine.cold()
    assert list(counted) == NAMES
    assert [sum(counts) for counts, _ in counted.values()] == [1] * 6
    assert [total for _, total in counted.values()][1:5] == list(START)


def test_a_wait_for_a_slot_is_no_cold_start(held):
    made, timing, _ = held(None, timing=True)
    assert timing is None
    assert [sum(counts) for counts, _ in made.engine.cold().values()] == [0] * 6


def test_the_page_of_metrics_has_a_histogram_for_each_phase(held):
    made, _, _ = held(START)
    lines = page(DURATION_BOUNDS_NS, made.engine.cold()).decode().splitlines()
    assert f"# TYPE {COLD_START} histogram" in lines
    assert f'{COLD_START}_bucket{{phase="ready",le="0.005"}} 1' in lines
    assert f'{COLD_START}_bucket{{phase="ready",le="+Inf"}} 1' in lines
    assert f'{COLD_START}_sum{{phase="ready"}} 0.004' in lines
    assert f'{COLD_START}_count{{phase="forwarded"}} 1' in lines
