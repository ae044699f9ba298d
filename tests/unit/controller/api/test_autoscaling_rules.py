"""Annotations of the autoscaler, one bound after the other."""

from __future__ import annotations

import pytest

from tests.unit.controller.api.sent import Api

KEY = "autoscaling.knative.dev"
AT = f"spec.template.metadata.annotations.{KEY}"


def send(api: Api, **said: str) -> str:
    annotations = {f"{KEY}/{name.replace('_', '-')}": value for name, value in said.items()}
    return api.service(template={"annotations": annotations}).message.removeprefix("validation failed: ")


@pytest.mark.spec("SC-101")
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"min_scale": "-1"}, "expected 0 <= -1 <= 2147483647: {at}/min-scale"),
        ({"min_scale": "2147483648"}, "expected 0 <= 2147483648 <= 2147483647: {at}/min-scale"),
        ({"min_scale": "x"}, "invalid value: x: {at}/min-scale"),
        (
            {"max_scale": "3", "min_scale": "5"},
            "max-scale=3 is less than min-scale=5: {at}/max-scale, {at}/min-scale",
        ),
        ({"activation_scale": "1"}, "activation-scale=1 must be greater than 1: {at}/activation-scale"),
        (
            {"activation_scale": "3", "min_scale": "5"},
            "min-scale=5 is greater than activation-scale=3: {at}/activation-scale",
        ),
        (
            {"activation_scale": "5", "max_scale": "3"},
            "max-scale=3 is less than activation-scale=5: {at}/activation-scale",
        ),
        ({"panic_threshold_percentage": "109"}, "expected 110 <= 109 <= 1000: {at}/panic-threshold-percentage"),
        ({"panic_window_percentage": "0.9"}, "expected 1 <= 0.9 <= 100: {at}/panic-window-percentage"),
        ({"window": "5s"}, "expected 6s <= 5s <= 1h0m0s: {at}/window"),
        ({"window": "6.5s"}, "must be specified with at most second precision: {at}/window"),
        ({"window": "6"}, "invalid value: 6: {at}/window"),
        ({"target_burst_capacity": "-2"}, "invalid value: -2: {at}/target-burst-capacity"),
        ({"target": "0.001"}, "target 0.001 should be at least 0.01: {at}/target"),
        ({"target": "many"}, "invalid value: many: {at}/target"),
        (
            {"target_utilization_percentage": "101"},
            "expected 1 <= 101 <= 100: {at}/target-utilization-percentage",
        ),
        ({"initial_scale": "0"}, "invalid value: 0: {at}/initial-scale=0 not allowed by cluster"),
        ({"initial_scale": "-1"}, "invalid value: -1: {at}/initial-scale must be greater than 0"),
        ({"scale_down_delay": "1.5s"}, "must be specified with at most second precision: {at}/scale-down-delay"),
        ({"scale_down_delay": "-1s"}, "expected 0s <= -1s <= 1h0m0s: {at}/scale-down-delay"),
        (
            {"scale_to_zero_pod_retention_period": "2h"},
            "expected 0s <= 2h <= 1h0m0s: {at}/scale-to-zero-pod-retention-period",
        ),
    ],
    ids=str,
)
def test_a_value_beyond_its_bounds_is_refused(api: Api, said: dict[str, str], message: str) -> None:
    assert send(api, **said) == message.format(at=AT)


@pytest.mark.spec("SC-101")
@pytest.mark.parametrize(
    "said",
    [
        {"min_scale": "0", "max_scale": "0"}, {"min_scale": "5", "max_scale": "5", "activation_scale": "5"},
        {"activation_scale": "2"}, {"panic_threshold_percentage": "110"}, {"panic_threshold_percentage": "1000"},
        {"panic_window_percentage": "1"}, {"panic_window_percentage": "100"}, {"window": "6s"}, {"window": "1h"},
        {"target_burst_capacity": "-1"}, {"target_burst_capacity": "0"}, {"target": "0.01"}, {"initial_scale": "1"},
        {"scale_down_delay": "0s"}, {"scale_down_delay": "1h"}, {"scale_to_zero_pod_retention_period": "1.5s"},
        {"target_utilization_percentage": "1"}, {"target_utilization_percentage": "100"},
    ],
    ids=str,
)  # fmt: skip
def test_a_value_on_its_bound_is_right(api: Api, said: dict[str, str]) -> None:
    assert send(api, **said) == ""


