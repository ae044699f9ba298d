"""What steers a revision: every annotation in every spelling, and the config map where they say nothing."""

import msgspec
import pytest

from controller.autoscaler.decide import first_excess
from controller.autoscaler.policy import policy_of
from controller.config.settings import Settings
from tests.unit.controller.autoscaler.parts import autoscaler

DEADLINE = "serving.knative.dev/progress"


def read(annotations, concurrency=0, config=None, **more):
    settings = msgspec.structs.replace(
        Settings(), autoscaler=msgspec.structs.replace(Settings().autoscaler, **config or {})
    )
    return policy_of(autoscaler(annotations, concurrency, **more), settings)


@pytest.mark.parametrize(
    ("keys", "value", "path", "expected"),
    [
        (["target-burst-capacity", "targetBurstCapacity"], "-1", "policy.burst_capacity", -1.0),
        (["min-scale", "minScale"], "2", "limits.min_scale", 2),
        (["max-scale", "maxScale"], "9", "limits.max_scale", 9),
        (["initial-scale", "initialScale"], "4", "limits.initial_scale", 4),
        (["activation-scale"], "5", "policy.activation_scale", 5),
        (["scale-down-delay", "scaleDownDelay"], "5m", "policy.delay_s", 300.0),
        (["scale-to-zero-pod-retention-period", "scaleToZeroPodRetentionPeriod"], "1m5s", "limits.retention_s", 65.0),
        (["window"], "30s", "policy.stable_s", 30.0),
        (["window"], "30s", "limits.stable_s", 30.0),
        (["panic-window-percentage", "panicWindowPercentage"], "51", "panic_s", 31.0),
        (["panic-threshold-percentage", "panicThresholdPercentage"], "150", "policy.panic_threshold", 1.5),
        (["metric-aggregation-algorithm", "metricAggregationAlgorithm"], "weightedExponential", "weighting",
         "weighted-exponential"),
        (["metric-aggregation-algorithm"], "weighted-exponential", "weighting", "weighted-exponential"),
        (["target"], "20", "policy.target.total", 20.0),
        (["target-utilization-percentage", "targetUtilizationPercentage"], "50", "policy.target.value", 50.0),
        (["metric"], "rps", "metric", "rps"),
        (["autoscaling.penstock.dev/algorithm"], "predictive", "algorithm", "predictive"),
        ([f"{DEADLINE}-deadline", f"{DEADLINE}Deadline"], "20s", "limits.progress_deadline_s", 20.0),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)  # fmt: skip
def test_every_annotation_in_every_spelling(keys, value, path, expected):
    for key in keys:
        found = read({key: value})
        for part in path.split("."):
            found = getattr(found, part)
        assert found == expected, key


def test_the_first_spelling_wins():
    assert read({"min-scale": "1", "minScale": "7"}).limits.min_scale == 1


@pytest.mark.parametrize("key", ["target", "min-scale", "window", "target-burst-capacity"])
def test_an_annotation_that_is_wrong_all_the_same_counts_as_absent(key):
    assert read({key: "many"}) == read({})


@pytest.mark.spec("SC-198")
@pytest.mark.parametrize(("said", "value"), [({}, 70.0), ({"target-utilization-percentage": "100"}, 100.0)])
def test_requests_per_second_have_an_operating_point_of_their_own(said, value):
    assert read({"metric": "rps", "target": "100", **said}).policy.target.value == value


@pytest.mark.spec("SC-199")
@pytest.mark.parametrize(("target", "total"), [("20", 10.0), ("5", 5.0)])
def test_a_target_is_no_more_than_what_a_pod_accepts(target, total):
    assert read({"target": target}, concurrency=10).policy.target.total == total


@pytest.mark.spec("SC-200", "SC-201", "SC-202")
@pytest.mark.parametrize(("burst", "expected"), [("-1", -1.0), ("0", 0.0), ("50", 50.0)])
def test_the_first_spare_capacity_follows_the_wished_burst(burst, expected):
    policy = read({"target-burst-capacity": burst}).policy
    assert first_excess(policy.target, policy.burst_capacity, 1) == expected


@pytest.mark.spec("SC-190")
@pytest.mark.parametrize(("allowed", "expected"), [(False, 1), (True, 0)])
def test_an_initial_scale_of_zero_has_to_be_allowed(allowed, expected):
    assert read({"initial-scale": "0"}, config={"allow_zero_initial_scale": allowed}).limits.initial_scale == expected


@pytest.mark.spec("SC-206")
@pytest.mark.parametrize(("reachability", "expected"), [("", True), ("Reachable", True), ("Unreachable", False)])
def test_a_revision_that_nobody_can_reach(reachability, expected):
    assert read({}, reachability=reachability).policy.reachable is expected


@pytest.mark.spec("SC-211")
def test_the_config_map_counts_where_annotations_say_nothing():
    found = read(
        {}, config={"stable_window_s": 30.0, "min_scale": 3, "algorithm": "predictive", "target_default": 10.0}
    )
    assert (found.policy.stable_s, found.panic_s, found.limits.min_scale) == (30.0, 3.0, 3)
    assert (found.algorithm, found.policy.target.total) == ("predictive", 10.0)
