"""Plan: settings and endpoints become what the engine is told. The only caller of `ext.plan`."""

from __future__ import annotations

from ext.plan import Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dataplane.config.schema import Settings, Tracing
    from ext.live import Live

MAIN, MAIN_TLS, ADMIN, STATS, METRICS, DEBUG = range(6)
"""Listener ids, which are also the labels of the engine's statistics (listener_kind in ext/stats/counters.h)."""

APP = "app"
"""The sidecar's only target."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

IDLE_UPSTREAM_MAX = 1000
"""Idle connections to an app without a limit (DP-083)."""

FIELDS_MAX = 4096
"""Lines of a head. A mebibyte of the shortest lines would be 260,000; no client sends a thousand."""

LINGER_NS = 5 * NS_PER_S
"""How long the rest of an upload is read after an early answer: a client on a slow line needs seconds to see it."""

DRAIN_MAX_BYTES = 262_144
"""Of an unread upload that is read so that its connection can go on, as Go's server does (H9)."""

CONNECT_NS = 20 * NS_PER_S
"""For all attempts at one connection (spec 1.11, Dialing)."""

H2_PERIOD_NS = 10 * NS_PER_S
"""The time that the bounds on HTTP/2 control frames are for."""


def engine_bounds(settings: Settings) -> dict[str, int | bool]:
    """What the engine holds every peer to, by the names of ext/transport/worker.pxd."""
    bounds = settings.bounds
    log = settings.request_log is not None or settings.tracing is not None
    return {
        "head_max": bounds.head_bytes,
        "response_head_max": bounds.response_head_bytes,
        "fields_max": FIELDS_MAX,
        "observe": not settings.strict,
        "head_timeout_ns": bounds.head_timeout_ms * NS_PER_MS,
        "idle_timeout_ns": (bounds.idle_timeout_ms or 0) * NS_PER_MS,
        "linger_timeout_ns": LINGER_NS,
        "drain_max": DRAIN_MAX_BYTES,
        "h2_streams_max": bounds.streams_max,
        "h2_window_bytes": bounds.window_bytes,
        "h2_resets_max": bounds.h2_resets_max,
        "h2_control_max": bounds.h2_control_max,
        "h2_period_ns": H2_PERIOD_NS,
        "buffers_max": bounds.buffer_bytes,
        "connect_timeout_ns": CONNECT_NS,
        "labels_max": bounds.label_values_max,
        "journal_bytes": 1 << bounds.log_backlog_bytes.bit_length() - 1 if log else 0,  # a power of two
    }


def queue_proxy_plan(live: Live, settings: Settings, version: int) -> Plan:
    """One target, the app; Python answers on every port but the main ones."""
    timeouts, limit = settings.timeouts, settings.limit
    target = {
        "endpoints": [(settings.app.host, settings.app.port)],
        "idle_max": limit.running_max or IDLE_UPSTREAM_MAX,
        "running_max": limit.running_max,
        "waiting_max": limit.waiting_max,
        "request_ns": timeouts.request_ms * NS_PER_MS,
        "start_ns": (timeouts.response_start_ms or 0) * NS_PER_MS,
        "idle_ns": (timeouts.idle_ms or 0) * NS_PER_MS,
        "protocol": settings.app.protocol,
    }
    services: dict[int, tuple[int, str | None]] = {MAIN: (MAIN, APP), MAIN_TLS: (MAIN_TLS, APP)}
    services |= {listener: (listener, None) for listener in (ADMIN, STATS, METRICS, DEBUG)}
    log = settings.request_log
    return Plan(
        live,
        version=version,
        targets={APP: target},
        services=services,
        trusted=[(trust.network, trust.bits) for trust in settings.trusted],
        metrics=settings.metrics.protocol != "none",
        logging=log is not None,
        log_probes=log is not None and log.probes,
        tracing=trace_terms(settings.tracing),
    )


def trace_terms(tracing: Tracing | None) -> Any:
    """(follow the caller's decision, threshold), or None when tracing is off."""
    if tracing is None:
        return None
    from dataplane.tracing import PARENT, sampler

    mode, threshold = sampler(tracing)
    return mode == PARENT, threshold
