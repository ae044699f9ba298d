"""Which Revision a Configuration makes, which of them is the newest that is ready, and what it says."""

import re

import pytest

from controller.api.serving import CONFIGURATION_CONDITIONS
from controller.children import begin
from controller.serving.configuration import find_current, is_reusable, latest_ready, mark
from controller.serving.make.pod_autoscaler import pod_autoscaler
from controller.serving.make.revision import name
from controller.serving.make.revision import revision as made
from tests.unit.controller.serving.samples import NOW, SERVING, configuration, deployment, owned, revision, status, why

GENERATION = f"{SERVING}/configurationGeneration"
READY, FAILED, WAITING = (
    status(("Ready", "True")), status(("Ready", "False", why("Bad", "it broke"))), status(("Ready", "Unknown")),
)  # fmt: skip


def one(generation, state=READY, name="", **more):
    meta = owned("x", configuration())
    found = {key: meta[key] for key in ("ownerReferences",)}
    labels = {GENERATION: str(generation)}
    return revision(name or f"hello-{generation:05}", status=state, metadata={**found, "labels": labels}, **more)


@pytest.mark.spec("SC-028", "SC-029")
@pytest.mark.parametrize(
    ("parent", "generation", "expected"),
    [
        ("hello", 1, "hello-00001"),
        ("hello", 12, "hello-00012"),
        ("hello", 123456, "hello-123456"),
        ("a" * 60, 1, "a" * 25 + "cc7ed669cf88f201c3297c6a91e1d18d" + "-00001"),
    ],
)
def test_the_name_counts_generations(parent, generation, expected):
    found = name(configuration(parent, metadata={"generation": generation}))
    assert found == expected
    assert len(found) <= 63


@pytest.mark.spec("SC-027", "SC-030", "SC-031", "SC-032", "SC-033")
def test_a_revision_has_the_templates_metadata_and_the_configurations_names():
    parent = configuration(
        template={"labels": {"t": "u"}, "annotations": {"v": "w"}},
        metadata={
            "labels": {"mine": "x", f"{SERVING}/service": "hello", f"{SERVING}/serviceUID": "s"},
            "annotations": {f"{SERVING}/routes": "hello", f"{SERVING}/lastModifier": "ann", "mine": "x"},
            "generation": 3,
        },
    )
    found = made(parent, NOW)
    assert found.metadata.labels == {
        "t": "u", f"{SERVING}/configuration": "hello", GENERATION: "3",
        f"{SERVING}/configurationUID": "uid-of-hello", f"{SERVING}/service": "hello", f"{SERVING}/serviceUID": "s",
        f"{SERVING}/routingState": "active",
    }  # fmt: skip
    assert found.metadata.annotations == {
        "v": "w", f"{SERVING}/routes": "hello", f"{SERVING}/creator": "ann", f"{SERVING}/routingStateModified": NOW,
    }  # fmt: skip
    assert found.spec == parent.spec.template.spec
    assert [owner.uid for owner in found.metadata.owner_references] == ["uid-of-hello"]
    alone = made(configuration(), NOW).metadata
    assert alone.labels[f"{SERVING}/service"] == ""
    assert alone.labels[f"{SERVING}/routingState"] == "pending"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", alone.annotations[f"{SERVING}/routingStateModified"])


@pytest.mark.spec("SC-037", "SC-038", "SC-036")
def test_a_name_that_is_taken_is_used_again_for_the_same_spec_only():
    parent = configuration(template={"name": "hello-a"}, metadata={"generation": 5})
    same, other = one(2, name="hello-a"), one(2, name="hello-a", timeoutSeconds=9)
    assert find_current(parent, [one(5), same]) == same
    assert find_current(parent, [other]) is None
    assert is_reusable(parent, one(5, name="hello-a", timeoutSeconds=9))
    assert not is_reusable(parent, revision("hello-a"))
    unnamed = configuration(metadata={"generation": 5})
    assert find_current(unnamed, [same, one(5)]) == one(5)
    assert find_current(unnamed, [same]) is None


@pytest.mark.spec("SC-043", "SC-044", "SC-010")
@pytest.mark.parametrize(
    ("before", "states", "expected"),
    [
        ("", [WAITING], ""),
        ("", [READY], "hello-00001"),
        ("hello-00001", [READY, WAITING, READY], "hello-00003"),
        ("hello-00003", [READY, READY, READY], "hello-00003"),
        ("hello-00003", [READY, READY, WAITING], "hello-00003"),
        ("hello-00001", [READY, READY, FAILED], "hello-00002"),
        ("hello-00001", [READY, WAITING, WAITING], "hello-00001"),
    ],
    ids=["none", "first", "out of order", "stays", "never back", "failed is skipped", "waits"],
)
def test_the_newest_ready_revision(before, states, expected):
    parent = configuration(
        metadata={"generation": len(states)}, status={"latestReadyRevisionName": before} if before else {}
    )
    revisions = [one(number, state) for number, state in enumerate(states, 1)]
    assert latest_ready(parent, revisions) == expected


@pytest.mark.spec("SC-037")
def test_a_rollback_by_name_goes_to_an_older_one():
    parent = configuration(
        template={"name": "hello-a"}, metadata={"generation": 3}, status={"latestReadyRevisionName": "hello-00002"}
    )
    assert latest_ready(parent, [one(1, name="hello-a"), one(2)]) == "hello-a"


@pytest.mark.spec("SC-045", "SC-046", "SC-044")
@pytest.mark.parametrize(
    ("state", "newest", "expected"),
    [
        (READY, "hello-00002", ("True", "", "")),
        (WAITING, "hello-00001", ("Unknown", "", "")),
        (WAITING, "hello-00002", ("True", "", "")),
        (
            FAILED, "hello-00001",
            ("False", "RevisionFailed", 'Revision "hello-00002" failed with message: it broke.'),
        ),
    ],
    ids=["ready", "undecided", "undecided again", "failed"],
)  # fmt: skip
def test_ready_follows_the_newest_revision(state, newest, expected):
    parent = configuration(metadata={"generation": 2})
    conditions = begin(parent, CONFIGURATION_CONDITIONS, (), 2)
    mark(one(2, state), newest, conditions)
    (found,) = conditions.result()
    assert (found.status, found.reason, found.message) == expected


@pytest.mark.spec("SC-180")
def test_the_autoscalers_annotations_reach_the_pod_autoscaler():
    annotations = {"autoscaling.knative.dev/min-scale": "2", f"{SERVING}/routes": "hello", "a": "b"}
    found = pod_autoscaler(revision(metadata={"annotations": annotations}), None)
    assert found.metadata.annotations == {"autoscaling.knative.dev/min-scale": "2", "a": "b"}
    assert found.spec.scale_target_ref.name == "hello-00001-deployment"


@pytest.mark.parametrize(
    ("state", "healthy", "ready", "expected"),
    [
        ("active", "True", 1, "Reachable"),
        ("reserve", "True", 1, "Unreachable"),
        ("pending", "True", 1, ""),
        ("active", "False", 0, "Unreachable"),
        ("active", "False", 1, "Reachable"),
    ],
)
def test_a_revision_that_fails_may_go_to_zero(state, healthy, ready, expected):
    found = revision(
        metadata={"labels": {f"{SERVING}/routingState": state}}, status=status(("ContainerHealthy", healthy))
    )
    assert pod_autoscaler(found, deployment(found, 1, ready)).spec.reachability == expected
