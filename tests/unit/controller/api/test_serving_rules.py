"""What Services, Configurations, Revisions and Routes may be, in the words of the refusal."""

from __future__ import annotations

from typing import Any

import pytest

from controller.api.context import CREATE, UPDATE, Context
from controller.api.pod_rules import pod_problems
from controller.config.settings import Settings
from tests.unit.controller.api.sent import IMAGE, Api, make_service

AT = "spec.template.spec"
SPEC: dict[str, Any] = {"containers": [{"image": IMAGE}]}
SERVING = "serving.knative.dev"


def make(kind: str, spec: Any, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": kind,
        "metadata": {"name": "demo", "namespace": "default", **metadata},
        "spec": spec,
    }


@pytest.mark.spec("SC-063")
def test_a_name_is_a_dns_label(api: Api) -> None:
    said = api.service(metadata={"name": "Foo.bar"}).message
    assert said.startswith("validation failed: not a DNS 1035 label: [a DNS-1035 label must consist of")
    assert said.endswith(": metadata.name")
    assert "not a DNS 1035 label prefix: [" in api.service(metadata={"name": "", "generateName": "A"}).message
    nameless = api.service(metadata={"name": ""}).message
    assert nameless == "validation failed: name or generateName is required: metadata.name"
    assert api.service(metadata={"name": "", "generateName": "demo-"}).message == ""


@pytest.mark.spec("SC-064")
@pytest.mark.parametrize("value", [-1, 1001])
def test_concurrency_has_bounds(api: Api, value: int) -> None:
    said = api.service({**SPEC, "containerConcurrency": value}).message
    assert said == f"validation failed: expected 0 <= {value} <= 1000: {AT}.containerConcurrency"


@pytest.mark.spec("SC-065")
def test_no_limit_can_be_forbidden(api: Api) -> None:
    api.configure("config-defaults", {"allow-container-concurrency-zero": "false", "container-concurrency": "5"})
    said = api.service({**SPEC, "containerConcurrency": 0}).message
    assert said == f"validation failed: expected 1 <= 0 <= 1000: {AT}.containerConcurrency"
    assert api.service(SPEC).message == ""


@pytest.mark.spec("SC-066")
def test_a_timeout_has_bounds(api: Api) -> None:
    said = api.service({**SPEC, "timeoutSeconds": 601}).message
    assert said == f"validation failed: expected 0 <= 601 <= 600: {AT}.timeoutSeconds"
    assert api.service({**SPEC, "timeoutSeconds": 600}).message == ""


@pytest.mark.spec("SC-107")
def test_the_other_timeouts_are_not_checked(api: Api) -> None:
    assert api.service({**SPEC, "responseStartTimeoutSeconds": 10000}).message == ""


@pytest.mark.spec("SC-074")
def test_a_mount_of_a_config_map_is_read_only_and_the_default_makes_it_so(api: Api) -> None:
    spec: dict[str, Any] = {
        "containers": [
            {"image": IMAGE, "volumeMounts": [{"name": "a", "mountPath": "/a", "readOnly": False}]},
        ],
        "volumes": [{"name": "a", "configMap": {"name": "a"}}],
    }
    problems = [str(problem) for problem in pod_problems(spec, Context(settings=Settings())) if not problem.is_warning]
    assert problems == [
        "volume mount should be readOnly for this type of volume: containers[0].volumeMounts[0].readOnly"
    ]
    assert api.service(spec).message == ""


@pytest.mark.spec("SC-034")
def test_an_explicit_name_begins_with_the_services(api: Api) -> None:
    said = api.service(template={"name": "other-1"}).message
    assert said == 'validation failed: invalid value: "other-1" must have prefix "demo-": spec.template.metadata.name'
    assert api.service(template={"name": "demo-1"}).message == ""
    assert "not a DNS 1035 label" in api.service(template={"name": "demo-1."}).message


