"""Assembly: all controllers of one process, and who is told when what changes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from controller.api.core import ConfigMap, Pod
from controller.api.meta import (
    REVISION_LABEL,
    ROUTE_LABEL,
    SERVERLESS_SERVICE_LABEL,
    controller_of,
)
from controller.api.meta import Resource as Object
from controller.api.serving import Revision
from controller.autoscaler.deciders import Deciders
from controller.autoscaler.intake import Intake
from controller.autoscaler.page import page
from controller.autoscaler.path import AcknowledgedPath, EitherPath, OnConfirmed, acknowledged
from controller.autoscaler.reconcile import PodAutoscalerReconciler
from controller.autoscaler.scrapes import Scrapes
from controller.config.settings import Settings
from controller.ingress.gate import Gate
from controller.ingress.reconcile import GatewayPlace, IngressReconciler
from controller.ingress.state import GateState
from controller.kube.cache import Key
from controller.observe import BY_REVISION, Observed
from controller.reconcile import Controller
from controller.serving.configuration import ConfigurationReconciler
from controller.serving.revision import RevisionReconciler
from controller.serving.route import Place, RouteReconciler
from controller.serving.serverless_service import Activators, ServerlessServiceReconciler
from controller.serving.service import ServiceReconciler
from dataplane.kube.client import Client

log = logging.getLogger("penstock.controller")

Run = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where this process listens."""

    host: str = "127.0.0.1"
    gate_port: int = 0
    stats_port: int = 8080


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What differs between a cluster and one machine."""

    system_namespace: str = "knative-serving"
    place: Place = field(default_factory=Place)
    gateways: GatewayPlace
    addresses: Addresses = field(default_factory=Addresses)
    path: Callable[[Intake, OnConfirmed], AcknowledgedPath | EitherPath] = acknowledged
    """How it is found out that activators answer for a revision."""

    scrapes: bool = False
    """Sidecars are asked for their load: requests may reach them without an activator of ours."""


class Controllers:
    """Every controller, wired."""

    def __init__(self, client: Client, around: Surroundings, settings: Settings) -> None:
        """settings: what counts until a config map says more."""
        self.settings = settings
        self.observed = Observed(client, around.system_namespace)
        self.gate = Gate(GateState())
        self.deciders = Deciders(self._scale_again, lambda: self.intake.count > 0)
        self.intake = Intake(self.deciders.stat, self.deciders.report, self.deciders.gone, partial(page, self.deciders))
        self._path = around.path(self.intake, self._scale_again)
        self._scrapes: Scrapes | None = None
        if around.scrapes:
            self._scrapes = Scrapes(self.deciders.stat, self._scale_again, self._pods, lambda: self.intake.count > 0)
        self._around = around
        self._ingress = IngressReconciler(client, self.observed, self.gate, around.gateways)
        activators = Activators(around.system_namespace)
        self.services = Controller("service", ServiceReconciler(client, self.observed))
        self.configurations = Controller("configuration", ConfigurationReconciler(client, self.observed))
        self.revisions = Controller("revision", RevisionReconciler(client, self.observed, self._now))
        self.routes = Controller("route", RouteReconciler(client, self.observed, self._now, around.place))
        self.serverless_services = Controller(
            "serverlessservice", ServerlessServiceReconciler(client, self.observed, activators)
        )
        self.pod_autoscalers = Controller(
            "podautoscaler",
            PodAutoscalerReconciler(client, self.observed, self._now, self.deciders, self._path, self._scrapes),
        )
        self.ingresses = Controller("ingress", self._ingress)
        self._wire()

    async def run(self) -> None:
        """Until cancelled. Nothing is decided, and nobody is listened to, before everything was seen once."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.observed.run())
            await self.observed.listed()
            for controller in self._all():
                group.create_task(controller.run())
            for run in (self._follow_gateways, self._follow_activators, self.deciders.run, self._path.run):
                group.create_task(run())
            if self._scrapes is not None:
                group.create_task(self._scrapes.run())
            addresses = self._around.addresses
            group.create_task(self.intake.run(addresses.host, addresses.stats_port))
            await self.ingresses.queue.idle()
            group.create_task(self.gate.run(addresses.host, addresses.gate_port))

    def _all(self) -> tuple[Controller, ...]:
        return (
            self.services,
            self.configurations,
            self.revisions,
            self.routes,
            self.serverless_services,
            self.pod_autoscalers,
            self.ingresses,
        )

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
        seen.configurations.listen(_adds(self.routes, lambda item: item.key))  # they share the Service's name
        seen.deployments.listen(_adds(self.serverless_services, _labelled(REVISION_LABEL)))
        seen.pods.listen(_adds(self.revisions, _labelled(REVISION_LABEL)))
        seen.pods.listen(_adds(self.pod_autoscalers, _labelled(REVISION_LABEL)))
        seen.kube_services.listen(_adds(self.serverless_services, _labelled(SERVERLESS_SERVICE_LABEL)))
        seen.kube_services.listen(_adds(self.routes, _labelled(ROUTE_LABEL)))
        seen.endpoints.listen(_adds(self.serverless_services, _owner))
        seen.revisions.listen(self._revision_changed)
        seen.config_maps.listen(self._settings_changed)

    def _revision_changed(self, old: Revision | None, new: Revision | None) -> None:
        """Routes that name the revision themselves."""
        item = new or old
        if item is None:
            return
        for route in self.observed.routes:
            if route.namespace == item.namespace and any(
                target.revision_name == item.name for target in route.spec.traffic
            ):
                self.routes.queue.add(route.key)

    def _settings_changed(self, _old: ConfigMap | None, new: ConfigMap | None) -> None:
        if new is None:
            return
        self.settings, problems = self.settings.changed(new.name, new.data)
        for problem in problems:
            log.error("config map %s is left out: %s", new.name, problem)
        if not problems:
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
