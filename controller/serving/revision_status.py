"""Revision status: what a revision says of itself, from its Deployment, its pods and its PodAutoscaler (SC 4.6)."""

from __future__ import annotations

from dataclasses import dataclass

from controller.api.autoscaling import SCALE_TARGET_INITIALIZED, PodAutoscaler
from controller.api.conditions import FALSE, READY, TRUE, Conditions, find
from controller.api.core import KubeDeployment, Pod, PodContainerStatus
from controller.api.meta import is_controlled_by
from controller.api.serving import ACTIVE, CONTAINER_HEALTHY, RESOURCES_AVAILABLE, Revision

DEPLOYING = "Deploying"
NOT_OWNED = "NotOwned"
DEADLINE = "ProgressDeadlineExceeded"

PROGRESSING, REPLICA_FAILURE, POD_SCHEDULED = "Progressing", "ReplicaFailure", "PodScheduled"


@dataclass(frozen=True, slots=True)
class RevisionWorld:
    """What there is for one revision; None: not yet."""

    deployment: KubeDeployment | None
    pods: tuple[Pod, ...]
    pod_autoscaler: PodAutoscaler | None
    always_schedulable: bool = False
    """Pods that do not fit now will later: an autoscaler of nodes is at work."""


def mark(revision: Revision, world: RevisionWorld, conditions: Conditions) -> None:
    """Sets every condition of a revision."""
    if world.deployment is None:
        conditions.mark_unknown(RESOURCES_AVAILABLE, DEPLOYING)
        conditions.mark_unknown(CONTAINER_HEALTHY, DEPLOYING)
    elif not is_controlled_by(world.deployment.metadata, revision):
        _not_owned(conditions, "Deployment", world.deployment.name)
    else:
        _mark_deployment(world.deployment, conditions)
        _mark_pods(revision, world, world.deployment, conditions)
    if world.pod_autoscaler is not None and not is_controlled_by(world.pod_autoscaler.metadata, revision):
        _not_owned(conditions, "PodAutoscaler", world.pod_autoscaler.name)
    else:
        _mark_autoscaler(world.pod_autoscaler, conditions)


def _not_owned(conditions: Conditions, kind: str, name: str) -> None:
    conditions.mark_false(RESOURCES_AVAILABLE, NOT_OWNED, f'There is an existing {kind} "{name}" that we do not own.')


def _mark_deployment(deployment: KubeDeployment, conditions: Conditions) -> None:
    progressing = find(deployment.status.conditions, PROGRESSING)
    failure = find(deployment.status.conditions, REPLICA_FAILURE)
    if failure is not None and failure.is_true:
        conditions.mark_false(RESOURCES_AVAILABLE, failure.reason, failure.message)
    elif progressing is None:
        conditions.mark_unknown(RESOURCES_AVAILABLE, DEPLOYING)
    elif progressing.is_false:
        conditions.mark_false(RESOURCES_AVAILABLE, progressing.reason, progressing.message)
    elif progressing.is_unknown or (failure is not None and failure.is_unknown):
        unknown = progressing if progressing.is_unknown or failure is None else failure
        conditions.mark_unknown(RESOURCES_AVAILABLE, unknown.reason, unknown.message)
    else:
        conditions.mark_true(RESOURCES_AVAILABLE)


def _mark_pods(revision: Revision, world: RevisionWorld, deployment: KubeDeployment, conditions: Conditions) -> None:
    if deployment.status.ready_replicas > 0:
        conditions.mark_true(CONTAINER_HEALTHY)
    if deployment.spec.replicas == 0 or deployment.status.available_replicas > 0 or not world.pods:
        return
    pod = world.pods[0]
    scheduled = find(pod.status.conditions, POD_SCHEDULED)
    if scheduled is not None and scheduled.is_false and not world.always_schedulable:
        conditions.mark_false(RESOURCES_AVAILABLE, scheduled.reason, scheduled.message)
    name = revision.serving_container.get("name", "")
    status = next((one for one in pod.status.container_statuses if one.name == name), None)
    if status is not None:
        _mark_container(status, conditions)


def _mark_container(status: PodContainerStatus, conditions: Conditions) -> None:
    ended = status.last_state.terminated or status.state.terminated
    if ended is not None:
        said = ended.message or ("container exited with no error" if ended.exit_code == 0 else ended.reason)
        conditions.mark_false(CONTAINER_HEALTHY, f"ExitCode{ended.exit_code}", f"Container failed with: {said}")
        return
    waiting = status.state.waiting
    available = conditions.get(RESOURCES_AVAILABLE)
    if waiting is not None and available is not None and available.is_false and available.reason == DEADLINE:
        conditions.mark_false(RESOURCES_AVAILABLE, waiting.reason, waiting.message)


def _mark_autoscaler(autoscaler: PodAutoscaler | None, conditions: Conditions) -> None:
    ready = find(autoscaler.status.conditions, READY) if autoscaler is not None else None
    failed = _failed(conditions)
    if autoscaler is None or ready is None:
        conditions.mark_unknown(ACTIVE, DEPLOYING)
        if not failed:
            conditions.mark_unknown(RESOURCES_AVAILABLE, DEPLOYING)
        return
    initialized = find(autoscaler.status.conditions, SCALE_TARGET_INITIALIZED)
    is_initialized = initialized is not None and initialized.is_true
    conditions.mark(ACTIVE, ready)
    if is_initialized and not failed:
        conditions.mark_true(RESOURCES_AVAILABLE)
        conditions.mark_true(CONTAINER_HEALTHY)
    elif conditions.is_status(RESOURCES_AVAILABLE, TRUE) and not (is_initialized and autoscaler.status.service_name):
        conditions.mark_unknown(RESOURCES_AVAILABLE, DEPLOYING)
    if ready.is_false and not is_initialized and not failed and autoscaler.status.service_name:
        conditions.mark_false(RESOURCES_AVAILABLE, DEADLINE, "Initial scale was never achieved")


def _failed(conditions: Conditions) -> bool:
    return any(conditions.is_status(kind, FALSE) for kind in (RESOURCES_AVAILABLE, CONTAINER_HEALTHY))
