"""Kube: the revisions, endpoints and settings that an activator needs, as the API server has them (2.1, 2.7).

Only what is labelled as a revision's is watched, and only the fields that
count are decoded (W48).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

import msgspec

from dataplane.kube.client import Client
from dataplane.kube.resource import CONFIG_MAPS, ENDPOINTS, SERVICES, Resource
from dataplane.kube.watch import Changed, Deleted, Replaced, watch

REVISIONS = Resource("serving.knative.dev", "v1", "revisions", "Revision")
REVISION_LABEL = "serving.knative.dev/revision"
SERVICE_LABEL = "serving.knative.dev/service"
CONFIGURATION_LABEL = "serving.knative.dev/configuration"
SERVICE_TYPE_LABEL = "networking.internal.knative.dev/serviceType"
PRIVATE, PUBLIC = "Private", "Public"
ACTIVATOR_SERVICE = "activator-service"
NETWORK_MAP = "config-network"
PORT_NAMES = ("http", "http2")
PAUSE_S = 1.0
"""Before a list is read again that could not be understood."""
TIMEOUT_S = 300
"""Of a revision that says nothing, as its defaults have it."""


class Meta(msgspec.Struct, rename="camel", gc=False):
    """Of any object."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None

    def label(self, name: str) -> str:
        return (self.labels or {}).get(name, "")


class Probe(msgspec.Struct, rename="camel", gc=False):
    """Only whether it runs a program counts."""

    exec: Any = None


class Container(msgspec.Struct, rename="camel", gc=False):
    """What decides whether a sidecar's word is enough."""

    ports: list[Any] | None = None
    readiness_probe: Probe | None = None
    startup_probe: Any = None


class RevisionSpec(msgspec.Struct, rename="camel", gc=False):
    """Limits of a revision; times in seconds."""

    container_concurrency: int | None = None
    timeout_seconds: int | None = None
    response_start_timeout_seconds: int | None = None
    idle_timeout_seconds: int | None = None
    containers: list[Container] | None = None


class Revision(msgspec.Struct, rename="camel", gc=False):
    """As far as an activator cares."""

    metadata: Meta
    spec: RevisionSpec = msgspec.field(default_factory=RevisionSpec)

    @property
    def is_optimised(self) -> bool:
        """A sidecar that says it serves is believed before the kubelet (2.7, DP-210)."""
        containers = self.spec.containers or []
        if any(one.startup_probe is not None for one in containers):
            return False
        serving = containers if len(containers) == 1 else [one for one in containers if one.ports][:1]
        return not any(one.readiness_probe is not None and one.readiness_probe.exec is not None for one in serving)


class Place(msgspec.Struct, gc=False):
    """One address of a subset."""

    ip: str = ""


class Port(msgspec.Struct, gc=False):
    """One port, by its name."""

    name: str = ""
    port: int = 0


class Subset(msgspec.Struct, rename="camel", gc=False):
    """Addresses that have the same ports."""

    addresses: list[Place] | None = None
    not_ready_addresses: list[Place] | None = None
    ports: list[Port] | None = None

    def port(self) -> int:
        """The revision's; 0: none."""
        return next((one.port for one in self.ports or () if one.name in PORT_NAMES), 0)


class Endpoints(msgspec.Struct, gc=False):
    """Who is behind a Service."""

    metadata: Meta
    subsets: list[Subset] | None = None

    def ready(self) -> frozenset[tuple[str, int]]:
        """Addresses with the revision's port, which Kubernetes calls ready."""
        return frozenset((one.ip, s.port()) for s in self.subsets or () if s.port() for one in s.addresses or ())

    def not_ready(self) -> frozenset[tuple[str, int]]:
        """The others."""
        rows = self.subsets or ()
        return frozenset((one.ip, s.port()) for s in rows if s.port() for one in s.not_ready_addresses or ())

    def has(self, address: str) -> bool:
        """On any port, ready."""
        return any(one.ip == address for s in self.subsets or () for one in s.addresses or ())


class ServiceSpec(msgspec.Struct, rename="camel", gc=False):
    """The fallback of a mesh."""

    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    ports: list[Port] | None = None


class Service(msgspec.Struct, gc=False):
    """A revision's private Service."""

    metadata: Meta
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)

    def address(self) -> tuple[str, int] | None:
        """Address and port; None where there is none."""
        port = next((one.port for one in self.spec.ports or () if one.name in PORT_NAMES), 0)
        address = self.spec.cluster_ip
        return (address, port) if port and address not in ("", "None") else None


class ConfigMap(msgspec.Struct, gc=False):
    """Settings that may change while the activator runs."""

    metadata: Meta
    data: dict[str, str] | None = None


