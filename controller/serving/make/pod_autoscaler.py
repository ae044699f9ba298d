"""PodAutoscaler: what a revision tells the autoscaler (SC 4.5)."""

from __future__ import annotations

from controller.api.autoscaling import REACHABILITY_UNKNOWN, REACHABLE, UNREACHABLE, PodAutoscaler, PodAutoscalerSpec
from controller.api.conditions import find
from controller.api.core import KubeDeployment
from controller.api.meta import ROUTING_STATE_LABEL, ObjectMeta, ObjectReference, owner_reference
from controller.api.serving import CONTAINER_HEALTHY, RESOURCES_AVAILABLE, Revision

from . import deployment
from .metadata import autoscaler_annotations, child_labels

ACTIVE, RESERVE, PENDING = "active", "reserve", "pending"


def pod_autoscaler(revision: Revision, pods: KubeDeployment | None) -> PodAutoscaler:
    """The object as it should be, without a status."""
    return PodAutoscaler(
        metadata=ObjectMeta(
            name=revision.name,
            namespace=revision.namespace,
            labels=child_labels(revision),
            annotations=autoscaler_annotations(revision),
            owner_references=(owner_reference(revision),),
        ),
        spec=PodAutoscalerSpec(
            container_concurrency=revision.container_concurrency,
            scale_target_ref=ObjectReference(api_version="apps/v1", kind="Deployment", name=deployment.name(revision)),
            reachability=reachability(revision, pods),
            protocol_type=revision.protocol,
        ),
    )


def reachability(revision: Revision, pods: KubeDeployment | None) -> str:
    """Whether requests can get here. One that fails with pods that are all not ready cannot: it may go to zero."""
    failed = any(
        (condition := find(revision.status.conditions, kind)) is not None and condition.is_false
        for kind in (RESOURCES_AVAILABLE, CONTAINER_HEALTHY)
    )
    if failed and pods is not None and pods.spec.replicas > 0 and pods.status.ready_replicas == 0:
        return UNREACHABLE
    states = {ACTIVE: REACHABLE, RESERVE: UNREACHABLE}
    return states.get(revision.metadata.labels.get(ROUTING_STATE_LABEL, PENDING), REACHABILITY_UNKNOWN)