def test_the_first_spelling_counts(api: Api) -> None:
    assert send(api, min_scale="1", minScale="wrong") == ""
    assert send(api, minScale="wrong") == f"invalid value: wrong: {AT}/minScale"


@pytest.mark.parametrize("value", ["NaN", "Inf", "-Inf", "1_0", " 1"])
def test_what_no_comparison_can_refuse_is_no_number(api: Api, value: str) -> None:
    assert send(api, target=value) == f"invalid value: {value}: {AT}/target"


def test_initial_scale_may_be_zero_where_the_cluster_says_so(api: Api) -> None:
    api.configure("config-autoscaler", {"allow-zero-initial-scale": "true"})
    assert send(api, initial_scale="0") == ""


@pytest.mark.spec("SC-102")
def test_a_limit_holds_for_everybody_who_speaks_of_a_maximum(api: Api) -> None:
    api.configure("config-autoscaler", {"max-scale-limit": "10", "max-scale": "10"})
    assert send(api, max_scale="11") == f"expected 1 <= 11 <= 10: {AT}/max-scale"
    assert send(api, max_scale="0") == f"max-scale=0 (unlimited), must be less than 10: {AT}/max-scale"
    assert send(api, min_scale="1") == ""


@pytest.mark.spec("SC-103")
def test_a_class_of_ours_is_one_that_we_know(api: Api) -> None:
    assert send(api, **{"class": "kpa.knative.dev"}) == f"invalid value: kpa.knative.dev: {AT}/class"
    assert send(api, **{"class": "keda.example.com"}) == ""


@pytest.mark.spec("SC-104")
def test_a_metric_belongs_to_its_class(api: Api) -> None:
    hpa = {"class": "hpa.autoscaling.knative.dev"}
    assert send(api, metric="cpu") == f"invalid value: cpu: {AT}/metric"
    assert send(api, metric="rps") == ""
    assert send(api, metric="cpu", **hpa) == ""
    assert send(api, metric="queue-length", **hpa) == ""
    assert send(api, metric="", **hpa) == f"invalid value: : {AT}/metric"


def test_an_aggregation_is_checked_for_the_class_that_reads_it(api: Api) -> None:
    kpa = {"class": "kpa.autoscaling.knative.dev"}
    assert send(api, metric_aggregation_algorithm="odd") == ""
    assert send(api, metric_aggregation_algorithm="odd", **kpa) == (
        f"invalid value: odd: {AT}/metric-aggregation-algorithm"
    )
    assert send(api, metric_aggregation_algorithm="weightedExponential", **kpa) == ""


def test_an_algorithm_of_ours_is_one_that_there_is(api: Api) -> None:
    key = "autoscaling.penstock.dev/algorithm"
    assert api.service(template={"annotations": {key: "predictive"}}).is_allowed
    refused = api.service(template={"annotations": {key: "magic"}}).message
    assert f"invalid value: magic: spec.template.metadata.annotations.{key}" in refused


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "missing field(s): spec"),
        (
            {"containerConcurrency": -1, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "D", "name": "a"}},
            "expected 0 <= -1 <= 1000: spec.containerConcurrency",
        ),
        (
            {"scaleTargetRef": {"kind": "Deployment", "namespace": "a"}},
            "missing field(s): spec.scaleTargetRef.apiVersion, spec.scaleTargetRef.name\n"
            "must not set the field(s): spec.scaleTargetRef.namespace",
        ),
    ],
)
def test_a_pod_autoscaler_names_what_it_scales(api: Api, spec: dict[str, object], said: str) -> None:
    autoscaler = {
        "apiVersion": "autoscaling.internal.knative.dev/v1alpha1",
        "kind": "PodAutoscaler",
        "metadata": {"name": "demo", "namespace": "default"},
        "spec": spec,
    }
    assert api.send(autoscaler).message == f"validation failed: {said}"
