"""The drain, on a made clock: what is ordered when, and who is released."""

from __future__ import annotations

import pytest

from dataplane.config.schema import Drain
from dataplane.drain import CLOSE, DRAIN, EXIT, FLUSH, GO_ON, Drainer

NS_PER_S = 1_000_000_000
START_S = 1024


class Life:
    """A process that obeys: time in seconds since it began, orders as they came."""

    def __init__(self, longest_s: float = 295, quiet_s: float = 30) -> None:
        self.drainer = Drainer(Drain(quiet_ms=int(quiet_s * 1000), longest_ms=int(longest_s * 1000)))
        self.now_s: float = 0
        self.request_s: float = -START_S
        self.running = 0
        self.upgraded = 0
        self.orders: list[tuple[float, str]] = []
        self.released: list[tuple[float, str]] = []
        self.status: int | None = None
        self.next_s: float | None = None

    def look(self) -> None:
        step = self.drainer.look(self.ns(), int((START_S + self.request_s) * NS_PER_S), self.running, self.upgraded)
        self.released += [(self.now_s, call) for call in step.released]
        self.orders += [(self.now_s, order) for order in step.orders]
        self.status = step.status
        self.next_s = None if step.look_ns is None else step.look_ns / NS_PER_S - START_S
        assert self.next_s is None or self.next_s > self.now_s

    def ns(self) -> int:
        return int((START_S + self.now_s) * NS_PER_S)

    def term(self) -> None:
        self.drainer.term(self.ns())
        self.look()

    def hook(self, name: str) -> None:
        self.drainer.hook(name, self.ns())
        self.look()

    def request(self) -> None:
        """One that is answered at once. Nobody looks because of it."""
        self.request_s = self.now_s

    def until(self, end_s: float) -> None:
        """Time passes; the process looks whenever it was told to, and not else."""
        while self.next_s is not None and self.next_s <= end_s:
            self.now_s = self.next_s
            self.look()
        self.now_s = end_s

    def flushed(self) -> None:
        self.drainer.flushed()
        self.look()


@pytest.mark.spec("DP-160", "DP-161", "DP-163", "DP-172")
def test_term_refuses_probes_at_once_closes_after_the_quiet_time_and_exits_0():
    life = Life()
    life.term()
    assert life.orders == [(0, DRAIN)]
    life.until(29.9)
    assert life.orders == [(0, DRAIN)]
    life.until(30)
    assert life.orders == [(0, DRAIN), (30, CLOSE), (30, FLUSH)]
    assert life.status is None
    life.flushed()
    assert life.orders[-1] == (30, EXIT)
    assert life.status == 0


@pytest.mark.spec("DP-162")
def test_each_new_request_puts_the_end_off():
    life = Life()
    life.term()
    life.until(20)
    life.request()
    life.until(45)
    life.request()
    life.until(74.9)
    assert life.orders == [(0, DRAIN)]
    life.until(75)
    assert life.orders[1] == (75, CLOSE)


def test_a_request_from_before_the_drain_does_not_shorten_it():
    life = Life()
    life.request()
    life.until(10)
    life.term()
    life.until(100)
    assert life.orders[1] == (40, CLOSE)


@pytest.mark.spec("DP-162")
def test_a_drain_under_steady_traffic_ends_before_the_grace_period_does():
    life = Life(longest_s=55)
    life.term()
    for second in range(1, 60):
        life.until(second)
        life.request()
    assert life.orders[1] == (55, CLOSE)


@pytest.mark.spec("DP-164")
def test_a_request_that_outlasts_the_quiet_time_is_waited_for():
    life = Life()
    life.running = 1
    life.term()
    life.until(200)
    assert life.orders == [(0, DRAIN), (30, CLOSE)]
    life.running = 0
    life.until(201)
    assert life.orders[2][1] == FLUSH


@pytest.mark.spec("DP-165")
def test_an_upgraded_connection_gets_60_s_from_the_end_of_the_last_request():
    life = Life()
    life.running = 1
    life.upgraded = 1
    life.term()
    life.until(40)
    life.running = 0
    life.until(100)
    assert life.orders == [(0, DRAIN), (30, CLOSE)]
    life.until(100.2)
    assert life.orders[2][1] == FLUSH
    life.flushed()
    assert life.status == 0


