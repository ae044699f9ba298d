"""What a revision says of itself, row by row of SC 4.6."""

import msgspec
import pytest

from controller.api.autoscaling import PodAutoscaler
from controller.api.serving import REVISION_CONDITIONS
from controller.children import begin
from controller.serving.revision import initial_scale
from controller.serving.revision_status import RevisionWorld, mark
from tests.unit.controller.serving.samples import (
    deployment,
    meta,
    owned,
    pod,
    revision,
    said,
    settings,
    status,
    why,
)

ONE = revision()
PROGRESSING = said("Progressing", "True", "NewReplicaSetAvailable")
LATE = said("Progressing", "False", "ProgressDeadlineExceeded", "too late")


def autoscaler(*conditions, service="hello-00001", metadata=None):
    made = {"metadata": metadata or owned("hello-00001", ONE), "status": status(*conditions, serviceName=service)}
    return msgspec.convert(made, PodAutoscaler)


WORKING = autoscaler(("Ready", "True"), ("ScaleTargetInitialized", "True"))
STARTING = autoscaler(("Ready", "Unknown", why("Queued", "held")), ("ScaleTargetInitialized", "Unknown"))
AT_ZERO = autoscaler(("Ready", "False", why("NoTraffic", "idle")), ("ScaleTargetInitialized", "True"))
NEVER = autoscaler(("Ready", "False", why("TimedOut", "not activated")), ("ScaleTargetInitialized", "Unknown"))


def after(found=None, scaler=WORKING, pods=(), always=False, before=()):
    one = revision(status=status(*before))
    conditions = begin(one, REVISION_CONDITIONS, one.status.conditions, 1)
    world = RevisionWorld(deployment=found, pods=tuple(pods), pod_autoscaler=scaler, always_schedulable=always)
    mark(one, world, conditions)
    return {each.type: (each.status, each.reason, each.message) for each in conditions.result()}


def container(**state):
    return {"name": "user-container", **state}


def ended(code, message="", reason=""):
    return container(lastState={"terminated": {"exitCode": code, "message": message, "reason": reason}})


def test_without_a_deployment_it_is_deploying():
    found = after(None, STARTING)
    assert found["ResourcesAvailable"] == ("Unknown", "Deploying", "")
    assert found["ContainerHealthy"] == ("Unknown", "Deploying", "")


def test_a_foreign_deployment_is_named():
    foreign = deployment(ONE, 1, 0, metadata=meta("hello-00001-deployment"))
    message = 'There is an existing Deployment "hello-00001-deployment" that we do not own.'
    assert after(foreign)["ResourcesAvailable"] == ("False", "NotOwned", message)
    assert after(foreign)["Ready"] == ("False", "NotOwned", message)


def test_a_foreign_pod_autoscaler_is_named():
    foreign = autoscaler(metadata=meta("hello-00001"))
    message = 'There is an existing PodAutoscaler "hello-00001" that we do not own.'
    assert after(deployment(ONE, 1, 1, PROGRESSING), foreign)["ResourcesAvailable"] == ("False", "NotOwned", message)


@pytest.mark.spec("SC-169")
@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ((), ("Unknown", "Deploying", "")),
        ((said("Progressing", "Unknown", "Paused", "wait"),), ("Unknown", "Paused", "wait")),
        ((LATE,), ("False", "ProgressDeadlineExceeded", "too late")),
        (
            (PROGRESSING, said("ReplicaFailure", "True", "FailedCreate", "exceeded quota")),
            ("False", "FailedCreate", "exceeded quota"),
        ),
        ((PROGRESSING, said("ReplicaFailure", "Unknown", "Odd", "odd")), ("Unknown", "Odd", "odd")),
    ],
    ids=["not said", "unknown", "too late", "quota", "replica failure unknown"],
)
def test_resources_follow_the_deployment(conditions, expected):
    assert after(deployment(ONE, 1, 0, *conditions), STARTING)["ResourcesAvailable"] == expected


@pytest.mark.spec("SC-168")
def test_a_pod_that_fits_nowhere_is_told_at_once():
    stuck = pod(said("PodScheduled", "False", "Unschedulable", "no room"))
    found = after(deployment(ONE, 1, 0, PROGRESSING), STARTING, [stuck])
    assert found["ResourcesAvailable"] == ("False", "Unschedulable", "no room")
    waiting = after(deployment(ONE, 1, 0, PROGRESSING), STARTING, [stuck], always=True)
    assert waiting["ResourcesAvailable"][0] == "Unknown"


