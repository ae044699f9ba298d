"""Assembly: all controllers of one process, and who is told when what changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec

from controller.api.core import ConfigMap, Endpoints, Pod
from controller.api.meta import (
    REVISION_LABEL,
    ROUTE_LABEL,
    SERVERLESS_SERVICE_LABEL,
    controller_of,
)
from controller.api.meta import Resource as Object
from controller.api.networking import Ingress
from controller.autoscaler.announcements import Announcements
from controller.autoscaler.deciders import Deciders
from controller.autoscaler.intake import Intake
from controller.autoscaler.page import page
from controller.autoscaler.path import AcknowledgedPath, EitherPath, OnConfirmed, acknowledged
from controller.autoscaler.reconcile import PodAutoscalerReconciler, Wish
from controller.autoscaler.scrapes import Scrapes
from controller.autoscaler.tokens import Tokens
from controller.config.settings import MAPS, SYSTEM_NAMESPACE, Settings
from controller.ingress.gate import Gate
from controller.ingress.reconcile import GatewayPlace, IngressReconciler, serving_port
from controller.ingress.state import GateState
from controller.kube.cache import Key
from controller.kube.events import Recorder
from controller.observe import (
    BY_HOST,
    BY_NAMED_CONFIGURATION,
    BY_NAMED_REVISION,
    BY_REVISION,
    Observed,
    claimed_hosts,
)
from controller.reconcile import Controller
from controller.serving.configuration import ConfigurationReconciler
from controller.serving.revision import RevisionReconciler
from controller.serving.route import Place, RouteReconciler
from controller.serving.serverless_service import Activators, ServerlessServiceReconciler
from controller.serving.service import ServiceReconciler
from dataplane.contract.reports import Ready
from dataplane.kube.client import Client

log = logging.getLogger("penstock.controller")

Run = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where this process listens."""

    host: str = "127.0.0.1"
    gate_port: int = 0
    stats_port: int = 8080
    announce_port: int | None = None
    """Where sidecars say that they are ready. None: nobody listens; a process node knows it without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What differs between a cluster and one machine."""

    system_namespace: str = SYSTEM_NAMESPACE
    place: Place = field(default_factory=Place)
    gateways: GatewayPlace
    addresses: Addresses = field(default_factory=Addresses)
    path: Callable[[Intake, OnConfirmed], AcknowledgedPath | EitherPath] = acknowledged
    """How it is found out that activators answer for a revision."""

    wish: Wish | None = None
    """Who makes pods on this very machine, and is told of what is decided before the API server is."""

    scrapes: bool = False
    """Sidecars are asked for their load: requests may reach them without an activator of ours."""


CONTROLLERS = (
    "service",
    "configuration",
    "revision",
    "route",
    "serverlessservice",
    "podautoscaler",
    "ingress",
)
"""Their names. The autoscaler's listener runs beside `podautoscaler`, that for gateways beside `ingress`."""


