"""ServerlessService: a revision's two Services, and whether requests go to its pods or to activators (SC 2.1)."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from controller.api.conditions import Conditions
from controller.api.core import Endpoints, EndpointSubset, KubeService
from controller.api.networking import (
    ACTIVATOR_ENDPOINTS_POPULATED,
    ENDPOINTS_POPULATED,
    PROXY,
    SERVE,
    SERVERLESS_SERVICE_CONDITIONS,
    ServerlessService,
    ServerlessServiceStatus,
)
from controller.children import NOT_OWNED, ensure_plain, is_foreign, settle
from controller.kube.cache import Key
from controller.kube.events import Recorder
from controller.observe import Observed
from dataplane.kube.client import Client
from dataplane.kube.resource import ENDPOINTS, SERVICES

from .make import services as make
from .subset import subset

NO_BACKENDS = "NoHealthyBackends"
ACTIVATOR_SERVICE = "activator-service"


@dataclass(frozen=True, slots=True)
class Activators:
    """Where the activators' Service stands."""

    namespace: str
    name: str = ACTIVATOR_SERVICE


class ServerlessServiceReconciler:
    """Works on one ServerlessService."""

    def __init__(self, client: Client, observed: Observed, events: Recorder, activators: Activators) -> None:
        self._client = client
        self._observed = observed
        self._events = events
        self._activators = activators

    async def __call__(self, key: Key) -> float | None:
        item = self._observed.serverless_services.get(*key)
        if item is None or item.is_deleted:
            return None

        async def work(conditions: Conditions) -> ServerlessServiceStatus:
            return await self._work(item, conditions)

        return await settle(self._client, self._events, item, SERVERLESS_SERVICE_CONDITIONS, work)

    async def _work(self, item: ServerlessService, conditions: Conditions) -> ServerlessServiceStatus:
        private = self._observed.endpoints.get(item.namespace, make.private_name(item))
        activators = self._observed.endpoints.get(self._activators.namespace, self._activators.name)
        if await self._services(item, conditions):
            subsets: tuple[EndpointSubset, ...] = ()
            if source_of(item, private, activators) == SERVE:
                subsets = private.subsets if private is not None else ()
            elif activators is not None:
                subsets = make.chosen(
                    activators, subset(activators.ready_addresses, item.spec.num_activators, item.name)
                )
            live = self._observed.endpoints.get(*item.key)
            await ensure_plain(self._client, ENDPOINTS, make.endpoints(item, subsets), live, Endpoints, make.backends)
            mark(private, item, conditions)
        return msgspec.structs.replace(
            item.status, service_name=item.name, private_service_name=make.private_name(item)
        )

    async def _services(self, item: ServerlessService, conditions: Conditions) -> bool:
        deployment = self._observed.deployments.get(item.namespace, item.spec.object_ref.name)
        selector = deployment.spec.selector.match_labels if deployment is not None else {}
        wanted = [make.public(item)] + ([make.private(item, selector)] if selector else [])
        for one in wanted:
            name = one["metadata"]["name"]
            live = self._observed.kube_services.get(item.namespace, name)
            if is_foreign(live, item):
                message = f'There is an existing Service "{name}" that we do not own.'
                conditions.mark_false(ENDPOINTS_POPULATED, NOT_OWNED, message)
                return False
            await ensure_plain(self._client, SERVICES, one, live, KubeService)
        return True


def source_of(item: ServerlessService, private: Endpoints | None, activators: Endpoints | None) -> str:
    """SERVE or PROXY: as wished, but never where nobody stands (SC-215, SC-216)."""
    has_pods = private is not None and bool(private.ready_addresses)
    has_activators = activators is not None and bool(activators.ready_addresses)
    wished = item.spec.mode if has_pods else PROXY
    return wished if has_activators else SERVE


def mark(private: Endpoints | None, item: ServerlessService, conditions: Conditions) -> None:
    """Both conditions: who is there, and whether the activator is in the path."""
    has_pods = private is not None and bool(private.ready_addresses)
    if has_pods:
        conditions.mark_true(ENDPOINTS_POPULATED)
    else:
        conditions.mark_unknown(ENDPOINTS_POPULATED, NO_BACKENDS)
    if not has_pods or item.spec.mode == PROXY:
        conditions.mark_true(ACTIVATOR_ENDPOINTS_POPULATED)
    else:
        conditions.mark_false(ACTIVATOR_ENDPOINTS_POPULATED, "PodsServe", "Requests go to the pods.")
