"""One revision's decider: both kinds of reports, both algorithms, changes on the way, and what is remembered."""

import msgspec
import pytest

from controller.autoscaler.bounds import UNKNOWN
from controller.autoscaler.decider import Decider
from controller.autoscaler.made import Made
from dataplane.contract.stat import Stat
from tests.unit.controller.autoscaler.parts import NAME, Clock, pod, pods, policy, report

BUSY = Stat(average_concurrent_requests=1.0, request_count=1.0)


def decider(annotations=None, ready=0, now_s=1_700_000_000.0, **more):
    return Decider(policy(annotations, **more), pods(ready), now_s)


@pytest.mark.spec("SC-203")
@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
@pytest.mark.parametrize("concurrency", [0, 10])
def test_from_zero_one_message_of_ours_makes_a_pod(algorithm, concurrency):
    clock = Clock()
    made = decider(algorithm=algorithm, concurrency=concurrency)
    made.silence(clock())
    assert made.decide(clock()).pods == 0
    clock.pass_(1000)
    made.silence(clock())
    made.decide(clock())
    assert made.report(NAME, report(1, 5.0, requests=1, waiting=1), clock())
    assert made.decide(clock()).pods == 1


@pytest.mark.spec("SC-203")
def test_from_zero_one_record_of_upstream_makes_a_pod():
    clock = Clock()
    made = decider(algorithm="knative")
    made.silence(clock())
    made.decide(clock())
    assert made.record(BUSY, clock())
    assert made.decide(clock()).pods == 1


def test_what_woke_it_up_counts_once():
    clock = Clock()
    made = decider(algorithm="knative")
    made.report(NAME, report(1, 0.0, requests=1, waiting=1), clock())
    made.decide(clock())
    for n in range(1, 10):
        clock.pass_(0.1)
        made.report(NAME, report(1 + n, n / 10, requests=1, busy_s=n / 10, running=1), clock())
    stable, _ = made.averages("concurrency", clock())
    assert stable == pytest.approx(1.0)  # and not 1.9


def test_without_data_nothing_is_decided():
    made = decider()
    assert made.decide(1_700_000_000.0) is None
    assert (made.pods, list(made.history.all())) == (UNKNOWN, [])


@pytest.mark.spec("SC-200")
def test_where_activators_see_everything_silence_is_zero():
    made = decider({"target-burst-capacity": "-1"}, algorithm="knative")
    assert made.decide(1_700_000_000.0).pods == 0
    assert made.excess == -1


@pytest.mark.spec("SC-198")
@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
@pytest.mark.parametrize(("utilization", "expected"), [("70", 3), ("100", 2)])
def test_requests_per_second(algorithm, utilization, expected):
    said = {"metric": "rps", "target": "100", "target-utilization-percentage": utilization}
    made = decider(said, ready=3, algorithm=algorithm)
    for second in range(70):
        made.record(Stat(request_count=150.0, average_concurrent_requests=1.0), 1_700_000_000.0 + second)
    made.decide(1_700_000_060.0)
    assert made.decide(1_700_000_069.99).pods == expected


@pytest.mark.spec("SC-209")
def test_what_came_through_an_activator_is_not_counted_twice():
    made = decider(algorithm="knative")
    scraped = Stat(
        average_concurrent_requests=5.0, average_proxied_concurrent_requests=5.0,
        request_count=10.0, proxied_request_count=10.0,
    )  # fmt: skip
    assert not made.record(scraped, 1_700_000_000.0)
    assert made.averages("concurrency", 1_700_000_000.0) == (0, 0)
    assert made.averages("rps", 1_700_000_000.0) == (0, 0)


@pytest.mark.spec("SC-204")
@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
def test_pods_that_ran_before_are_kept_for_one_stable_window(algorithm):
    clock = Clock()
    made = decider(ready=10, algorithm=algorithm)
    for _ in range(118):
        clock.pass_(0.5)
        made.silence(clock())
        assert made.decide(clock()).pods == 10
    for _ in range(20):
        clock.pass_(0.5)
        made.silence(clock())
        made.decide(clock())
    assert made.pods < 10


@pytest.mark.spec("SC-211")
def test_another_policy_keeps_what_was_measured():
    clock = Clock()
    made = decider(algorithm="knative")
    for _ in range(40):
        made.record(Stat(average_concurrent_requests=140.0), clock())
        clock.pass_(1)
    clock.pass_(-1)
    made.change(policy({"window": "30s", "target": "140", "target-utilization-percentage": "100"}, algorithm="knative"))
    assert made.decide(clock()).pods == 1
    made.change(policy({"window": "30s", "metric-aggregation-algorithm": "weighted-exponential"}, algorithm="knative"))
    assert made.averages("concurrency", clock())[0] == pytest.approx(140, rel=0.01)
    made.change(policy({"window": "30s"}))
    assert made.averages("concurrency", clock())[0] > 100


def test_the_start_of_pods_is_measured():
    clock = Clock()
    made = decider()
    before_s = made.start_s
    for number in range(10):
        made.observe([pod(number, ready=False)], clock())
        clock.pass_(0.2)
        assert made.observe([pod(number)], clock())
        assert made.ready == 1
        made.observe([], clock())
    assert 0.2 < made.start_s < before_s


def test_a_revision_without_load_is_idle_and_one_with_a_request_is_not():
    clock = Clock()
    made = decider(ready=1)
    made.report(NAME, report(1, 0.0, requests=1, running=1), clock())
    made.decide(clock())
    assert not made.is_idle(clock())
    clock.pass_(200)
    made.silence(clock())
    made.decide(clock())
    assert made.pods > 0
    assert not made.is_idle(clock())  # it still runs
    made.report(NAME, report(2, 200.0, requests=1, busy_s=200.0), clock())
    for _ in range(140):
        clock.pass_(0.5)
        made.silence(clock())
        made.decide(clock())
    assert made.pods == 0
    assert made.is_idle(clock())


@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
def test_recorded_decisions_replay_to_the_same_result(algorithm):
    clock = Clock()
    made = decider(algorithm=algorithm, concurrency=1)
    for n in range(1, 60):
        running = n % 7
        made.report(NAME, report(n, n / 10, requests=n * 3, busy_s=n / 3, running=running, waiting=n % 3), clock())
        made.decide(clock())
        clock.pass_(0.1)
    recorded = msgspec.json.decode(msgspec.json.encode(made.history.all()), type=list[Made])
    assert len(recorded) > 2
    assert [one.again() for one in recorded] == [one.decision for one in recorded]
    assert all(one.decision.reason for one in recorded)