@pytest.mark.spec("SC-035")
def test_a_template_with_an_explicit_name_changes_only_with_it(api: Api) -> None:
    old = api.service(template={"name": "demo-1"}).document
    changed = make_service({"containers": [{"image": "example.com/other"}]}, template={"name": "demo-1"})
    said = api.send(changed, old).message
    assert said.startswith(
        "validation failed: Saw the following changes without a name change (-old +new): spec.template.metadata.name\n"
    )
    assert 'spec.containers[0].image:\n\t-: "example.com/demo"\n\t+: "example.com/other"' in said
    renamed = make_service({"containers": [{"image": "example.com/other"}]}, template={"name": "demo-2"})
    assert api.send(renamed, old).message == ""
    assert api.send(old, old).message == ""


@pytest.mark.spec("SC-036")
def test_an_explicit_name_may_be_taken_back(api: Api) -> None:
    old = api.service(template={"name": "demo-1"}).document
    assert api.send(make_service(), old).message == ""


@pytest.mark.spec("SC-039")
def test_an_explicit_name_needs_a_name_above_it(api: Api) -> None:
    said = api.service(template={"name": "demo-1"}, metadata={"name": "", "generateName": "demo-"}).message
    assert said == "validation failed: must not set the field(s): spec.template.metadata.name"


@pytest.mark.spec("SC-040", "SC-041")
def test_a_revision_never_changes_but_its_labels_may(api: Api) -> None:
    old = api.send(make("Revision", SPEC)).document
    said = api.send({**old, "spec": {**old["spec"], "timeoutSeconds": 5}}, old).message
    assert said == ("validation failed: Immutable fields changed (-old +new): spec\ntimeoutSeconds:\n\t-: 300\n\t+: 5")
    marked = {**old["metadata"], "labels": {"a": "b"}, "annotations": {"c": "d"}}
    assert api.send({**old, "metadata": marked}, old).message == ""


@pytest.mark.spec("SC-084")
@pytest.mark.parametrize("kind", ["Service", "Configuration", "Route"])
def test_annotations_of_the_autoscaler_belong_to_the_template(api: Api, kind: str) -> None:
    spec: Any = (
        {"traffic": [{"revisionName": "a", "percent": 100}]} if kind == "Route" else {"template": {"spec": SPEC}}
    )
    said = api.send(make(kind, spec, annotations={"autoscaling.knative.dev/min-scale": "1"})).message
    assert said == (
        'validation failed: invalid key name "autoscaling.knative.dev/min-scale": metadata.annotations\n'
        'autoscaling annotations must be put under "spec.template.metadata.annotations" to work'
    )


@pytest.mark.spec("SC-085")
def test_a_template_has_no_networking_keys_but_the_known_ones(api: Api) -> None:
    said = api.service(template={"annotations": {"networking.knative.dev/foo": "a"}}).message
    assert said == (
        'validation failed: invalid key name "networking.knative.dev/foo": spec.template.metadata.annotations'
    )
    known = dict.fromkeys(("networking.knative.dev/ingress.class", "networking.knative.dev/http-protocol"), "a")
    assert api.service(template={"annotations": known}).message == ""


@pytest.mark.spec("SC-086")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("10.5s", "rollout-duration=10.5s is not at second precision: {at}"),
        ("-5s", "rollout-duration=-5s must be positive: {at}"),
        ("abc", "invalid value: abc: {at}"),
        ("380s", ""),
    ],
)
def test_a_rollout_takes_whole_seconds(api: Api, value: str, said: str) -> None:
    key = "serving.knative.dev/rollout-duration"
    at = f"metadata.annotations.{key}"
    message = api.service(metadata={"annotations": {key: value}}).message
    assert message == (f"validation failed: {said.format(at=at)}" if said else "")


@pytest.mark.spec("SC-087")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("10.5s", "progress-deadline=10.5s is not at second precision: {at}"),
        ("-5s", "progress-deadline=-5s must be positive: {at}"),
        ("abc", "invalid value: abc: {at}"),
        ("10m", ""),
    ],
)
def test_a_progress_deadline_takes_whole_seconds(api: Api, value: str, said: str) -> None:
    key = "serving.knative.dev/progress-deadline"
    at = f"spec.template.metadata.annotations.{key}"
    message = api.service(template={"annotations": {key: value}}).message
    assert message == (f"validation failed: {said.format(at=at)}" if said else "")


