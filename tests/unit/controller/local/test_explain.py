"""Explain: what the controllers know, in words, with what to do."""

from __future__ import annotations

from controller.api.conditions import Condition
from controller.api.core import ContainerState, Pod, PodContainerStatus, PodStatus, StateTerminated, StateWaiting
from controller.api.meta import ObjectMeta
from controller.api.serving import Revision, Service, ServiceStatus, TrafficTarget
from controller.local.explain import Decision, RevisionFacts, explain

REVISION = Revision(
    metadata=ObjectMeta(name="hello-00001", namespace="ns"), spec={"timeoutSeconds": 300, "containerConcurrency": 2}
)
SERVICE = Service(
    metadata=ObjectMeta(name="hello", namespace="ns", generation=1),
    status=ServiceStatus(
        observed_generation=1,
        url="http://hello.ns.localhost:8080",
        conditions=(Condition(type="Ready", status="True"),),
        traffic=(TrafficTarget(revision_name="hello-00001", percent=100),),
    ),
)
READY = Pod(
    metadata=ObjectMeta(name="p", namespace="ns"),
    status=PodStatus(phase="Running", conditions=(Condition(type="Ready", status="True"),)),
)


def facts(*pods: Pod, decisions: tuple[Decision, ...] = ()) -> RevisionFacts:
    return RevisionFacts(revision=REVISION, pods=pods, decisions=decisions, path=None, wanted=1, algorithm="predictive")


def test_the_newest_decision_says_why() -> None:
    made = (Decision(ago_s=9, pods=0, reason="silence"), Decision(ago_s=1, pods=3, reason="30 at once"))
    (found,) = explain(SERVICE, [facts(READY, decisions=made)], 1).revisions
    assert (found.percent, found.pods_ready, found.pods_wanted) == (100, 1, 1)
    assert "3 pods, by algorithm predictive 1.0 s ago: 30 at once" in found.scale
    assert [one.pods for one in found.decisions] == [3, 0]


def test_limits_and_path_are_named() -> None:
    (found,) = explain(SERVICE, [facts()], 2).revisions
    assert found.timeouts["whole request"].startswith("300 s (timeoutSeconds)")
    assert found.concurrency.startswith("2 at once")
    assert found.path[0] == "gateway (2 connected): holds requests until a pod is ready"


def test_a_crash_brings_the_last_lines_and_the_way_out() -> None:
    crashed = Pod(
        metadata=ObjectMeta(name="p", namespace="ns"),
        status=PodStatus(
            container_statuses=(
                PodContainerStatus(
                    name="user-container",
                    restart_count=4,
                    state=ContainerState(waiting=StateWaiting(reason="CrashLoopBackOff", message="back-off 40s")),
                    last_state=ContainerState(terminated=StateTerminated(exit_code=3, message="one\nno database\n")),
                ),
            )
        ),
    )
    found = explain(SERVICE, [facts(crashed)], 1)
    assert any("exit code 3, 4 times" in text and "no database" in text for text in found.failures)
    assert any("back-off 40s" in text for text in found.failures)
    assert found.advice == ["read its log: penstock logs hello; mend it, and deploy it again"]


def test_without_a_gateway_that_is_the_failure() -> None:
    assert "no gateway is connected" in explain(SERVICE, [facts()], 0).failures[0]
