"""Route: hosts, the Ingress behind them, and who gets which share of their requests (SC 3.5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from controller.api.conditions import READY, Conditions, find
from controller.api.core import Endpoints, KubeService
from controller.api.meta import ROUTE_LABEL, VISIBILITY_LABEL
from controller.api.networking import Ingress, LoadBalancerIngress
from controller.api.serving import (
    ALL_TRAFFIC_ASSIGNED,
    CERTIFICATE_PROVISIONED,
    INGRESS_READY,
    ROUTE_CONDITIONS,
    Address,
    Route,
    RouteStatus,
)
from controller.children import NOT_OWNED, defaulted, ensure, ensure_plain, is_foreign, resource_of, settle
from controller.config.settings import Settings
from controller.kube.cache import Key
from controller.kube.events import Recorder
from controller.observe import OWNER, Observed
from dataplane.kube.client import Client
from dataplane.kube.errors import Invalid
from dataplane.kube.resource import ENDPOINTS, SERVICES

from . import traffic
from .make import ingress as make_ingress
from .make.hosts import HostError, Names, label_of, names_of
from .make.placeholder import endpoints, placeholder
from .make.services import backends

ERROR_CONFIG = "ErrorConfig"
NOT_CONFIGURED = "IngressNotConfigured"
TLS_OFF = "TLSNotEnabled"

INGRESSES = resource_of(Ingress)


@dataclass(frozen=True, slots=True)
class Place:
    """How services are reached from outside of the objects."""

    cluster_domain: str = "cluster.local"
    public_port: int | None = None
    """In URLs of external hosts; None: the scheme's own."""


class RouteReconciler:
    """Works on one Route."""

    def __init__(
        self, client: Client, observed: Observed, settings: Callable[[], Settings], events: Recorder, place: Place
    ) -> None:
        self._client = client
        self._observed = observed
        self._settings = settings
        self._events = events
        self._place = place

    async def __call__(self, key: Key) -> float | None:
        stored = self._observed.routes.get(*key)
        if stored is None or stored.is_deleted:
            return None
        route = defaulted(stored, self._settings())

        async def work(conditions: Conditions) -> RouteStatus:
            return await self._work(route, conditions)

        return await settle(self._client, self._events, route, ROUTE_CONDITIONS, work)

    async def _work(self, route: Route, conditions: Conditions) -> RouteStatus:
        """The status but its conditions. On trouble the Ingress stays as it is: the last good traffic goes on."""
        settings = self._settings()
        named = traffic.Named(
            configuration=lambda name: self._observed.configurations.get(route.namespace, name),
            revision=lambda name: self._observed.revisions.get(route.namespace, name),
        )
        try:
            default = self._names(route, "", settings)
            status = msgspec.structs.replace(
                route.status,
                url=url_of(default, settings, self._place),
                address=Address(url=f"http://{default.local_host}"),
            )
            targets, trouble = traffic.resolve(route, named)
            if trouble is not None:
                _mark_trouble(trouble, conditions)
                return status
            conditions.mark_true(ALL_TRAFFIC_ASSIGNED)
            groups = traffic.groups(targets)
            names = {tag: self._names(route, tag, settings) for tag in groups}
            wanted = make_ingress.ingress(route, groups, names, settings)
        except (HostError, make_ingress.ProtocolError) as error:
            conditions.mark_false(ALL_TRAFFIC_ASSIGNED, ERROR_CONFIG, str(error))
            return route.status
        conditions.mark_true(CERTIFICATE_PROVISIONED, TLS_OFF, "external-domain-tls is not enabled")
        ingress = await self._ingress(route, wanted, conditions)
        await self._placeholders(route, names, ingress, conditions)
        return msgspec.structs.replace(
            status, traffic=traffic.status_traffic(targets, lambda tag: url_of(names[tag], settings, self._place))
        )

    async def _ingress(self, route: Route, wanted: Ingress, conditions: Conditions) -> Ingress | None:
        live = self._observed.ingresses.get(wanted.namespace, wanted.name)
        if is_foreign(live, route):
            conditions.mark_false(
                INGRESS_READY, NOT_OWNED, f'There is an existing Ingress "{wanted.name}" that we do not own.'
            )
            return None
        made = await ensure(self._client, INGRESSES, wanted, live)
        ready = find(made.status.conditions, READY)
        if ready is None or made.status.observed_generation != made.metadata.generation:
            conditions.mark_unknown(INGRESS_READY, NOT_CONFIGURED, "Ingress has not yet been reconciled.")
        else:
            conditions.mark(INGRESS_READY, ready)
        return made

    async def _placeholders(
        self, route: Route, names: Mapping[str, Names], ingress: Ingress | None, conditions: Conditions
    ) -> None:
        balancer = balancer_of(ingress)
        for tag in names:
            live = self._observed.kube_services.get(route.namespace, names[tag].label)
            if is_foreign(live, route):
                message = f'There is an existing placeholder Service "{names[tag].label}" that we do not own.'
                conditions.mark_false(INGRESS_READY, NOT_OWNED, message)
                continue
            wanted = placeholder(route, names[tag], balancer)
            await self._placeholder(wanted, live)
            if balancer is not None and balancer.ip:
                behind = self._observed.endpoints.get(route.namespace, names[tag].label)
                made = endpoints(route, names[tag], balancer)
                await ensure_plain(self._client, ENDPOINTS, made, behind, Endpoints, backends)
        kept = {one.label for one in names.values()}
        for orphan in self._observed.kube_services.by(OWNER, route.metadata.uid):
            if orphan.name not in kept and orphan.metadata.labels.get(ROUTE_LABEL) == route.name:
                await self._client.delete(SERVICES, orphan.namespace, orphan.name, uid=orphan.metadata.uid)

    async def _placeholder(self, wanted: dict[str, Any], live: KubeService | None) -> None:
        """A change of type that the API server does not allow is a deletion and a new Service (SC 3.5)."""
        try:
            await ensure_plain(self._client, SERVICES, wanted, live, KubeService)
        except Invalid:
            if live is None:
                raise
            await self._client.delete(SERVICES, live.namespace, live.name, uid=live.metadata.uid)
            await self._client.create(SERVICES, live.namespace, wanted, KubeService)

    def _names(self, route: Route, tag: str, settings: Settings) -> Names:
        live = self._observed.kube_services.get(route.namespace, label_of(route, tag, settings))
        is_local = live is not None and bool(live.metadata.labels.get(VISIBILITY_LABEL))
        return names_of(route, tag, settings, self._place.cluster_domain, is_local)


def url_of(names: Names, settings: Settings, place: Place) -> str:
    """How people ask for a tag, or for the Route itself."""
    if not names.external:
        return f"http://{names.local_host}"
    port = f":{place.public_port}" if place.public_port else ""
    return f"{settings.network.default_external_scheme}://{names.external}{port}"


def balancer_of(ingress: Ingress | None) -> LoadBalancerIngress | None:
    """The one address of the gateways, the inner one first; None while there is none, or more than one."""
    if ingress is None:
        return None
    for status in (ingress.status.private_load_balancer, ingress.status.public_load_balancer):
        if status is not None and len(status.ingress) == 1:
            return status.ingress[0]
    return None


def _mark_trouble(trouble: traffic.Trouble, conditions: Conditions) -> None:
    mark = conditions.mark_false if trouble.is_final else conditions.mark_unknown
    mark(ALL_TRAFFIC_ASSIGNED, trouble.reason, trouble.message)
