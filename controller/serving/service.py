"""Service: one Configuration and one Route of its name, and what they say added up (SC 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from controller.api.conditions import READY, Conditions, find
from controller.api.serving import (
    CONFIGURATIONS_READY,
    ROUTES_READY,
    SERVICE_CONDITIONS,
    Configuration,
    Route,
    Service,
    ServiceStatus,
    TrafficTarget,
)
from controller.children import NOT_OWNED, defaulted, is_foreign, resource_of, settle
from controller.config.settings import Settings
from controller.kube.cache import Key
from controller.kube.events import Recorder
from controller.observe import Observed
from dataplane.kube.client import Client
from dataplane.kube.errors import AlreadyExists, Conflict, KubeError

from .make import from_service

OUT_OF_DATE = "OutOfDate"
NOT_MIGRATED = "TrafficNotMigrated"
NAME_TAKEN = "RevisionNameTaken"

T = TypeVar("T", Configuration, Route)


class ServiceReconciler:
    """Works on one Service."""

    def __init__(self, client: Client, observed: Observed, settings: Callable[[], Settings], events: Recorder) -> None:
        self._client = client
        self._observed = observed
        self._settings = settings
        self._events = events

    async def __call__(self, key: Key) -> float | None:
        stored = self._observed.services.get(*key)
        if stored is None or stored.is_deleted:
            return None
        service = defaulted(stored, self._settings())

        async def work(conditions: Conditions) -> ServiceStatus:
            return await self._work(service, conditions)

        return await settle(self._client, self._events, service, SERVICE_CONDITIONS, work)

    async def _work(self, service: Service, conditions: Conditions) -> ServiceStatus:
        configuration = self._observed.configurations.get(*service.key)
        route = self._observed.routes.get(*service.key)
        if is_foreign(configuration, service):
            mark_not_owned(conditions, CONFIGURATIONS_READY, "Configuration", service.name)
            return status_of(service, None, route)
        configuration = await self._replace(service, from_service.configuration(service, configuration), configuration)
        if mark_configuration(service, configuration, conditions):
            if is_foreign(route, service):
                mark_not_owned(conditions, ROUTES_READY, "Route", service.name)
            else:
                route = await self._replace(service, from_service.route(service, route), route)
                mark_route(configuration, route, conditions)
        return status_of(service, configuration, route)

    async def _replace(self, service: Service, wanted: T, live: T | None) -> T:
        """Replaced, not applied: on these two, what others have added has to go (SC 3.3)."""
        resource = resource_of(type(wanted))
        if live is None:
            try:
                made = await self._client.create(resource, wanted.namespace, wanted, type(wanted))
            except AlreadyExists:
                raise
            except KubeError as error:
                self._fail(service, "CreationFailed", "create", wanted, error)
                raise
            self._events.normal(service, "Created", f'Created {wanted.kind} "{wanted.name}"')
            return made
        settings = self._settings()
        if defaulted(live, settings).spec == defaulted(wanted, settings).spec:
            # Defaults may have changed since: what was stored with the old ones stays as it is (SC-060).
            wanted = msgspec.structs.replace(wanted, spec=live.spec)
        if (live.spec, live.metadata) == (wanted.spec, wanted.metadata):
            return live
        wanted = msgspec.structs.replace(wanted, status=live.status)
        try:
            return await self._client.replace(resource, wanted.namespace, wanted.name, wanted, type(wanted))
        except Conflict:
            raise
        except KubeError as error:
            self._fail(service, "UpdateFailed", "update", wanted, error)
            raise

    def _fail(self, service: Service, reason: str, verb: str, child: Configuration | Route, error: KubeError) -> None:
        self._events.warning(service, reason, f'Failed to {verb} {child.kind} "{child.name}": {error}')


def mark_not_owned(conditions: Conditions, kind: str, called: str, name: str) -> None:
    """A child's name is taken by somebody else's object."""
    conditions.mark_false(kind, NOT_OWNED, f'There is an existing {called} "{name}" that we do not own.')


def mark_configuration(service: Service, configuration: Configuration, conditions: Conditions) -> bool:
    """What the Configuration says; False when the Route has to stay as it is (SC 3.3, steps 2 and 3)."""
    ready = find(configuration.status.conditions, READY)
    if configuration.metadata.generation != configuration.status.observed_generation:
        conditions.mark_unknown(
            CONFIGURATIONS_READY,
            OUT_OF_DATE,
            "The Configuration is still working to reflect the latest desired specification.",
        )
        return not service.spec.template.metadata.name
    if ready is not None:
        conditions.mark(CONFIGURATIONS_READY, ready)
    name = service.spec.template.metadata.name
    if name and configuration.status.latest_created_revision_name != name and ready is not None and ready.is_false:
        conditions.mark_false(
            ROUTES_READY,
            NAME_TAKEN,
            f'The revision name "{name}" is taken by a conflicting Revision, so traffic will not be migrated',
        )
        return False
    return True


def mark_route(configuration: Configuration, route: Route, conditions: Conditions) -> None:
    """What the Route says, and whether its traffic is where it should be (SC 3.3, steps 5 and 6)."""
    ready = find(route.status.conditions, READY)
    if route.metadata.generation != route.status.observed_generation:
        conditions.mark_unknown(
            ROUTES_READY, OUT_OF_DATE, "The Route is still working to reflect the latest desired specification."
        )
        return
    if ready is not None:
        conditions.mark(ROUTES_READY, ready)
    if ready is not None and ready.is_true and not _is_migrated(configuration, route):
        conditions.mark_unknown(ROUTES_READY, NOT_MIGRATED, "Traffic is not yet migrated to the latest revision.")


def status_of(service: Service, configuration: Configuration | None, route: Route | None) -> ServiceStatus:
    """The status but its conditions. Where a child has not seen its newest spec, what it said before stays."""
    status = service.status
    if configuration is not None and _is_observed(configuration):
        status = msgspec.structs.replace(
            status,
            latest_created_revision_name=configuration.status.latest_created_revision_name,
            latest_ready_revision_name=configuration.status.latest_ready_revision_name,
        )
    if route is not None and not is_foreign(route, service) and _is_observed(route):
        status = msgspec.structs.replace(
            status, url=route.status.url, address=route.status.address, traffic=route.status.traffic
        )
    return status


def _is_observed(child: Configuration | Route) -> bool:
    return child.status.observed_generation == child.metadata.generation


def _is_migrated(configuration: Configuration, route: Route) -> bool:
    wanted = [_comparable(target, configuration.status.latest_ready_revision_name) for target in route.spec.traffic]
    return wanted == [_comparable(target, "") for target in route.status.traffic]


def _comparable(target: TrafficTarget, latest_ready: str) -> tuple[str, str, int]:
    name = latest_ready if target.configuration_name else target.revision_name
    return target.tag, name, target.percent or 0
