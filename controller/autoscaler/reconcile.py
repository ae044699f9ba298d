"""Reconcile: a PodAutoscaler's decision becomes replicas, a mode of its service, and a status (SC 1.6 to 1.8, 2.2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import msgspec

from controller.api.autoscaling import (
    ACTIVE,
    CLASS,
    KPA_CLASS,
    POD_AUTOSCALER_CONDITIONS,
    SCALE_TARGET_INITIALIZED,
    SKS_READY,
    UNREACHABLE,
    PodAutoscaler,
)
from controller.api.conditions import FALSE, TRUE, Conditions, find
from controller.api.conditions import UNKNOWN as ACTIVE_UNKNOWN
from controller.api.meta import annotation, namesake
from controller.api.networking import (
    ACTIVATOR_ENDPOINTS_POPULATED,
    H2C,
    PROXY,
    SERVE,
    ServerlessService,
    ServerlessServiceSpec,
)
from controller.children import NOT_OWNED, begin, ensure, is_foreign, resource_of, write_status
from controller.config.domain import CLUSTER_DOMAIN
from controller.config.settings import Settings
from controller.kube.cache import Key
from controller.observe import BY_REVISION, Observed
from dataplane.kube.client import JSON_PATCH, Client
from dataplane.kube.errors import KubeError
from dataplane.kube.resource import DEPLOYMENTS

from .bounds import ACTIVATING, INACTIVE, UNKNOWN, ScaleState, Want, bound
from .bounds import ACTIVE as IS_ACTIVE
from .decide import BURST_UNLIMITED, activators_wanted
from .decider import Decider
from .deciders import Deciders
from .metric import NOT_SCRAPED, MetricWriter
from .pods import parsed
from .policy import RevisionPolicy, policy_of
from .scrapes import Scrapes
from .status import mark_active, mark_service

HTTP_PORT, HTTP2_PORT = 80, 81
"""Of a revision's public Service."""

_ACTIVITY = {ACTIVE_UNKNOWN: ACTIVATING, TRUE: IS_ACTIVE, FALSE: INACTIVE}

POD_AUTOSCALERS, SERVERLESS_SERVICES = resource_of(PodAutoscaler), resource_of(ServerlessService)


class ActivatorPath(Protocol):
    """Who knows whether activators answer for a revision."""

    def wants(self, revision: str, address: str | None) -> None:
        """The revision, reached at `address`, should go through activators only; None: it need not any more."""

    def is_confirmed(self, revision: str) -> bool:
        """They do, as far as a probe can tell."""

    def is_acknowledged(self, revision: str) -> bool:
        """They do, and every one of them has said so: nothing is left to wait for."""


Wish = Callable[[Key, int, float], None]
"""Told of a scale target, its pods, and how long the decision took, before the API server is: whoever makes pods
on the same machine need not wait for its word."""

PATCH_S, STATUS_S = 0.02, 0.05
"""How much later than a wish for first pods the API server is told of it, and of what follows from it: on one machine
it works in the same thread as the node, and requests wait for that one."""