class Controllers:
    """Every controller, wired."""

    def __init__(
        self, client: Client, around: Surroundings, settings: Settings, names: frozenset[str] = frozenset(CONTROLLERS)
    ) -> None:
        """settings: what counts until a config map says more. names: those of CONTROLLERS that run here."""
        self._names = names
        self.settings = self._defaults = settings
        self.observed = Observed(client, around.system_namespace)
        self.events = Recorder(client, client.manager)
        self.gate_port = self.stats_port = self.announce_port = 0
        """Where gateways, activators and sidecars connect; 0 before `listening`."""
        self.listening = asyncio.Event()
        self.gate = Gate(GateState())
        self.deciders = Deciders(self._scale_again, lambda: self.intake.count > 0)
        self.intake = Intake(self.deciders.stat, self.deciders.report, self.deciders.gone, partial(page, self.deciders))
        self.announcements = Announcements(Tokens(client), self.observed.pods.get, self._pod_ready)
        self._path = around.path(self.intake, self._scale_again)
        self._scrapes: Scrapes | None = None
        if around.scrapes:
            self._scrapes = Scrapes(self.deciders.stat, self._scale_again, self._pods, lambda: self.intake.count > 0)
        self._around = around
        tools = (client, self.observed, self._now, self.events)
        self._ingress = IngressReconciler(client, self.observed, self.events, self.gate, around.gateways)
        self._activators = Activators(around.system_namespace)
        self.services = Controller("service", ServiceReconciler(*tools))
        self.configurations = Controller("configuration", ConfigurationReconciler(*tools))
        self.revisions = Controller("revision", RevisionReconciler(*tools, around.system_namespace))
        self.routes = Controller("route", RouteReconciler(*tools, around.place))
        self.serverless_services = Controller(
            "serverlessservice", ServerlessServiceReconciler(client, self.observed, self.events, self._activators)
        )
        self.pod_autoscalers = Controller(
            "podautoscaler",
            PodAutoscalerReconciler(
                client, self.observed, self._now, self.deciders, self._path, self._scrapes, around.wish
            ),
        )
        self.ingresses = Controller("ingress", self._ingress)
        self._wire()

    async def run(self) -> None:
        """Until cancelled. Nothing is decided, and nobody is listened to, before everything was seen once."""
        loop = asyncio.get_running_loop()
        gate_port, stats_port, announce_port = loop.create_future(), loop.create_future(), loop.create_future()
        addresses = self._around.addresses
        async with asyncio.TaskGroup() as group:
            group.create_task(self.observed.run())
            await self.observed.listed()
            group.create_task(self.events.run())
            for controller in self.running:
                group.create_task(controller.run())
            if self.pod_autoscalers.name in self._names:
                for run in (self._follow_activators, self.deciders.run, self._path.run):
                    group.create_task(run())
                if self._scrapes is not None:
                    group.create_task(self._scrapes.run())
                group.create_task(self.intake.run(addresses.host, addresses.stats_port, stats_port))
                self.stats_port = await stats_port
                if addresses.announce_port is not None:
                    told = self.announcements.run(addresses.host, addresses.announce_port, announce_port)
                    group.create_task(told)
                    self.announce_port = await announce_port
            if self.ingresses.name in self._names:
                group.create_task(self._follow_gateways())
                await self.ingresses.queue.idle()
                group.create_task(self.gate.run(addresses.host, addresses.gate_port, gate_port))
                self.gate_port = await gate_port
            self.listening.set()

    def instance_ready(self, key: Key, address: str, decided_s: float, steps_s: tuple[float, float, float]) -> None:
        """A pod of that revision serves: who holds requests for it hears so at once.

        steps_s  how long it took to be created, started and ready
        """
        revision = self.observed.revisions.get(*key)
        if revision is not None:
            created_s, started_s, ready_s = steps_s
            ready = Ready(
                revision=f"{key[0]}/{key[1]}", address=address, port=serving_port(revision),
                decided_s=decided_s, created_s=created_s, started_s=started_s, ready_s=ready_s,
            )  # fmt: skip
            self.intake.announce(ready)

    def _pod_ready(self, key: Key, address: str) -> None:
        """A sidecar says so; how long it took is known to nobody who could say it here."""
        self.instance_ready(key, address, 0.0, (0.0, 0.0, 0.0))

    def endpoints_told(self, found: Endpoints) -> None:
        """What the API server will say of them a little later."""
        self._ingress.endpoints_told(found)

    @property
    def is_whole(self) -> bool:
        """All of them run here."""
        return len(self._names) == len(CONTROLLERS)

    @property
    def running(self) -> tuple[Controller, ...]:
        """Those that run here."""
        every = (
            self.services,
            self.configurations,
            self.revisions,
            self.routes,
            self.serverless_services,
            self.pod_autoscalers,
            self.ingresses,
        )
        return tuple(one for one in every if one.name in self._names)

    def _now(self) -> Settings:
        return self.settings

    def _wire(self) -> None:
        seen = self.observed
        own = (
            (seen.services, self.services),
            (seen.configurations, self.configurations),
            (seen.revisions, self.revisions),
            (seen.routes, self.routes),
            (seen.serverless_services, self.serverless_services),
            (seen.pod_autoscalers, self.pod_autoscalers),
            (seen.ingresses, self.ingresses),
        )
        for cache, controller in own:
            cache.listen(_adds(controller, lambda item: item.key))
        children = (
            (seen.configurations, self.services),
            (seen.routes, self.services),
            (seen.revisions, self.configurations),
            (seen.deployments, self.revisions),
            (seen.pod_autoscalers, self.revisions),
            (seen.serverless_services, self.pod_autoscalers),
            (seen.ingresses, self.routes),
        )
        for child, owner in children:
            child.listen(_adds(owner, _owner))
        seen.deployments.listen(_adds(self.serverless_services, _labelled(REVISION_LABEL)))
        seen.pods.listen(_adds(self.revisions, _labelled(REVISION_LABEL)))
        seen.pods.listen(_adds(self.pod_autoscalers, _labelled(REVISION_LABEL)))
        seen.kube_services.listen(_adds(self.serverless_services, _labelled(SERVERLESS_SERVICE_LABEL)))
        seen.kube_services.listen(_adds(self.routes, _labelled(ROUTE_LABEL)))
        seen.endpoints.listen(_adds(self.serverless_services, _labelled(SERVERLESS_SERVICE_LABEL)))
        seen.endpoints.listen(self._activators_changed)
        seen.endpoints.listen(_adds(self.routes, _labelled(ROUTE_LABEL)))
        seen.revisions.listen(self._naming(BY_NAMED_REVISION))
        seen.configurations.listen(self._naming(BY_NAMED_CONFIGURATION))
        seen.ingresses.listen(self._claims_changed)
        seen.config_maps.listen(self._settings_changed)

    def _naming(self, index: str) -> Callable[[Object | None, Object | None], None]:
        """Routes that name the object in their traffic."""

        def changed(old: Object | None, new: Object | None) -> None:
            item = new or old
            if item is not None:
                for route in self.observed.routes.by(index, f"{item.namespace}/{item.name}"):
                    self.routes.queue.add(route.key)

        return changed

    def _claims_changed(self, old: Ingress | None, new: Ingress | None) -> None:
        """Others that claim the same host: it may be theirs now, or theirs no more."""
        before, after = (claimed_hosts(item) if item is not None else set() for item in (old, new))
        for host in before ^ after:
            for one in self.observed.ingresses.by(BY_HOST, host):
                self.ingresses.queue.add(one.key)

    def _activators_changed(self, old: Endpoints | None, new: Endpoints | None) -> None:
        """Other activators concern every revision, as any of them may stand in its Endpoints."""
        item = new or old
        if item is None or item.key != (self._activators.namespace, self._activators.name):
            return
        if old is None or new is None or old.subsets != new.subsets:
            for service in self.observed.serverless_services:
                self.serverless_services.queue.add(service.key)

    def _settings_changed(self, old: ConfigMap | None, new: ConfigMap | None) -> None:
        """A map with a problem changes nothing; one that goes leaves what counts without it."""
        if new is not None:
            self.settings, problems = self.settings.changed(new.name, new.data)
            for problem in problems:
                log.error("config map %s is left out: %s", new.name, problem)
            if problems:
                return
        elif old is not None and old.name in MAPS:
            field = MAPS[old.name][0]
            self.settings = msgspec.structs.replace(self.settings, **{field: getattr(self._defaults, field)})
        if self._around.addresses.announce_port is None:
            # No pod is told to speak where nobody listens.
            deployment = msgspec.structs.replace(self.settings.deployment, sidecar_announce_address="")
            self.settings = msgspec.structs.replace(self.settings, deployment=deployment)
        for cache, controller in (
            (self.observed.revisions, self.revisions),
            (self.observed.pod_autoscalers, self.pod_autoscalers),
            (self.observed.routes, self.routes),
        ):
            for item in cache:
                controller.queue.add(item.key)

    def _pods(self, name: str) -> list[Pod]:
        return self.observed.pods.by(BY_REVISION, name)

    def _scale_again(self, name: str) -> None:
        namespace, _, revision = name.partition("/")
        self.pod_autoscalers.queue.add((namespace, revision))

    async def _follow_gateways(self) -> None:
        """Ingresses become ready when gateways acknowledge."""
        while True:
            await self.gate.moved.wait()
            self.gate.moved.clear()
            for key in self._ingress.waiting():
                self.ingresses.queue.add(key)

    async def _follow_activators(self) -> None:
        """Revisions on their way to zero go on when activators acknowledge."""
        while True:
            await self.intake.moved.wait()
            self.intake.moved.clear()
            for name in self._path.wanted():
                self._scale_again(name)


def _adds(controller: Controller, key_of: Callable[[Any], Key | None]) -> Callable[[Any, Any], None]:
    def changed(old: Object | None, new: Object | None) -> None:
        for item in (old, new):
            key = key_of(item) if item is not None else None
            if key is not None:
                controller.queue.add(key)

    return changed


def _owner(item: Object) -> Key | None:
    """The controller of a child, which stands in its namespace."""
    owner = controller_of(item.metadata)
    return (item.namespace, owner.name) if owner is not None else None


def _labelled(label: str) -> Callable[[Object], Key | None]:
    def key_of(item: Object) -> Key | None:
        name = item.metadata.labels.get(label)
        return (item.namespace, name) if name else None

    return key_of