@pytest.mark.spec("SC-166")
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ended(5, "oops"), ("False", "ExitCode5", "Container failed with: oops")),
        (ended(0), ("False", "ExitCode0", "Container failed with: container exited with no error")),
        (ended(137, reason="OOMKilled"), ("False", "ExitCode137", "Container failed with: OOMKilled")),
    ],
    ids=["crash", "no error", "killed"],
)
def test_a_container_that_ended_is_told_at_once(status, expected):
    found = after(deployment(ONE, 1, 0, PROGRESSING), STARTING, [pod(containers=[status])])
    assert found["ContainerHealthy"] == found["Ready"] == expected


@pytest.mark.spec("SC-167")
def test_an_image_that_cannot_be_pulled_is_told_after_the_deadline():
    stuck = pod(containers=[container(state={"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}})])
    before = after(deployment(ONE, 1, 0, PROGRESSING), STARTING, [stuck])
    assert before["ResourcesAvailable"][:2] == ("Unknown", "Deploying")
    found = after(deployment(ONE, 1, 0, LATE), STARTING, [stuck])
    assert found["ResourcesAvailable"] == ("False", "ImagePullBackOff", "no such image")


@pytest.mark.spec("SC-170")
def test_a_revision_that_has_started_is_ready_also_at_zero():
    found = after(deployment(ONE, 1, 1, PROGRESSING))
    assert (found["Ready"], found["Active"]) == (("True", "", ""), ("True", "", ""))
    zero = after(deployment(ONE, 0, 0, PROGRESSING), AT_ZERO)
    assert (zero["Ready"], zero["Active"]) == (("True", "", ""), ("False", "NoTraffic", "idle"))


def test_pods_that_serve_make_the_container_healthy_again():
    before = (("ContainerHealthy", "False", why("ExitCode5", "x")), ("ResourcesAvailable", "True"))
    assert after(deployment(ONE, 1, 1, PROGRESSING), before=before)["ContainerHealthy"] == ("True", "", "")


def test_a_later_crash_counts_while_no_pod_serves():
    crashed = pod(containers=[ended(5, "oops")])
    assert after(deployment(ONE, 1, 0, PROGRESSING), pods=[crashed])["ContainerHealthy"][1] == "ExitCode5"
    assert after(deployment(ONE, 2, 1, PROGRESSING), pods=[crashed])["ContainerHealthy"][0] == "True"
    assert after(deployment(ONE, 0, 0, PROGRESSING), pods=[crashed])["ContainerHealthy"][0] == "True"


@pytest.mark.parametrize("scaler", [None, autoscaler()], ids=["none", "says nothing"])
def test_without_a_word_of_the_autoscaler_it_is_deploying(scaler):
    found = after(deployment(ONE, 1, 1, PROGRESSING), scaler)
    assert found["Active"][:2] == found["ResourcesAvailable"][:2] == ("Unknown", "Deploying")
    assert after(deployment(ONE, 1, 0, LATE), scaler)["ResourcesAvailable"][1] == "ProgressDeadlineExceeded"


@pytest.mark.parametrize(
    "scaler",
    [STARTING, autoscaler(("Ready", "True"), ("ScaleTargetInitialized", "Unknown"))],
    ids=["queued", "not initialized"],
)
def test_resources_wait_for_the_first_scale(scaler):
    assert after(deployment(ONE, 1, 0, PROGRESSING), scaler)["ResourcesAvailable"][:2] == ("Unknown", "Deploying")


@pytest.mark.spec("SC-171")
def test_a_revision_that_never_started_says_so():
    found = after(deployment(ONE, 0, 0, PROGRESSING), NEVER)
    assert found["ResourcesAvailable"] == ("False", "ProgressDeadlineExceeded", "Initial scale was never achieved")
    assert found["Active"] == ("False", "TimedOut", "not activated")
    failed = after(deployment(ONE, 1, 0, LATE), NEVER)
    assert failed["ResourcesAvailable"] == ("False", "ProgressDeadlineExceeded", "too late")


@pytest.mark.parametrize(
    ("said", "allowed", "scale"), [(None, "false", 1), ("3", "false", 3), ("0", "false", 1), ("0", "true", 0)]
)
def test_zero_pods_to_begin_with_have_to_be_allowed(said, allowed, scale):
    annotations = {"autoscaling.knative.dev/initial-scale": said} if said else {}
    given = settings(autoscaler={"allow-zero-initial-scale": allowed})
    assert initial_scale(revision(metadata={"annotations": annotations}), given) == scale
