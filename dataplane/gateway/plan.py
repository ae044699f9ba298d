"""Plan: changes of the routes become plans of the engine, each sharing with the one before what did not change."""

from __future__ import annotations

from collections.abc import Mapping

from dataplane.bounds import carrier_bounds
from dataplane.config.gateway import GatewaySettings
from dataplane.contract.routes import Delta, Host, Target
from dataplane.plan import NS_PER_S, trace_terms
from ext.hosts import HostRoutes
from ext.live import Live
from ext.plan import BY_HOST, BY_HOST_PRIVATE, FOREVER_NS, Plan

PUBLIC, PRIVATE, ADMIN = 0, 1, 2
"""Listener ids, which are labels of the engine's statistics as well."""

IDLE_MAX = 100
"""Idle connections kept to each endpoint, of each worker."""

CONNECT_NS = 5 * NS_PER_S
"""As Kourier sets it (networking.md 1.19)."""


JOURNAL_BYTES = 1 << 22
"""Finished exchanges that wait to become spans, of each worker."""


def gateway_bounds(settings: GatewaySettings) -> dict[str, int | bool]:
    """What the engine holds every peer to, by the names of ext/transport/worker.pxd."""
    return carrier_bounds(CONNECT_NS, JOURNAL_BYTES if settings.tracing is not None else 0)


def first_plan(live: Live, settings: GatewaySettings) -> Plan:
    """No host yet: everything is answered with 404."""
    return _plan(live, settings, 1, {}, {}, (), None)


def next_plan(live: Live, settings: GatewaySettings, before: Plan, delta: Delta) -> tuple[Plan, list[str]]:
    """The plan with the hosts and targets of a delta, and what is wrong with the hosts that it leaves out."""
    hosts: dict[str, HostRoutes | None] = {}
    problems = []
    for name, host in delta.hosts.items():
        try:
            hosts[name] = host_routes(host) if host is not None else None
        except ValueError as error:
            hosts[name] = None
            problems.append(f"{name}: {error}")
    targets = {name: target_terms(target) for name, target in delta.targets.items() if target is not None}
    gone = tuple(name for name, target in delta.targets.items() if target is None)
    return _plan(live, settings, before.version + 1, targets, hosts, gone, before), problems


def host_routes(host: Host) -> HostRoutes:
    """What the engine keeps of a host. Raises ValueError for what no request could carry."""
    return HostRoutes(host.paths, hash=host.hash)


def target_terms(target: Target) -> dict[str, object]:
    """What the engine is told of a target; who serves it comes apart."""
    return {
        "endpoints": None,
        "idle_max": IDLE_MAX,
        "running_max": 0,
        "hold": target.hold,
        "waiting_max": target.waiting_max,
        "request_ns": int(target.request_s * NS_PER_S) or FOREVER_NS,
        "start_ns": int(target.start_s * NS_PER_S),
        "idle_ns": int(target.idle_s * NS_PER_S),
        "protocol": target.protocol,
        "reports": target.hold,
        "marks": target.hold,
    }


def _plan(
    live: Live,
    settings: GatewaySettings,
    version: int,
    targets: Mapping[str, dict[str, object]],
    hosts: Mapping[str, HostRoutes | None],
    without: tuple[str, ...],
    previous: Plan | None,
) -> Plan:
    return Plan(
        live,
        version=version,
        targets=dict(targets),
        services={PUBLIC: (PUBLIC, BY_HOST), PRIVATE: (PRIVATE, BY_HOST_PRIVATE), ADMIN: (ADMIN, None)},
        previous=previous,
        without=without,
        hosts=dict(hosts),
        role="gateway",
        domain=settings.cluster_domain,
        trusted=[(trust.network, trust.bits) for trust in settings.trusted],
        metrics=False,
        timing=settings.server_timing,
        tracing=trace_terms(settings.tracing),
    )
