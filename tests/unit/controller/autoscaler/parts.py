"""Parts: pods, policies and reports as the tests of the autoscaler need them."""

from __future__ import annotations

from controller.api.autoscaling import PodAutoscaler, PodAutoscalerSpec
from controller.api.conditions import Condition
from controller.api.core import Pod, PodStatus
from controller.api.meta import AUTOSCALING, REVISION_LABEL, ObjectMeta, ObjectReference
from controller.autoscaler.policy import policy_of
from controller.config.settings import Settings
from dataplane.contract.reports import Counts, Report

NAME = "ns/rev"


def pod(number=0, ready=True, ip="", start_time=None):
    conditions = (Condition(type="Ready", status="True" if ready else "False"),)
    return Pod(
        metadata=ObjectMeta(name=f"pod-{number}", namespace="ns", uid=f"uid-{number}", labels={REVISION_LABEL: "rev"}),
        status=PodStatus(phase="Running", pod_ip=ip, conditions=conditions, start_time=start_time),
    )


def pods(count, ready=True):
    return [pod(number, ready) for number in range(count)]


def autoscaler(annotations=None, concurrency=0, reachability="Reachable", **more):
    short = {f"{AUTOSCALING}/{key}" if "/" not in key else key: value for key, value in (annotations or {}).items()}
    return PodAutoscaler(
        metadata=ObjectMeta(name="rev", namespace="ns", uid="uid-pa", generation=1, annotations=short, **more),
        spec=PodAutoscalerSpec(
            container_concurrency=concurrency,
            reachability=reachability,
            protocol_type="http1",
            scale_target_ref=ObjectReference(api_version="apps/v1", kind="Deployment", name="rev-deployment"),
        ),
    )


def policy(annotations=None, concurrency=0, algorithm="predictive", **more):
    said = {"autoscaling.penstock.dev/algorithm": algorithm, **(annotations or {})}
    return policy_of(autoscaler(said, concurrency, **more), Settings())


def report(sequence, time_s, requests=0, busy_s=0.0, running=0, waiting=0, sender="a", life="1"):
    counts = Counts(requests=requests, busy_s=busy_s, running=running, waiting=waiting)
    return Report(sender=sender, life=life, sequence=sequence, time_s=time_s, revisions={NAME: counts})


class Clock:
    """Seconds that a test moves on itself."""

    def __init__(self, now_s=1_700_000_000.0):
        self.now_s = now_s

    def __call__(self):
        return self.now_s

    def pass_(self, seconds):
        self.now_s += seconds