class Sink(Protocol):
    """Who is told. `name` is NAMESPACE/NAME of a revision; None: it is gone."""

    def revision(self, name: str, item: Revision | None) -> None: ...
    def private(self, name: str, item: Endpoints | None) -> None: ...
    def public(self, name: str, item: Endpoints | None) -> None: ...
    def service(self, name: str, item: Service | None) -> None: ...
    def activators(self, item: Endpoints | None) -> None: ...
    def settings(self, name: str, data: dict[str, str]) -> None: ...


Item = TypeVar("Item", Revision, Endpoints, Service, ConfigMap)


class Cluster:
    """Follows everything until cancelled.

    namespace      the system's
    observability  name of the map
    tell           one line for the log
    """

    def __init__(
        self, client: Client, namespace: str, observability: str, sink: Sink, tell: Callable[[str], None]
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._maps = (NETWORK_MAP, observability)
        self._sink = sink
        self._tell = tell
        self._waited = 0
        self._listed = asyncio.Event()
        self.known = asyncio.Event()
        """Every list has come once: what is not known now is not there."""

    async def run(self) -> None:
        """Settings first: they say how to look at the rest."""
        typed = SERVICE_TYPE_LABEL
        here = self._namespace
        async with asyncio.TaskGroup() as group:
            await self._begin(
                group,
                *(
                    self._follow(CONFIG_MAPS, ConfigMap, self._map, here, fields=f"metadata.name={name}")
                    for name in self._maps
                ),
            )
            await self._begin(
                group,
                self._follow(REVISIONS, Revision, self._revision),
                self._follow(ENDPOINTS, Endpoints, self._endpoints, labels=typed),
                self._follow(SERVICES, Service, self._service, labels=f"{typed}={PRIVATE}"),
                self._follow(ENDPOINTS, Endpoints, self._activators, here, fields=f"metadata.name={ACTIVATOR_SERVICE}"),
            )
            self.known.set()

    async def _begin(self, group: asyncio.TaskGroup, *works: Coroutine[Any, Any, None]) -> None:
        """Returns once each of them has its list."""
        self._waited = len(works)
        self._listed.clear()
        for work in works:
            group.create_task(work)
        await self._listed.wait()

    async def _follow(
        self,
        resource: Resource,
        kind: type[Item],
        told: Callable[[Item, bool], None],
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
    ) -> None:
        """One watch: told(item, is it there)."""
        held: dict[tuple[str, str], Item] = {}
        is_first = True
        said = ""

        def trouble(error: Exception) -> None:
            nonlocal said
            if str(error) != said:
                said = str(error)
                self._tell(f"{resource.plural} cannot be watched, what is known stays: {error}")

        while True:
            events = watch(self._client, resource, kind, namespace, labels=labels, fields=fields, on_trouble=trouble)
            try:
                async for event in events:
                    said = ""
                    _take(held, event, told)
                    if is_first:
                        is_first = False
                        self._waited -= 1
                        if self._waited == 0:
                            self._listed.set()
            except msgspec.DecodeError as error:
                trouble(error)
                await asyncio.sleep(PAUSE_S)

    def _revision(self, item: Revision, is_there: bool) -> None:
        self._sink.revision("/".join(_key(item)), item if is_there else None)

    def _endpoints(self, item: Endpoints, is_there: bool) -> None:
        name = _revision_of(item.metadata)
        if name is None:
            return
        kind = item.metadata.label(SERVICE_TYPE_LABEL)
        if kind == PRIVATE:
            self._sink.private(name, item if is_there else None)
        elif kind == PUBLIC:
            self._sink.public(name, item if is_there else None)

    def _service(self, item: Service, is_there: bool) -> None:
        name = _revision_of(item.metadata)
        if name is not None:
            self._sink.service(name, item if is_there else None)

    def _activators(self, item: Endpoints, is_there: bool) -> None:
        self._sink.activators(item if is_there else None)

    def _map(self, item: ConfigMap, is_there: bool) -> None:
        self._sink.settings(item.metadata.name, (item.data or {}) if is_there else {})


def _take(
    held: dict[tuple[str, str], Item],
    event: Replaced[Item] | Changed[Item] | Deleted[Item],
    told: Callable[[Item, bool], None],
) -> None:
    """Keeps the books of one watch, so that a new list shows what has gone."""
    if isinstance(event, Replaced):
        now = {_key(item): item for item in event.items}
        for key in [key for key in held if key not in now]:
            told(held.pop(key), False)
        held.update(now)
        for item in event.items:
            told(item, True)
    elif isinstance(event, Deleted):
        held.pop(_key(event.item), None)
        told(event.item, False)
    else:
        held[_key(event.item)] = event.item
        told(event.item, True)


def _key(item: Revision | Endpoints | Service | ConfigMap) -> tuple[str, str]:
    return item.metadata.namespace, item.metadata.name


def _revision_of(meta: Meta) -> str | None:
    revision = meta.label(REVISION_LABEL)
    return f"{meta.namespace}/{revision}" if revision else None