class PodAutoscalerReconciler:
    """Works on one PodAutoscaler."""

    def __init__(
        self,
        client: Client,
        observed: Observed,
        settings: Callable[[], Settings],
        deciders: Deciders,
        path: ActivatorPath,
        scrapes: Scrapes | None = None,
        wish: Wish | None = None,
    ) -> None:
        """scrapes: None where activators of ours see every request, as on one machine; then there is no Metric."""
        self._client = client
        self._observed = observed
        self._settings = settings
        self._deciders = deciders
        self._path = path
        self._scrapes = scrapes
        self._wish = wish
        self._metrics = MetricWriter(client)

    async def __call__(self, key: Key) -> float | None:
        item = self._observed.pod_autoscalers.get(*key)
        name = f"{key[0]}/{key[1]}"
        if item is None or item.is_deleted or not _is_ours(item):
            self._forget(name)
            return None
        settings = self._settings()
        wanted = policy_of(item, settings)
        decider = self._deciders.keep(name, wanted, self._observed.pods.by(BY_REVISION, name))
        ready = decider.ready
        conditions = begin(item, POD_AUTOSCALER_CONDITIONS, item.status.conditions, item.status.observed_generation)
        service = self._observed.serverless_services.get(*key)
        want = self._bound(item, name, wanted, conditions, service)
        if want.write:
            was_down = self._is_down(item)
            if was_down and self._wish_early(item, want.pods, decider):
                return PATCH_S
            if await self._scale(item, want.pods, decider) and was_down and self._wish is not None:
                return STATUS_S
        elif want.pods == 0 and self._is_down(item) and ready == 0:
            want = replace(want, again_s=None, probe=False)  # nothing is left to hand over
        self._path.wants(name, self._address(service) if want.pods == 0 and not self._is_down(item) else None)
        if is_foreign(service, item):
            conditions.mark_false(
                SKS_READY, NOT_OWNED, f'There is an existing ServerlessService "{item.name}" that we do not own.'
            )
        else:
            mode = SERVE if want.pods > 0 and decider.excess >= 0 else PROXY
            activators = activators_wanted(
                ready, wanted.policy.target, wanted.policy.burst_capacity, settings.autoscaler.activator_capacity
            )
            service = await ensure(self._client, SERVERLESS_SERVICES, _service(item, mode, activators), service)
            mark_service(service, conditions)
            await self._collect(item, name, wanted, service)
        has_service = service is not None and bool(service.status.service_name)
        mark_active(want.pods, ready, wanted.limits, has_service, conditions, wanted.policy.reachable)
        await self._write(item, service, want, ready, conditions)
        return want.again_s

    def _forget(self, name: str) -> None:
        self._deciders.forget(name)
        self._path.wants(name, None)
        self._metrics.forget(name)
        if self._scrapes is not None:
            self._scrapes.forget(name)

    async def _collect(
        self, item: PodAutoscaler, name: str, wanted: RevisionPolicy, service: ServerlessService
    ) -> None:
        """Has the sidecars asked, where activators do not see everything (SC-200)."""
        if self._scrapes is None or not service.status.private_service_name:
            return
        target, outcome = "", NOT_SCRAPED
        if wanted.policy.burst_capacity == BURST_UNLIMITED:
            self._scrapes.forget(name)
        else:
            target = service.status.private_service_name
            in_path = service.spec.mode == PROXY
            self._scrapes.keep(name, f"{target}.{item.namespace}", wanted.policy.stable_s, in_path)
            outcome = self._scrapes.outcome(name) or NOT_SCRAPED
        await self._metrics.write(item, wanted, target, outcome)

    def _bound(
        self,
        item: PodAutoscaler,
        name: str,
        wanted: RevisionPolicy,
        conditions: Conditions,
        service: ServerlessService | None,
    ) -> Want:
        now_s = time.time()
        active = find(item.status.conditions, ACTIVE)
        is_proxied = service is not None and service.spec.mode == PROXY
        state = ScaleState(
            activity=_ACTIVITY[active.status if active is not None else ACTIVE_UNKNOWN],
            for_s=now_s
            - parsed(active.last_transition_time if active is not None else item.metadata.creation_timestamp),
            initialized=conditions.is_status(SCALE_TARGET_INITIALIZED, TRUE),
            reachable=item.spec.reachability != UNREACHABLE,
            proxied_s=_proxied_s(service, now_s),
            proxied=is_proxied,
            activator_confirmed=self._path.is_confirmed(name),
        )
        limits = wanted.limits
        if self._path.is_acknowledged(name):
            limits = replace(limits, grace_s=0.0)
        return bound(self._deciders.pods(name), limits, state)

    def _is_down(self, item: PodAutoscaler) -> bool:
        """No pod is asked for."""
        live = self._observed.deployments.get(item.namespace, item.spec.scale_target_ref.name)
        return live is None or live.spec.replicas == 0

    def _address(self, service: ServerlessService | None) -> str:
        """Where the revision is reached, by whoever is in its path."""
        if service is None:
            return ""
        port = HTTP2_PORT if service.spec.protocol_type == H2C else HTTP_PORT
        return f"{service.status.service_name}.{service.namespace}.svc.{CLUSTER_DOMAIN}:{port}"

    def _wish_early(self, item: PodAutoscaler, pods: int, decider: Decider) -> bool:
        """Tells whoever makes first pods; False when the API server has to be told as well by now."""
        age_s = self._deciders.age_s(decider)
        if self._wish is None or pods <= 0 or age_s >= PATCH_S:
            return False
        self._wish((item.namespace, item.spec.scale_target_ref.name), pods, age_s)
        return True

    async def _scale(self, item: PodAutoscaler, pods: int, decider: Decider) -> bool:
        """False when so many are asked for already."""
        reference = item.spec.scale_target_ref
        live = self._observed.deployments.get(item.namespace, reference.name)
        if live is None or live.spec.replicas == pods:
            return False
        if self._wish is not None:
            self._wish(live.key, pods, self._deciders.age_s(decider))
        patch = [{"op": "add", "path": "/spec/replicas", "value": pods}]
        try:
            await self._client.patch(
                DEPLOYMENTS,
                item.namespace,
                reference.name,
                patch,
                msgspec.Raw,
                media_type=JSON_PATCH,
                subresource="scale",
            )
        except KubeError:
            if self._wish is not None:
                self._wish(live.key, live.spec.replicas, 0.0)
            raise
        return True

    async def _write(
        self, item: PodAutoscaler, service: ServerlessService | None, want: Want, ready: int, conditions: Conditions
    ) -> None:
        known = item.status.desired_scale
        is_known = want.pods != UNKNOWN or known is None or known < 0
        status = msgspec.structs.replace(
            item.status,
            observed_generation=item.metadata.generation,
            conditions=conditions.result(),
            service_name=service.status.service_name if service is not None else "",
            metrics_service_name=service.status.private_service_name if service is not None else "",
            desired_scale=want.pods if is_known else known,
            actual_scale=ready,
        )
        await write_status(self._client, POD_AUTOSCALERS, item, status, item.status)


def _is_ours(item: PodAutoscaler) -> bool:
    """Of the class that scales by requests."""
    said = annotation(item.metadata.annotations, CLASS)
    return said is None or said[1] == KPA_CLASS


def _proxied_s(service: ServerlessService | None, now_s: float) -> float:
    """How long the activator has been in the path for certain."""
    said = find(service.status.conditions, ACTIVATOR_ENDPOINTS_POPULATED) if service is not None else None
    return now_s - parsed(said.last_transition_time) if said is not None and said.is_true else 0.0


def _service(item: PodAutoscaler, mode: str, activators: int) -> ServerlessService:
    return ServerlessService(
        metadata=namesake(item),
        spec=ServerlessServiceSpec(
            mode=mode,
            object_ref=item.spec.scale_target_ref,
            protocol_type=item.spec.protocol_type,
            num_activators=activators,
        ),
    )
