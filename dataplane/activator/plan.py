"""Plan: changes of the revisions become plans of the engine, each sharing with the one before what did not change."""

from __future__ import annotations

from collections.abc import Mapping

from dataplane.bounds import carrier_bounds
from dataplane.config.activator import ActivatorSettings
from dataplane.contract.record import Record
from dataplane.plan import NS_PER_S
from ext.live import Live
from ext.plan import BY_REVISION, Plan

HTTP1, H2C, METRICS = range(3)
"""Listener ids, which are labels of the engine's statistics as well."""

WAITING_MAX = 10_000
"""Requests that wait for a revision (issue; DP-205): more have never had a chance."""

CONNECT_NS = 20 * NS_PER_S
"""For all attempts at one connection (1.11, Dialing)."""


JOURNAL_BYTES = 1 << 22
"""Of each worker; memory is used when the request log is on."""


class Terms(Record):
    """How requests for a revision are treated. Times in seconds; None: no limit."""

    request_s: int
    start_s: int | None = None
    idle_s: int | None = None
    host: str = ""
    """What the sidecar sees as Host where a mesh lets pods be called under their Service; else empty (DP-185)."""


def activator_bounds() -> dict[str, int | bool]:
    """What the engine holds every peer to, by the names of ext/transport/worker.pxd."""
    return carrier_bounds(CONNECT_NS, JOURNAL_BYTES)


def next_plan(
    live: Live,
    settings: ActivatorSettings,
    before: Plan | None,
    terms: Mapping[str, Terms] | None = None,
    without: tuple[str, ...] = (),
    is_logging: bool = False,
) -> Plan:
    """The plan before with these revisions changed or new, and those gone; is_logging: exchanges are kept."""
    return Plan(
        live,
        version=before.version + 1 if before is not None else 1,
        targets={name: target_terms(settings, one) for name, one in (terms or {}).items()},
        services={HTTP1: (HTTP1, BY_REVISION), H2C: (H2C, BY_REVISION), METRICS: (METRICS, None)},
        previous=before,
        without=without,
        role="activator",
        domain=settings.cluster_domain,
        trusted=[(trust.network, trust.bits) for trust in settings.trusted],
        metrics=False,
        logging=is_logging,
    )


def target_terms(settings: ActivatorSettings, terms: Terms) -> dict[str, object]:
    """What the engine is told of a revision; who serves it comes apart."""
    return {
        "endpoints": None,
        "idle_max": settings.idle_max,
        "running_max": 0,
        "hold": True,
        "waiting_max": WAITING_MAX,
        "request_ns": terms.request_s * NS_PER_S,
        "start_ns": (terms.start_s or 0) * NS_PER_S,
        "idle_ns": (terms.idle_s or 0) * NS_PER_S,
        "protocol": "follow",
        "reports": True,
        "host": terms.host,
    }
