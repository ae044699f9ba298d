"""Environment: what a controller process is told by its surroundings: variables, and the resolver's file."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.assembly import CONTROLLERS, Addresses, Surroundings
from controller.autoscaler.path import either
from controller.config.domain import CLUSTER_DOMAIN
from controller.config.settings import SYSTEM_NAMESPACE
from controller.ingress.reconcile import GatewayPlace
from controller.logs import LEVELS
from controller.serving.route import Place

RESOLVER = Path("/etc/resolv.conf")
INGRESS_CLASS = "penstock.ingress.networking.knative.dev"
PUBLIC_SERVICE, PRIVATE_SERVICE = "penstock-gateway", "penstock-gateway-internal"
"""Of the gateways' two ports; the chart has them."""
GATE_PORT, STATS_PORT, ANNOUNCE_PORT = 8091, 8080, 8092


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One controller process."""

    around: Surroundings
    names: frozenset[str]
    """Controllers that run."""
    identity: str
    log_level: str


def read(
    environment: Mapping[str, str], names: tuple[str, ...], resolver: Path = RESOLVER
) -> tuple[Process | None, list[str]]:
    """The process, or everything that is wrong.

    environment  POD_NAME, SYSTEM_NAMESPACE, LISTEN_HOST, GATE_PORT, STATS_PORT, ANNOUNCE_PORT, INGRESS_CLASS,
                 GATEWAY_PUBLIC, GATEWAY_PRIVATE, CLUSTER_DOMAIN, LOG_LEVEL; none of them has to be there
    names        of controllers; none: all of them
    """
    problems = [
        f'there is no controller "{name}"; there are {", ".join(CONTROLLERS)}'
        for name in names
        if name not in CONTROLLERS
    ]
    level = environment.get("LOG_LEVEL", "info").lower()
    if level not in LEVELS:
        problems.append(f'LOG_LEVEL is "{level}"; use {", ".join(LEVELS)}')
    gate_port = _port(environment, "GATE_PORT", GATE_PORT, problems)
    stats_port = _port(environment, "STATS_PORT", STATS_PORT, problems)
    announce_port = _port(environment, "ANNOUNCE_PORT", ANNOUNCE_PORT, problems)
    if problems:
        return None, problems
    namespace = environment.get("SYSTEM_NAMESPACE") or SYSTEM_NAMESPACE
    domain = environment.get("CLUSTER_DOMAIN") or cluster_domain(resolver)
    beside = f"{namespace}.svc.{domain}"
    around = Surroundings(
        system_namespace=namespace,
        place=Place(cluster_domain=domain),
        gateways=GatewayPlace(
            ingress_class=environment.get("INGRESS_CLASS") or INGRESS_CLASS,
            public=environment.get("GATEWAY_PUBLIC") or f"{PUBLIC_SERVICE}.{beside}",
            private=environment.get("GATEWAY_PRIVATE") or f"{PRIVATE_SERVICE}.{beside}",
        ),
        path=either,
        addresses=Addresses(
            host=environment.get("LISTEN_HOST") or "0.0.0.0",
            gate_port=gate_port,
            stats_port=stats_port,
            announce_port=announce_port,
        ),
    )
    pod = environment.get("POD_NAME") or socket.gethostname()
    identity = f"{pod}_{uuid.uuid4()}"
    return Process(around=around, names=frozenset(names or CONTROLLERS), identity=identity, log_level=level), []


def cluster_domain(resolver: Path) -> str:
    """From the search list that kubelet gives to pods: the domain below `svc.`."""
    try:
        lines = resolver.read_text(errors="replace").splitlines()
    except OSError:
        return CLUSTER_DOMAIN
    words = [word for line in lines if line.startswith("search") for word in line.split()[1:]]
    return next((word[4:].rstrip(".") for word in words if word.startswith("svc.")), CLUSTER_DOMAIN)


def _port(environment: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    said = environment.get(name, "")
    if not said:
        return default
    if said.isascii() and said.isdecimal() and int(said) <= 65535:
        return int(said)
    problems.append(f'{name} is "{said}"; a port is a number from 0 (any free one) to 65535')
    return 0