@pytest.mark.spec("DP-165")
def test_an_upgraded_connection_that_ends_is_not_waited_for():
    life = Life()
    life.upgraded = 1
    life.term()
    life.until(50)
    life.upgraded = 0
    life.until(50.2)
    assert life.orders[2][1] == FLUSH


def test_a_flush_that_does_not_end_gets_10_s():
    life = Life()
    life.term()
    life.until(39.9)
    assert life.status is None
    life.until(40)
    assert life.status == 0
    assert life.orders[-1] == (40, EXIT)


@pytest.mark.spec("DP-166")
def test_the_hook_waits_for_the_end_of_the_quiet_time_when_term_has_come():
    life = Life()
    life.term()
    life.until(0.5)
    life.hook("app")
    life.until(29.9)
    assert life.released == []
    life.until(30)
    assert life.released == [(30, "app")]


@pytest.mark.spec("DP-166", "DP-168")
def test_term_within_a_second_of_the_hook_joins_its_drain():
    life = Life()
    life.hook("app")
    assert life.orders == [(0, DRAIN)]
    life.until(0.9)
    life.term()
    life.until(60)
    assert life.released == [(30, "app")]
    assert [order for _, order in life.orders] == [DRAIN, CLOSE, FLUSH, EXIT]


@pytest.mark.spec("DP-167", "DP-168")
def test_without_term_the_hook_returns_after_a_second_and_all_is_as_before():
    life = Life()
    life.hook("app")
    life.until(50)
    assert life.released == [(1, "app")]
    assert life.orders == [(0, DRAIN), (1, GO_ON)]
    assert life.next_s is None
    life.term()
    life.until(79.9)
    assert life.orders[2:] == [(50, DRAIN)]
    life.until(80)
    assert life.orders[3] == (80, CLOSE)


@pytest.mark.spec("DP-169")
@pytest.mark.parametrize(("term_s", "end_s"), [(0.8, 30), (None, 1)], ids=["with TERM", "without"])
def test_callers_of_the_hook_are_released_together(term_s, end_s):
    life = Life()
    life.hook("one")
    life.until(0.7)
    life.hook("two")
    if term_s:
        life.until(term_s)
        life.term()
    life.until(end_s)
    assert life.released == [(end_s, "one"), (end_s, "two")]


@pytest.mark.spec("DP-170")
def test_after_the_drain_the_hook_answers_at_once_to_the_end():
    life = Life()
    life.upgraded = 1
    life.term()
    life.until(31)
    life.hook("late")
    assert life.released == [(31, "late")]
    life.until(95)
    life.hook("later")
    assert life.released[1] == (95, "later")


@pytest.mark.spec("DP-167", "DP-170")
def test_a_drain_that_is_over_before_the_second_is_still_undone_without_term():
    life = Life(quiet_s=0.25)
    life.hook("app")
    life.until(0.5)
    assert life.released == [(0.25, "app")]
    life.hook("other")
    assert life.released[1] == (0.5, "other")
    life.until(2)
    assert life.orders == [(0, DRAIN), (1, GO_ON)]


def test_term_after_such_a_drain_closes_at_once():
    life = Life(quiet_s=0.25)
    life.hook("app")
    life.until(0.5)
    life.term()
    assert life.orders == [(0, DRAIN), (0.5, CLOSE), (0.5, FLUSH)]


@pytest.mark.spec("DP-171")
@pytest.mark.parametrize("at_s", [5, 35, 95], ids=["quiet", "closing", "flushing"])
def test_a_second_term_ends_the_process_at_once_with_status_1(at_s):
    life = Life()
    life.upgraded = 1
    life.term()
    life.until(at_s)
    life.term()
    assert life.status == 1
    assert life.orders[-1] == (at_s, EXIT)
    assert life.next_s is None


def test_no_grace_at_all_ends_the_drain_at_once():
    life = Life(longest_s=0)
    life.term()
    assert life.orders == [(0, DRAIN), (0, CLOSE), (0, FLUSH)]
