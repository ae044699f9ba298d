"""Bounds: what an engine holds every peer to that carries requests of many revisions."""

from __future__ import annotations

from dataplane.plan import DRAIN_MAX_BYTES, FIELDS_MAX, H2_PERIOD_NS, LINGER_NS, NS_PER_S

HEAD_TIMEOUT_NS = 60 * NS_PER_S
HEAD_BYTES = 1 << 20
RESPONSE_HEAD_BYTES = 10 << 20
STREAMS_MAX = 250
WINDOW_BYTES = 1 << 20
BUFFER_BYTES = 256 << 20
"""Bodies that the whole process may hold: it carries what many sidecars share."""

RESETS_MAX, CONTROL_MAX = 5_000, 100_000
"""As the sidecar has them (contract.env)."""


def carrier_bounds(connect_ns: int, journal_bytes: int = 0) -> dict[str, int | bool]:
    """By the names of ext/transport/worker.pxd;

    connect_ns     for all attempts at one connection
    journal_bytes  backlog of finished exchanges, of each worker; a power of two, 0 for none
    """
    return {
        "head_max": HEAD_BYTES,
        "response_head_max": RESPONSE_HEAD_BYTES,
        "fields_max": FIELDS_MAX,
        "observe": False,
        "head_timeout_ns": HEAD_TIMEOUT_NS,
        "idle_timeout_ns": 0,
        "linger_timeout_ns": LINGER_NS,
        "drain_max": DRAIN_MAX_BYTES,
        "h2_streams_max": STREAMS_MAX,
        "h2_window_bytes": WINDOW_BYTES,
        "h2_resets_max": RESETS_MAX,
        "h2_control_max": CONTROL_MAX,
        "h2_period_ns": H2_PERIOD_NS,
        "buffers_max": BUFFER_BYTES,
        "connect_timeout_ns": connect_ns,
        "labels_max": 0,
        "journal_bytes": journal_bytes,
    }
