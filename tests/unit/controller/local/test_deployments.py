"""Deployments: how many pods come, which ones go, and what is said of it."""

import pytest

from controller.api.meta import ObjectMeta
from controller.local.deployments import Change, NodeDeployment, PodView, deadline_s, decide, status, template_hash

NOW_S = 1_700_000_000.0
NEW = {"spec": {"containers": [{"name": "a", "image": "dev.local/new"}]}}


def spec(replicas, **more):
    return {"replicas": replicas, "template": NEW, "strategy": {"rollingUpdate": {"maxUnavailable": 0}}, **more}


HASH = template_hash(spec(1))


def pod(name, *, ready=True, created=0.0, template=HASH, trouble=""):
    return PodView(name=name, template=template, is_ready=ready, created=created, trouble=trouble)


def old(name, *, ready=True, created=0.0):
    return pod(name, ready=ready, created=created, template="before")


def test_missing_pods_are_made():
    assert decide(spec(3), [pod("a")]) == Change(2, ())


def test_a_deployment_that_says_nothing_wants_one():
    assert decide({"template": NEW}, []) == Change(1, ())


def test_pods_that_are_not_ready_go_first_then_the_youngest():
    pods = [pod("oldest", created=1), pod("youngest", created=3), pod("middle", created=2), pod("unready", ready=False)]
    assert decide(spec(3), pods).delete == ("unready",)
    assert decide(spec(2), pods).delete == ("unready", "youngest")
    assert decide(spec(0), pods).delete == ("unready", "youngest", "middle", "oldest")


def test_a_new_template_is_tried_beside_the_old_one():
    assert decide(spec(1), [old("a")]) == Change(1, ())


def test_an_old_pod_stays_until_a_new_one_is_ready():
    assert decide(spec(1), [old("a"), pod("b", ready=False)]) == Change(0, ())
    assert decide(spec(1), [old("a"), pod("b")]) == Change(0, ("a",))


def test_a_roll_goes_on_by_the_surge():
    four = [old(name) for name in "abcd"]
    assert decide(spec(4), four) == Change(1, ())
    assert decide(spec(4), [*four, pod("n")]).delete == ("a",)
    assert decide(spec(4), [*four[1:], pod("n")]) == Change(1, ())


def test_old_pods_that_serve_nobody_go_at_once():
    assert decide(spec(2), [old("a"), old("b", ready=False)]) == Change(1, ("b",))


def test_a_roll_at_zero_leaves_nothing():
    assert decide(spec(0), [old("a"), pod("b")]) == Change(0, ("b", "a"))


def test_recreate_ends_all_before_it_begins():
    wanted = spec(2) | {"strategy": {"type": "Recreate"}}
    assert decide(wanted, [old("a"), old("b")]) == Change(0, ("a", "b"))
    assert decide(wanted, []) == Change(2, ())


def deployment(replicas=1, before=None, generation=1, deadline=60):
    return NodeDeployment(
        metadata=ObjectMeta(name="d", namespace="n", generation=generation),
        spec=spec(replicas, progressDeadlineSeconds=deadline),
        status=before or {},
    )


def condition(said, kind):
    return next(each for each in said["conditions"] if each["type"] == kind)


def test_a_deployment_without_ready_pods_is_progressing_and_not_available():
    said = status(deployment(), [pod("a", ready=False)], NOW_S)
    assert (said["observedGeneration"], said["replicas"], said["unavailableReplicas"]) == (1, 1, 1)
    assert "readyReplicas" not in said
    assert condition(said, "Available")["reason"] == "MinimumReplicasUnavailable"
    assert (condition(said, "Progressing")["status"], condition(said, "Progressing")["reason"]) == (
        "True",
        "ReplicaSetUpdated",
    )


def test_a_deployment_with_all_pods_ready_is_complete():
    said = status(deployment(), [pod("a")], NOW_S)
    assert (said["readyReplicas"], said["availableReplicas"], said["updatedReplicas"]) == (1, 1, 1)
    assert condition(said, "Available")["status"] == "True"
    assert condition(said, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_the_same_state_is_said_in_the_same_words():
    first = status(deployment(), [pod("a", ready=False)], NOW_S)
    assert status(deployment(before=first), [pod("a", ready=False)], NOW_S + 5) == first


def test_a_deployment_that_does_not_get_on_times_out_with_the_reason():
    waiting = status(deployment(), [pod("a", ready=False)], NOW_S)
    assert deadline_s(deployment(before=waiting)) == NOW_S + 60
    pods = [pod("a", ready=False, trouble="It does not listen.")]
    late = status(deployment(before=waiting), pods, NOW_S + 60)
    progressing = condition(late, "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")
    assert progressing["message"] == 'Deployment "d" has timed out progressing. It does not listen.'
    assert status(deployment(before=late), [pod("a", ready=False)], NOW_S + 90) == late
    assert deadline_s(deployment(before=late)) is None


def test_a_pod_that_becomes_ready_is_progress():
    two = status(deployment(2), [pod("a", ready=False), pod("b", ready=False)], NOW_S)
    later = status(deployment(2, two), [pod("a"), pod("b", ready=False)], NOW_S + 50)
    assert deadline_s(deployment(2, later)) == NOW_S + 110


def test_growing_after_completion_has_no_deadline():
    complete = status(deployment(), [pod("a")], NOW_S)
    grown = status(deployment(2, complete, generation=2), [pod("a"), pod("b", ready=False)], NOW_S + 900)
    assert condition(grown, "Progressing")["reason"] == "NewReplicaSetAvailable"


def test_another_template_begins_a_new_deadline():
    complete = status(deployment(), [old("a")], NOW_S) | {"updatedReplicas": 1}
    complete["conditions"] = status(deployment(), [pod("a")], NOW_S)["conditions"]
    rolling = status(deployment(1, complete, generation=2), [old("a"), pod("b", ready=False)], NOW_S + 900)
    assert deadline_s(deployment(1, rolling, generation=2)) == NOW_S + 960


@pytest.mark.parametrize(("surge", "made"), [("50%", 2), (3, 3), ("1%", 1)])
def test_the_surge_is_a_number_or_a_share(surge, made):
    wanted = spec(4) | {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": surge}}}
    assert decide(wanted, [old(name) for name in "abcd"]) == Change(made, ())
