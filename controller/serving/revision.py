"""Revision: a Deployment and a PodAutoscaler for each, and what they say added up (chapter 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from controller.api.autoscaling import INITIAL_SCALE, PodAutoscaler
from controller.api.core import KubeDeployment
from controller.api.meta import annotation
from controller.api.serving import REVISION_CONDITIONS, ContainerStatus, Revision
from controller.api.values import integer
from controller.children import begin, ensure, is_foreign, resource_of, write_status
from controller.config.settings import Settings
from controller.kube.cache import Key
from controller.observe import BY_REVISION, Observed
from dataplane.kube.client import Client
from dataplane.kube.resource import DEPLOYMENTS

from .make import deployment as make_deployment
from .make import pod_autoscaler as make_autoscaler
from .revision_status import RevisionWorld, mark

REVISIONS, POD_AUTOSCALERS = resource_of(Revision), resource_of(PodAutoscaler)


class RevisionReconciler:
    """Works on one Revision. Images are taken as they are named: who wants digests resolves them before."""

    def __init__(self, client: Client, observed: Observed, settings: Callable[[], Settings]) -> None:
        self._client = client
        self._observed = observed
        self._settings = settings

    async def __call__(self, key: Key) -> None:
        revision = self._observed.revisions.get(*key)
        if revision is None or revision.is_deleted:
            return
        settings = self._settings()
        before = revision.status
        conditions = begin(revision, REVISION_CONDITIONS, before.conditions, before.observed_generation)
        deployment = await self._deployment(revision, settings)
        autoscaler = self._observed.pod_autoscalers.get(*key)
        if not is_foreign(deployment, revision) and not is_foreign(autoscaler, revision):
            autoscaler = await self._autoscaler(revision, deployment, autoscaler)
        world = RevisionWorld(
            deployment=deployment,
            pods=tuple(self._observed.pods.by(BY_REVISION, f"{revision.namespace}/{revision.name}")),
            pod_autoscaler=autoscaler,
            always_schedulable=settings.deployment.pod_is_always_schedulable,
        )
        mark(revision, world, conditions)
        status = msgspec.structs.replace(
            before,
            observed_generation=revision.metadata.generation,
            conditions=conditions.result(),
            container_statuses=tuple(ContainerStatus(name=one.get("name", "")) for one in revision.containers),
            **_replicas(autoscaler),
        )
        await write_status(self._client, REVISIONS, revision, status, before)

    async def _deployment(self, revision: Revision, settings: Settings) -> KubeDeployment:
        """Made when missing; replaced when what it should be has another hash, with the replicas that it has."""
        name = make_deployment.name(revision)
        live = self._observed.deployments.get(revision.namespace, name)
        wanted = make_deployment.deployment(revision, settings, initial_scale(revision, settings))
        if live is None:
            return await self._client.create(DEPLOYMENTS, revision.namespace, wanted, KubeDeployment)
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
