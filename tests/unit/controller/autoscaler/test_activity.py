"""What activators say, put together: growth, what is under way, how long requests take, what goes on arriving."""

import pytest

from controller.autoscaler.activity import Activity
from dataplane.contract.reports import Counts


class Sender:
    """An activator that reports every 100 ms."""

    def __init__(self, activity, name="a", now_s=100.0):
        self.activity, self.name, self.now_s = activity, name, now_s
        self.sequence = 0

    def say(self, requests=0, busy_s=0.0, running=0, waiting=0, after_s=0.1, life="1", skip=1):
        self.sequence += skip
        self.now_s += after_s
        counts = Counts(requests=requests, busy_s=busy_s, running=running, waiting=waiting)
        return self.activity.take(self.name, life, self.sequence, self.now_s, counts, self.now_s)


def test_only_growth_counts_and_repeats_and_late_ones_add_nothing():
    activity = Activity()
    sender = Sender(activity)
    assert sender.say(2, 0.1, running=2)[::2] == (0.1, 2.0)
    assert sender.say(5, 0.5, running=3)[::2] == pytest.approx((0.4, 3.0))
    assert sender.say(5, 0.5, running=3, skip=0) is None
    assert sender.say(9, 1.5, running=3, skip=4)[::2] == pytest.approx((1.0, 4.0))


def test_what_was_counted_before_anybody_listened_is_of_no_time():
    sender = Sender(Activity())
    sender.sequence = 7
    assert sender.say(1000, 500.0, running=4) == (0, 0, 0)
    assert sender.say(1001, 500.4, running=4)[::2] == pytest.approx((0.4, 1.0))


def test_a_new_life_begins_anew():
    sender = Sender(Activity())
    sender.say(100, 50.0)
    sender.sequence = 0
    assert sender.say(1, 0.1, running=1, life="2")[::2] == (0.1, 1.0)


def test_counters_that_go_down_add_nothing():
    sender = Sender(Activity())
    sender.say(100, 50.0)
    assert sender.say(90, 40.0) == (0.0, 0.0, 0.0)


def test_waiting_is_told_from_running():
    sender = Sender(Activity())
    sender.say(10, 0.0, waiting=10)
    grown = sender.say(10, 1.0, waiting=10)
    assert grown.waited_s == pytest.approx(1.0)


def test_now_is_what_was_under_way_since_the_last_report_and_nothing_of_it_lasts():
    activity = Activity()
    sender = Sender(activity)
    sender.say(5, 0.0, waiting=5)
    assert activity.recent(sender.now_s) == 5
    sender.say(5, 0.5, running=5)
    assert activity.recent(sender.now_s) == pytest.approx(5)
    sender.say(5, 0.8)
    assert activity.recent(sender.now_s + 0.1) < 3
    assert activity.recent(sender.now_s + 1) == 0
    assert (activity.running(), activity.waiting()) == (0, 0)


def test_an_activator_that_is_gone_takes_its_requests_with_it():
    activity = Activity()
    sender, other = Sender(activity), Sender(activity, "b")
    sender.say(5, 0.5, running=5)
    other.say(2, 0.5, running=1, waiting=1)
    assert (activity.running(), activity.waiting()) == (6, 1)
    assert activity.forget("a")
    assert not activity.forget("a")
    assert (activity.running(), activity.waiting()) == (1, 1)


def flow(per_report, reports, takes_reports=5):
    """A steady flow of requests that each take so many reports."""
    activity = Activity()
    sender = Sender(activity)
    busy_s = 0.0
    for n in range(1, reports + 1):
        requests, ended = n * per_report, max(0, n - takes_reports) * per_report
        busy_s += (requests - ended) * 0.1
        sender.say(requests, busy_s, running=requests - ended)
    return activity, sender


def test_the_duration_of_requests_is_learned_from_those_that_end():
    activity, _ = flow(4, 40)
    assert activity.request_s == pytest.approx(0.5, abs=0.1)


def test_the_duration_is_not_known_before_one_has_ended():
    activity, _ = flow(4, 5)
    assert activity.request_s == 0


def test_requests_that_hang_show_before_they_end():
    activity, sender = flow(4, 40)
    counts = {"requests": 160, "running": 20}
    for n in range(30):
        sender.say(busy_s=100 + n, **counts)
    assert activity.request_s > 2


def test_arrivals_that_go_on_are_a_flow():
    activity, sender = flow(40, 10)
    per_s, counted = activity.arriving(sender.now_s)
    assert per_s == pytest.approx(400, rel=0.2)
    assert counted > 40
    assert activity.arriving(sender.now_s + 1) == (0, 0)


@pytest.mark.parametrize("parts", [(100,), (50, 50), (1, 99)])
def test_a_burst_is_no_flow_also_where_it_falls_into_two_reports(parts):
    activity = Activity()
    sender = Sender(activity)
    sender.say(0)
    requests = 0
    for part in (0, 0, *parts, 0, 0):
        requests += part
        sender.say(requests, running=requests)
        assert activity.arriving(sender.now_s)[0] <= 20


def test_a_counter_that_seems_to_shrink_is_no_load_below_nothing():
    activity = Activity()
    sender = Sender(activity)
    sender.say(1, 1.0)
    sender.say(1, 1.0 - 1e-9)
    assert activity.recent(sender.now_s) == 0.0