@pytest.mark.spec("SC-088")
def test_what_the_sidecar_may_use_is_checked(api: Api) -> None:
    amount = "queue.sidecar.serving.knative.dev/cpu-resource-limit"
    said = api.service(template={"annotations": {amount: "x"}}).message
    assert said == f"validation failed: invalid value: x: spec.template.metadata.annotations[{amount}]"
    assert api.service(template={"annotations": {amount: "500m"}}).message == ""

    share = "queue.sidecar.serving.knative.dev/resource-percentage"
    small = api.service(template={"annotations": {share: "0.05"}})
    assert small.message == (
        f"validation failed: expected 0.1 <= 0.05 <= 100: spec.template.metadata.annotations[{share}]"
    )
    right = api.service(template={"annotations": {share: "20"}})
    assert right.is_allowed
    assert any("deprecated" in each for each in right.warning_texts)


@pytest.mark.spec("SC-089")
def test_the_creator_stays(api: Api) -> None:
    api.user = "ann"
    old = api.service().document
    stolen = {**old["metadata"]["annotations"], f"{SERVING}/creator": "eve"}
    said = api.send({**old, "metadata": {**old["metadata"], "annotations": stolen}}, old).message
    assert said == f"validation failed: annotation value is immutable: metadata.annotations.{SERVING}/creator"


def test_the_last_modifier_changes_with_the_spec_only(api: Api) -> None:
    api.user = "ann"
    old = api.service().document
    claimed = {**old["metadata"]["annotations"], f"{SERVING}/lastModifier": "eve"}
    said = api.send({**old, "metadata": {**old["metadata"], "annotations": claimed}}, old).message
    assert said == f"validation failed: invalid value: eve: metadata.annotations.{SERVING}/lastModifier"


@pytest.mark.spec("SC-090")
def test_a_label_that_names_an_owner_needs_the_owner(api: Api) -> None:
    labels = {f"{SERVING}/service": "demo"}
    said = api.send(make("Configuration", {"template": {"spec": SPEC}}, labels=labels)).message
    assert said == f"validation failed: missing field(s): metadata.labels.{SERVING}/service"
    owner = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "demo", "uid": "1"}
    owned = make("Configuration", {"template": {"spec": SPEC}}, labels=labels, ownerReferences=[owner])
    assert api.send(owned).message == ""
    stray = api.send(make("Revision", SPEC, labels={f"{SERVING}/configuration": "demo"})).message
    assert stray == f"validation failed: missing field(s): metadata.labels.{SERVING}/configuration"


@pytest.mark.spec("SC-091")
def test_a_status_may_be_written_whatever_the_spec_has_become(api: Api) -> None:
    invalid = make_service({**SPEC, "timeoutSeconds": 9999})
    assert not api.send(invalid, invalid).is_allowed
    assert api.send(invalid, invalid, subresource="status").is_allowed


