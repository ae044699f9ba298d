"""The simulator: what our own algorithm promises, shown on loads; and that the same again gives the same."""

import msgspec
import pytest

from controller.autoscaler import traces
from controller.autoscaler.figures import figures
from controller.autoscaler.made import Made
from controller.autoscaler.simulate import Setting, simulate

HALF = {"start_s": 0.5}


def run(trace, algorithm="predictive", **more):
    outcome = simulate(trace, Setting(algorithm=algorithm, **more))
    return outcome, figures(outcome)


def small_step(seed=1):
    return traces.step(seed, low=20.0, high=200.0, plateau_s=20.0)


@pytest.mark.parametrize("seed", range(4))
def test_a_burst_of_a_hundred_makes_a_hundred_pods_and_all_are_answered(seed):
    outcome, found = run(traces.burst(), concurrency=1, seed=seed, **HALF)
    assert len(outcome.waits) == 100
    assert found.pods <= 110
    assert found.reversals <= 1
    assert found.first_s <= 0.005
    assert 60 <= found.zero_s <= 62


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("concurrency", [0, 1])
def test_a_step_is_answered_within_half_a_second_and_once(seed, concurrency):
    outcome, found = run(small_step(seed), concurrency=concurrency, target_total=10.0, seed=seed, **HALF)
    assert len(outcome.waits) == len(outcome.trace.arrivals)
    assert found.right_s <= 0.5
    assert found.reversals <= 1
    assert found.overshoot <= 0.25
    assert found.first_s <= 0.005
    assert found.zero_s <= 62


@pytest.mark.spec("SC-184")
def test_upstreams_algorithm_answers_a_spike_within_a_few_seconds():
    trace = traces.step(low=20.0, high=100.0, plateau_s=20.0)
    outcome, _ = run(trace, "knative", concurrency=10, **HALF)
    spike_s = trace.steps[1][0]
    before = [pods for at_s, pods in outcome.wanted if at_s < spike_s][-1]
    assert min(at_s for at_s, pods in outcome.wanted if pods >= 2 * before) - spike_s <= 4.5


@pytest.mark.spec("SC-183")
@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
def test_a_steady_load_settles(algorithm):
    steady = traces.step(low=25.0, high=25.0, plateau_s=50.0)
    outcome, _ = run(steady, algorithm, target_total=10.0, utilization=1.0)
    late = [pods for at_s, pods in outcome.wanted if at_s < 150][-1]
    assert late in (3, 4) if algorithm == "predictive" else late >= 3


def test_ours_takes_no_more_pod_seconds_than_upstreams():
    wave = traces.day(high=15.0, length_s=600.0)
    outcomes = {name: run(wave, name, concurrency=1, **HALF)[1] for name in ("knative", "predictive")}
    assert outcomes["predictive"].pod_s <= outcomes["knative"].pod_s


@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
def test_the_same_again_gives_the_same_and_recorded_decisions_replay(algorithm):
    trace = traces.burst(count=30)
    first, second = (run(trace, algorithm, concurrency=2)[0] for _ in range(2))
    assert (first.wanted, first.ready, first.waits) == (second.wanted, second.ready, second.waits)
    recorded = msgspec.json.decode(msgspec.json.encode(first.made), type=list[Made])
    assert recorded
    assert [one.again() for one in recorded] == [one.decision for one in recorded]


@pytest.mark.spec("SC-187", "SC-188")
@pytest.mark.parametrize("algorithm", ["knative", "predictive"])
def test_never_more_and_never_fewer_than_allowed(algorithm):
    outcome, _ = run(traces.burst(), algorithm, concurrency=1, min_scale=2, max_scale=7)
    assert {pods for _, pods in outcome.wanted} <= {2, 3, 4, 5, 6, 7}
    assert max(pods for _, pods in outcome.wanted) == 7


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("load.csv", "time_s,duration_s\n10,0.5\n9,0.25\n12,\n"),
        ("load.json", '[{"time_s": 9, "duration_s": 0.25}, {"time_s": 10, "duration_s": 0.5}, {"time_s": 12}]'),
    ],
)
def test_a_recorded_load_is_read(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    trace = traces.read(tmp_path / name)
    assert [(one.at_s, one.takes_s) for one in trace.arrivals] == [(0.0, 0.25), (1.0, 0.5), (3.0, 0.5)]
    assert len(run(trace)[0].waits) == 3


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.csv", "time_s\nsoon\n1\n", "entry 2: time_s"),
        ("a.csv", "when\n1\n", "entry 2"),
        ("a.csv", "time_s,duration_s\n1,-1\n-1,1\ninf,1\n", "entry 3"),
        ("a.csv", "", "no request"),
        ("a.json", "{}", "a list of objects"),
        ("a.json", "[", "no JSON"),
        ("a.json", "[5]", "entry 1"),
    ],
)
def test_a_file_that_is_no_load_is_refused_with_its_line(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(traces.TraceError, match=said):
        traces.read(tmp_path / name)
