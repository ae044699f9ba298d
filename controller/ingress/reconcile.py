"""Reconcile: an Ingress becomes a part of the routes document, and is ready once every gateway uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from controller.api.conditions import Conditions, find
from controller.api.core import Endpoints, KubeService
from controller.api.meta import INGRESS_CLASS, SERVERLESS_SERVICE_LABEL, SERVICE_TYPE_LABEL, child_name
from controller.api.networking import (
    H2C,
    INGRESS_CONDITIONS,
    LOAD_BALANCER_READY,
    NETWORK_CONFIGURED,
    Ingress,
    IngressStatus,
    LoadBalancerIngress,
    LoadBalancerStatus,
)
from controller.api.serving import Revision
from controller.children import settle
from controller.kube.cache import Key
from controller.kube.events import Recorder
from controller.observe import BY_HOST, Observed
from dataplane.contract.ports import SERVING_H2C_PORT, SERVING_PORT
from dataplane.contract.routes import Endpoint, Host, Target
from dataplane.kube.client import Client

from . import translate
from .gate import Gate

DOMAIN_CONFLICT = "DomainConflict"
NOT_READY = "Uninitialized"
H2C_PORT_NAMES = ("http2", "h2c")


@dataclass(frozen=True, slots=True)
class GatewayPlace:
    """Where the gateways are, and which objects are theirs."""

    ingress_class: str
    public: str
    """Name that resolves to them from outside."""
    private: str
    """And from inside."""


class IngressReconciler:
    """Works on one Ingress. The listeners of caches that it sets up keep endpoints fresh without it."""

    def __init__(self, client: Client, observed: Observed, events: Recorder, gate: Gate, place: GatewayPlace) -> None:
        self._client = client
        self._events = events
        self._observed = observed
        self._gate = gate
        self._place = place
        self._needs: dict[Key, int] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        """Targets that no route names any more; requests may wait for them still."""
        self._told: dict[Key, Endpoints] = {}
        """What the API server has not said yet."""
        self._plain: dict[Key, set[translate.Backend]] = {}
        """By Service: the ports of it that a gateway knows as targets, no revision being behind them."""
        observed.endpoints.listen(self._endpoints_changed)
        observed.revisions.listen(self._revision_changed)
        observed.kube_services.listen(self._service_changed)

    async def __call__(self, key: Key) -> float | None:
        name = f"{key[0]}/{key[1]}"
        ingress = self._observed.ingresses.get(*key)
        if ingress is None or ingress.is_deleted or not self._is_ours(ingress):
            self._publish(dict.fromkeys(self._gate.state.hosts_from(name)), ())
            self._needs.pop(key, None)
            return None

        async def work(conditions: Conditions) -> IngressStatus:
            self._work(ingress, name, conditions)
            return msgspec.structs.replace(
                ingress.status,
                public_load_balancer=_balancer(self._place.public),
                private_load_balancer=_balancer(self._place.private),
            )

        return await settle(self._client, self._events, ingress, INGRESS_CONDITIONS, work)

    def endpoints_told(self, found: Endpoints) -> None:
        """Whoever writes Endpoints says what, before the API server does: until that says the same, this counts."""
        self._told[found.key] = found
        self._pass_on(found)

    def waiting(self) -> list[Key]:
        """Ingresses that are waiting for a gateway to acknowledge them, and need not any more."""
        return [key for key, version in self._needs.items() if self._gate.is_applied(version)]

    def _work(self, ingress: Ingress, name: str, conditions: Conditions) -> None:
        hosts = translate.hosts_of(ingress)
        owners = {host: translate.owner_of(self._claims(host)) for host in hosts}
        lost = {host: owner for host, owner in owners.items() if owner != name}
        changes: dict[str, Host | None] = dict.fromkeys(self._gate.state.hosts_from(name))
        changes |= {host: made for host, made in hosts.items() if host not in lost}
        before = self._gate.state.version
        self._publish(changes, translate.backends_of(ingress))
        if self._gate.state.version != before:
            self._needs.pop(ingress.key, None)
        conditions.mark_true(NETWORK_CONFIGURED)
        if lost:
            self._needs.pop(ingress.key, None)
            said = ", ".join(f'"{host}" belongs to {owner}' for host, owner in sorted(lost.items()))
            conditions.mark_false(LOAD_BALANCER_READY, DOMAIN_CONFLICT, f"Hosts that others claim: {said}.")
            return
        version = self._needs.setdefault(ingress.key, self._gate.state.version)
        if self._gate.is_applied(version) or _was_ready(ingress):
            conditions.mark_true(LOAD_BALANCER_READY)
            self._needs.pop(ingress.key, None)
        else:
            conditions.mark_unknown(LOAD_BALANCER_READY, NOT_READY, "Waiting for load balancer to be ready")

    def _publish(self, hosts: dict[str, Host | None], backends: tuple[translate.Backend, ...]) -> None:
        """Targets before the hosts that name them, and away after them, in one change."""
        state = self._gate.state
        for backend in backends:
            if not backend.revision:
                self._plain.setdefault((backend.namespace, backend.service), set()).add(backend)
        found = {backend.target: self._target(backend) for backend in backends}
        state.change(
            targets={name: target for name, (target, _) in found.items()},
            hosts=hosts,
            endpoints={name: endpoints for name, (_, endpoints) in found.items()},
        )
        self._let_go()
        self._gate.publish()

    def _let_go(self) -> None:
        """What no route names goes when no request can wait for it any more."""
        unused = self._gate.state.unused()
        for name in self._leaving.keys() - unused:
            self._leaving.pop(name).cancel()
        for name in unused - self._leaving.keys():
            namespace, _, revision = name.partition("/")
            found = self._observed.revisions.get(namespace, revision)
            wait_s = found.timeout_seconds if found is not None else 0
            self._leaving[name] = asyncio.get_running_loop().call_later(wait_s, self._drop, name)

    def _drop(self, name: str) -> None:
        self._leaving.pop(name, None)
        if name in self._gate.state.unused() and self._gate.state.change(targets={name: None}):
            self._gate.publish()

    def _target(self, backend: translate.Backend) -> tuple[Target, tuple[Endpoint, ...]]:
        revision = self._observed.revisions.get(backend.namespace, backend.revision) if backend.revision else None
        if revision is not None:
            key = (backend.namespace, child_name(backend.revision, "-private"))
            private = self._told.get(key) or self._observed.endpoints.get(*key)
            return translate.revision_target(revision), endpoints_of(private, serving_port(revision))
        service = self._observed.kube_services.get(backend.namespace, backend.service)
        found = self._observed.endpoints.get(backend.namespace, backend.service)
        protocol = "h2c" if _speaks_h2c(service) else "http1"
        return Target(protocol=protocol), endpoints_of(found, _numeric_port(service, backend.port))

    def _endpoints_changed(self, old: Endpoints | None, new: Endpoints | None) -> None:
        """Straight to the gateways: pods come and go without a word about routes."""
        item = new or old
        if item is None:
            return
        told = self._told.get(item.key)
        if told is not None and new is not None and told.ready_addresses != new.ready_addresses:
            return
        self._told.pop(item.key, None)
        self._pass_on(item, is_gone=new is None)

    def _pass_on(self, item: Endpoints, *, is_gone: bool = False) -> None:
        """To gateways that know the revision."""
        if item.metadata.labels.get(SERVICE_TYPE_LABEL) != "Private":
            self._refresh(item.key)
            return
        service = item.metadata.labels.get(SERVERLESS_SERVICE_LABEL, "")
        revision = self._observed.revisions.get(item.namespace, service)
        if revision is None:
            return
        name = f"{item.namespace}/{revision.name}"
        if not self._gate.state.has_target(name):
            self._know(revision)
            return
        found = endpoints_of(None if is_gone else item, serving_port(revision))
        if self._gate.state.change(endpoints={name: found}):
            self._gate.publish()

    def _service_changed(self, old: KubeService | None, new: KubeService | None) -> None:
        item = new or old
        if item is not None and (old is None or new is None or old.spec != new.spec):
            self._refresh(item.key)

    def _refresh(self, service: Key) -> None:
        """What gateways know of a plain Service, as it is now."""
        state = self._gate.state
        known = {backend for backend in self._plain.get(service, ()) if state.has_target(backend.target)}
        if not known:
            self._plain.pop(service, None)
            return
        self._plain[service] = known
        found = {backend.target: self._target(backend) for backend in known}
        if state.change(
            targets={name: target for name, (target, _) in found.items()},
            endpoints={name: endpoints for name, (_, endpoints) in found.items()},
        ):
            self._gate.publish()

    def _revision_changed(self, old: Revision | None, new: Revision | None) -> None:
        if new is None:
            if old is not None and (timer := self._leaving.get(f"{old.namespace}/{old.name}")) is not None:
                timer.cancel()
                self._drop(f"{old.namespace}/{old.name}")
            return
        name = f"{new.namespace}/{new.name}"
        state = self._gate.state
        if not state.has_target(name):
            self._know(new)
        elif state.change(targets={name: translate.revision_target(new)}):
            self._gate.publish()

    def _know(self, revision: Revision) -> None:
        """Whoever has pods may have requests that wait, also of a time before this process."""
        private = self._observed.endpoints.get(revision.namespace, child_name(revision.name, "-private"))
        endpoints = endpoints_of(private, serving_port(revision))
        if not endpoints or revision.is_deleted:
            return
        name = f"{revision.namespace}/{revision.name}"
        self._gate.state.change(targets={name: translate.revision_target(revision)}, endpoints={name: endpoints})
        self._let_go()
        self._gate.publish()

    def _claims(self, host: str) -> list[Ingress]:
        return [one for one in self._observed.ingresses.by(BY_HOST, host) if self._is_ours(one)]

    def _is_ours(self, ingress: Ingress) -> bool:
        return ingress.metadata.annotations.get(INGRESS_CLASS[0]) == self._place.ingress_class


def _was_ready(ingress: Ingress) -> bool:
    """This very spec was in use everywhere: a controller that starts anew takes nothing back."""
    said = find(ingress.status.conditions, LOAD_BALANCER_READY)
    is_observed = ingress.status.observed_generation == ingress.metadata.generation
    return is_observed and said is not None and said.is_true


def endpoints_of(found: Endpoints | None, port: Callable[[Endpoints], int] | int) -> tuple[Endpoint, ...]:
    """The ready addresses, sorted, each with that port."""
    if found is None:
        return ()
    number = port(found) if callable(port) else port
    return tuple(Endpoint(address=address, port=number) for address in found.ready_addresses)


def serving_port(revision: Revision) -> int:
    """Where its sidecars listen."""
    return SERVING_H2C_PORT if revision.protocol == H2C else SERVING_PORT


def _numeric_port(service: KubeService | None, wanted: int | str) -> Callable[[Endpoints], int]:
    """The port of the endpoints behind a Service's port: by name, as EndpointSlices have it (1.20)."""

    def find(found: Endpoints) -> int:
        ports = service.spec.ports if service is not None else ()
        chosen = next((one for one in ports if wanted in (one.port, one.name)), None)
        theirs = [port for subset in found.subsets for port in subset.ports]
        if chosen is not None:
            for port in theirs:
                if port.name == chosen.name:
                    return port.port
        return theirs[0].port if theirs else 80

    return find


def _speaks_h2c(service: KubeService | None) -> bool:
    return service is not None and any(port.name in H2C_PORT_NAMES for port in service.spec.ports)


def _balancer(name: str) -> LoadBalancerStatus:
    return LoadBalancerStatus(ingress=(LoadBalancerIngress(domain_internal=name),))
