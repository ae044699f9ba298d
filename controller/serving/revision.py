"""Revision: a Deployment and a PodAutoscaler for each, and what they say added up (chapter 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from controller.api.autoscaling import INITIAL_SCALE, PodAutoscaler
from controller.api.conditions import READY, TRUE, Conditions
from controller.api.core import KubeDeployment
from controller.api.meta import annotation, controller_of
from controller.api.serving import RESOURCES_AVAILABLE, REVISION_CONDITIONS, ContainerStatus, Revision, RevisionStatus
from controller.api.values import integer
from controller.children import create_or_read, defaulted, ensure, is_foreign, resource_of, settle
from controller.config.settings import Settings
from controller.kube.cache import Key
from controller.kube.events import Recorder
from controller.observe import BY_REVISION, Observed
from dataplane.kube.client import Client
from dataplane.kube.errors import Invalid
from dataplane.kube.resource import DEPLOYMENTS

from .make import deployment as make_deployment
from .make import pod_autoscaler as make_autoscaler
from .revision_status import RevisionWorld, mark

FAILED_CREATE = "FailedCreate"

POD_AUTOSCALERS = resource_of(PodAutoscaler)


class RevisionReconciler:
    """Works on one Revision. Images are taken as they are named: who wants digests resolves them before."""

    def __init__(
        self,
        client: Client,
        observed: Observed,
        settings: Callable[[], Settings],
        events: Recorder,
        system_namespace: str,
    ) -> None:
        self._client = client
        self._observed = observed
        self._settings = settings
        self._events = events
        self._system_namespace = system_namespace

    async def __call__(self, key: Key) -> float | None:
        stored = self._observed.revisions.get(*key)
        if stored is None or stored.is_deleted:
            return None
        # One that a Configuration has made has its defaults, and newer ones are not for it (SC-060).
        is_made = controller_of(stored.metadata) is not None
        revision = stored if is_made else defaulted(stored, self._settings())

        async def work(conditions: Conditions) -> RevisionStatus:
            return await self._work(revision, conditions)

        return await settle(self._client, self._events, revision, REVISION_CONDITIONS, work)

    async def _work(self, revision: Revision, conditions: Conditions) -> RevisionStatus:
        settings = self._settings()
        try:
            deployment = await self._deployment(revision, settings)
        except Invalid as error:
            conditions.mark_false(RESOURCES_AVAILABLE, FAILED_CREATE, error.message)
            raise
        autoscaler = self._observed.pod_autoscalers.get(*revision.key)
        if not is_foreign(deployment, revision) and not is_foreign(autoscaler, revision):
            autoscaler = await self._autoscaler(revision, deployment, autoscaler)
        world = RevisionWorld(
            deployment=deployment,
            pods=tuple(self._observed.pods.by(BY_REVISION, f"{revision.namespace}/{revision.name}")),
            pod_autoscaler=autoscaler,
            always_schedulable=settings.deployment.pod_is_always_schedulable,
        )
        was_ready = conditions.is_status(READY, TRUE)
        mark(revision, world, conditions)
        if conditions.is_status(READY, TRUE) and not was_ready:
            self._events.normal(revision, "RevisionReady", "Revision becomes ready upon all resources being ready")
        return msgspec.structs.replace(
            revision.status,
            container_statuses=tuple(ContainerStatus(name=one.get("name", "")) for one in revision.containers),
            init_container_statuses=tuple(
                ContainerStatus(name=one.get("name", "")) for one in revision.init_containers
            ),
            **_replicas(autoscaler),
        )

    async def _deployment(self, revision: Revision, settings: Settings) -> KubeDeployment:
        """Made when missing; replaced when what it should be has another hash, with the replicas that it has."""
        name = make_deployment.name(revision)
        live = self._observed.deployments.get(revision.namespace, name)
        wanted = make_deployment.deployment(
            revision, settings, initial_scale(revision, settings), self._system_namespace
        )
        if live is None:
            return await create_or_read(self._client, DEPLOYMENTS, wanted, KubeDeployment)
        label = make_deployment.HASH_LABEL
        if is_foreign(live, revision) or live.metadata.labels.get(label) == wanted["metadata"]["labels"][label]:
            return live
        whole = await self._client.read(DEPLOYMENTS, revision.namespace, name, dict[str, Any])
        return await self._client.replace(DEPLOYMENTS, revision.namespace, name, merged(whole, wanted), KubeDeployment)

    async def _autoscaler(
        self, revision: Revision, deployment: KubeDeployment, live: PodAutoscaler | None
    ) -> PodAutoscaler:
        wanted = make_autoscaler.pod_autoscaler(revision, deployment)
        return await ensure(self._client, POD_AUTOSCALERS, wanted, live)


def initial_scale(revision: Revision, settings: Settings) -> int:
    """Pods to begin with; zero only where that is allowed (SC 1.6)."""
    said = annotation(revision.metadata.annotations, INITIAL_SCALE)
    if said is None:
        return settings.autoscaler.initial_scale
    wanted = integer(said[1])
    allowed = wanted > 0 or settings.autoscaler.allow_zero_initial_scale
    return wanted if allowed else settings.autoscaler.initial_scale


def merged(live: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The live Deployment with what is wanted now; replicas, selector and what others added stay."""
    metadata = live["metadata"]
    return live | {
        "metadata": metadata
        | {key: metadata.get(key, {}) | wanted["metadata"][key] for key in ("labels", "annotations")},
        "spec": wanted["spec"] | {key: live["spec"][key] for key in ("replicas", "selector")},
    }


def _replicas(autoscaler: PodAutoscaler | None) -> dict[str, int | None]:
    """As the PodAutoscaler counts them; absent while it does not (SC-172)."""
    status = autoscaler.status if autoscaler is not None else None
    actual = status.actual_scale if status is not None else None
    desired = status.desired_scale if status is not None else None
    return {
        "actual_replicas": actual if actual is not None and actual >= 0 else None,
        "desired_replicas": desired if desired is not None and desired >= 0 else None,
    }
