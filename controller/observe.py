"""Observe: one cache for each kind that the controllers read, each filled by one watch.

Whoever needs a kind reads it here, so that no kind is watched twice, and every
index is made once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeVar

from controller.api.autoscaling import PodAutoscaler
from controller.api.core import ConfigMap, Endpoints, KubeDeployment, KubeService, Pod
from controller.api.meta import REVISION_LABEL
from controller.api.meta import Resource as Object
from controller.api.networking import Ingress, ServerlessService
from controller.api.serving import Configuration, Revision, Route, Service
from controller.children import resource_of
from controller.kube.cache import Cache
from dataplane.contract.routes import ANY_HOST
from dataplane.kube.client import Client
from dataplane.kube.errors import KubeError
from dataplane.kube.resource import CONFIG_MAPS, DEPLOYMENTS, ENDPOINTS, PODS, SERVICES, Resource
from dataplane.kube.watch import watch

log = logging.getLogger("penstock.observe")

T = TypeVar("T", bound=Object)
Indexes = Mapping[str, Callable[[T], Iterable[str]]]

OWNER = "owner"
"""Index of children by the uid of any owner."""

BY_REVISION = "revision"
"""Index by NAMESPACE/REVISION, from the label."""

BY_HOST = "host"
"""Index of Ingresses by the hosts that they claim, in lower case."""

BY_NAMED_REVISION, BY_NAMED_CONFIGURATION = "named-revision", "named-configuration"
"""Indexes of Routes by NAMESPACE/NAME of what their traffic names."""


def claimed_hosts(ingress: Ingress) -> set[str]:
    """In lower case; a rule without hosts claims all of them."""
    return {host.lower() for rule in ingress.spec.rules for host in rule.hosts or (ANY_HOST,)}


def _named_revisions(route: Route) -> Iterable[str]:
    return {f"{route.namespace}/{target.revision_name}" for target in route.spec.traffic if target.revision_name}


def _named_configurations(route: Route) -> Iterable[str]:
    targets = route.spec.traffic
    return {f"{route.namespace}/{target.configuration_name}" for target in targets if target.configuration_name}


def _owners(item: Object) -> Iterable[str]:
    return (owner.uid for owner in item.metadata.owner_references)


def _revision(item: Object) -> Iterable[str]:
    name = item.metadata.labels.get(REVISION_LABEL)
    return (f"{item.namespace}/{name}",) if name else ()


class Observed:
    """What the API server says, kind by kind."""

    def __init__(self, client: Client, system_namespace: str) -> None:
        self._client = client
        self._follow: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._caches: list[Cache[Any]] = []
        self.services = self._own(Service)
        self.configurations = self._own(Configuration)
        self.revisions = self._own(Revision)
        self.routes = self._own(
            Route, {BY_NAMED_REVISION: _named_revisions, BY_NAMED_CONFIGURATION: _named_configurations}
        )
        self.pod_autoscalers = self._own(PodAutoscaler)
        self.serverless_services = self._own(ServerlessService)
        self.ingresses = self._own(Ingress, {BY_HOST: claimed_hosts})
        self.deployments = self._cache(DEPLOYMENTS, KubeDeployment, labels=REVISION_LABEL)
        self.pods = self._cache(PODS, Pod, labels=REVISION_LABEL)
        self.kube_services = self._cache(SERVICES, KubeService)
        self.endpoints = self._cache(ENDPOINTS, Endpoints)
        self.config_maps = self._cache(CONFIG_MAPS, ConfigMap, namespace=system_namespace)

    def _own(self, kind: type[T], indexes: Indexes[T] | None = None) -> Cache[T]:
        return self._cache(resource_of(kind), kind, indexes=indexes)

    def _cache(
        self,
        resource: Resource,
        kind: type[T],
        *,
        namespace: str | None = None,
        labels: str = "",
        indexes: Indexes[T] | None = None,
    ) -> Cache[T]:
        cache: Cache[T] = Cache({OWNER: _owners, BY_REVISION: _revision, **(indexes or {})})

        def trouble(error: KubeError) -> None:
            log.warning("watch of %s: %s; tried again", resource.plural, error)

        async def follow() -> None:
            events = watch(self._client, resource, kind, namespace, labels=labels, on_trouble=trouble)
            await cache.follow(events)

        self._caches.append(cache)
        self._follow.append(follow)
        return cache

    async def run(self) -> None:
        """Keeps all caches fresh, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for follow in self._follow:
                group.create_task(follow())

    async def listed(self) -> None:
        """Returns once everything was seen for the first time."""
        for cache in self._caches:
            await cache.listed.wait()