def test_an_object_that_goes_may_lose_its_finalizers(api: Api) -> None:
    going = make_service({**SPEC, "timeoutSeconds": 9999}, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    assert api.send(going, going).is_allowed


@pytest.mark.spec("SC-092")
def test_traffic_adds_up(api: Api) -> None:
    said = api.service(traffic=[{"percent": 99}]).message
    assert said == "validation failed: Traffic targets sum to 99, want 100: spec.traffic"


@pytest.mark.spec("SC-093")
def test_a_tag_is_a_label_and_unique(api: Api) -> None:
    twice = api.service(traffic=[{"tag": "a", "percent": 50}, {"tag": "a", "percent": 50}]).message
    assert twice == 'validation failed: Multiple definitions for "a": spec.traffic[0].tag, spec.traffic[1].tag'
    wrong = api.service(traffic=[{"tag": "1abc", "percent": 100}]).message
    assert wrong.startswith("validation failed: invalid value: not a DNS 1035 label: [")
    assert wrong.endswith(": spec.traffic.tag[0]")


@pytest.mark.spec("SC-094")
def test_a_target_that_names_a_revision_is_not_the_latest(api: Api) -> None:
    said = api.service(traffic=[{"revisionName": "demo-1", "latestRevision": True, "percent": 100}]).message
    assert said == (
        'validation failed: may not set revisionName "demo-1" when latestRevision is true: '
        "spec.traffic[0].latestRevision"
    )
    nobody = api.service(traffic=[{"latestRevision": False, "percent": 100}]).message
    assert 'may not set revisionName "" when latestRevision is false' in nobody


@pytest.mark.spec("SC-095")
def test_a_service_has_one_configuration(api: Api) -> None:
    said = api.service(traffic=[{"configurationName": "demo", "percent": 100}]).message
    assert said == "validation failed: must not set the field(s): spec.traffic[0].configurationName"


@pytest.mark.spec("SC-096")
def test_a_routes_target_has_one_name(api: Api) -> None:
    paths = "spec.traffic[0].configurationName, spec.traffic[0].revisionName"
    neither = api.send(make("Route", {"traffic": [{"percent": 100}]})).message
    assert neither == f"validation failed: expected exactly one, got neither: {paths}"
    names = {"revisionName": "a", "configurationName": "b"}
    both = api.send(make("Route", {"traffic": [{**names, "percent": 100}]})).message
    assert both == f"validation failed: expected exactly one, got both: {paths}"


@pytest.mark.spec("SC-097")
def test_a_url_is_only_told(api: Api) -> None:
    said = api.service(traffic=[{"url": "http://a", "percent": 100}]).message
    assert said == "validation failed: must not set the field(s): spec.traffic[0].url"


def test_a_percentage_is_one(api: Api) -> None:
    said = api.service(traffic=[{"percent": 101}, {"percent": -1}]).message
    assert "expected 0 <= 101 <= 100: spec.traffic[0].percent" in said
    assert "expected 0 <= -1 <= 100: spec.traffic[1].percent" in said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"containers": "x"}, 'Invalid value: "string": {at}.containers in body must be of type array: "string"'),
        ({"containers": [None]}, '{at}.containers[0] in body must be of type object: "null"'),
        ({"containers": [{"image": 3}]}, '{at}.containers[0].image in body must be of type string: "integer"'),
        ({**SPEC, "timeoutSeconds": "1"}, '{at}.timeoutSeconds in body must be of type integer: "string"'),
        ({"containers": [{"resources": {"limits": {"cpu": "1x"}}}]}, "{at}.containers[0].resources.limits.cpu"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_before_any_rule(api: Api, spec: dict[str, Any], said: str) -> None:
    message = api.service(spec).message
    assert message.startswith("decoding request failed: ")
    assert said.format(at=AT) in message


def test_metadata_of_the_wrong_type_is_refused_by_path(api: Api) -> None:
    said = api.service(metadata={"labels": {"a": 1}}).message
    assert said.startswith("decoding request failed: ")
    assert "metadata.labels" in said


def test_what_is_null_counts_as_absent(api: Api) -> None:
    spec = {"containers": [{"image": IMAGE, "env": None, "ports": None, "resources": None}], "volumes": None}
    assert api.service(spec, metadata={"labels": None, "creationTimestamp": None}).message == ""


def test_what_is_managed_elsewhere_is_kept(api: Api) -> None:
    fields = [{"manager": "kubectl", "operation": "Apply"}]
    document = api.service(metadata={"managedFields": fields}).document
    assert document["metadata"]["managedFields"] == fields


@pytest.mark.parametrize("operation", [CREATE, UPDATE])
def test_the_context_knows_an_update_by_its_old_object(operation: str) -> None:
    assert not Context(settings=Settings(), operation=operation).is_update
