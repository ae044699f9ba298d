"""The window's arithmetic, on a clock of the test."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.contract.stat import Stat
from dataplane.metrics.autoscaler import StatWindow

S = 1_000_000_000


def window() -> StatWindow:
    return StatWindow("p-1", now_ns=100 * S)


@pytest.mark.spec("DP-120")
def test_before_the_first_tick_there_is_only_the_name():
    assert window().stat == Stat(pod_name="p-1")


@pytest.mark.spec("DP-124")
def test_two_requests_of_half_a_second_are_one_on_average():
    stat = window().tick(101 * S, S, 0, 2, 0)
    assert (stat.average_concurrent_requests, stat.request_count) == (1.0, 2.0)


@pytest.mark.spec("DP-125")
def test_a_request_over_three_windows_arrives_once():
    busy = window()
    stats = [busy.tick((101 + i) * S, (i + 1) * S, 0, 1, 0) for i in range(3)]
    assert [stat.average_concurrent_requests for stat in stats] == [1.0, 1.0, 1.0]
    assert [stat.request_count for stat in stats] == [1.0, 0.0, 0.0]


@pytest.mark.spec("DP-126")
def test_totals_include_what_came_through_an_activator():
    stat = window().tick(101 * S, 3 * S, S, 4, 1)
    assert stat.average_concurrent_requests == 3.0
    assert stat.average_proxied_concurrent_requests == 1.0
    assert (stat.request_count, stat.proxied_request_count) == (4.0, 1.0)


def test_a_late_tick_averages_over_the_real_time_but_counts_per_second():
    stat = window().tick(104 * S, 4 * S, 0, 8, 0)
    assert (stat.average_concurrent_requests, stat.request_count) == (1.0, 8.0)


@pytest.mark.spec("DP-131")
def test_a_scrape_sees_the_last_window_until_the_next_tick():
    busy = window()
    ticked = busy.tick(101 * S, S, 0, 1, 0)
    assert busy.stat is ticked
    assert busy.stat.encode() == ticked.encode()


@pytest.mark.spec("DP-132")
def test_uptime_is_taken_at_the_tick():
    busy = window()
    assert busy.tick(101 * S, 0, 0, 0, 0).process_uptime == 1.0
    assert busy.tick(102 * S + S // 4, 0, 0, 0, 0).process_uptime == 2.25


@pytest.mark.spec("DP-122", "DP-134")
def test_no_tick_sets_a_timestamp_or_changes_the_name():
    stat = window().tick(101 * S, S, S, 1, 1)
    assert (stat.timestamp, stat.pod_name) == (0, "p-1")


@pytest.mark.spec("DP-133")
def test_a_clock_that_steps_back_gives_an_empty_window_and_then_goes_on():
    busy = window()
    busy.tick(105 * S, 5 * S, 0, 1, 0)
    assert busy.tick(104 * S, 5 * S, 0, 1, 0).average_concurrent_requests == 0.0
    assert busy.tick(106 * S, 6 * S, 0, 1, 0).average_concurrent_requests == 1.0


FIGURES = st.tuples(*[st.integers(-(10**18), 10**18)] * 5)


@pytest.mark.spec("DP-133")
@settings(deadline=None)
@given(st.lists(FIGURES, min_size=1, max_size=8))
def test_whatever_is_given_nothing_is_negative(ticks):
    busy = window()
    for figures in ticks:
        stat = busy.tick(*figures)
        assert stat.average_concurrent_requests >= 0.0
        assert stat.average_proxied_concurrent_requests >= 0.0
        assert stat.request_count >= 0.0
        assert stat.proxied_request_count >= 0.0
        assert stat.process_uptime >= 0.0
