"""Snapshot: what the engine has counted, under the catalogue's names.

The engine keeps one set of duration buckets, whose bounds are those of the
new metrics and of the old names together; each of ours is a sum of neighbours.
Source: spec 1.14; dataplane.metrics.catalog says what a snapshot offers.
"""

from __future__ import annotations

from dataplane.metrics.catalog import BYTES, OLD_MS, SECONDS
from dataplane.metrics.fold import OTHER, added, split_host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

METHODS = (OTHER, "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
"""In the order of method_id in ext/http/head.pxd."""

VERSIONS = {10: "1.0", 11: "1.1", 20: "2.0"}
NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000

DERIVED = {"conns_closed", "upgrades_ended", "upstream_conns_closed", "waited_ns"}
"""Counters of the engine that only show in a difference or in another unit."""

NOT_SHOWN = {"last_request_start_ns"}
"""Of use to the drain alone."""


class Snapshot:
    """Everything that is shown, at one moment (see dataplane.metrics.catalog)."""

    __slots__ = ("app_ms", "client", "counters", "invocation", "pending", "request_ms", "series", "waiting")

    def __init__(self) -> None:
        self.series: dict[Any, Any] = {}
        self.client: dict[Any, Any] = {}
        self.invocation: dict[Any, Any] = {}
        self.request_ms: dict[Any, Any] = {}
        self.app_ms: dict[Any, Any] = {}
        self.counters: dict[str, Any] = {}
        self.pending: int | None = None
        self.waiting: int | None = None


class Snapshots:
    """Takes snapshots of one engine. Safe to call from any thread.

    supervisor  the engine's (dataplane.supervisor.Supervisor).
    with_old    fills request_ms and app_ms too.
    """

    __slots__ = ("_ms", "_seconds", "_sizes", "_supervisor", "_with_old")

    def __init__(self, supervisor: Any, with_old: bool) -> None:
        durations_ns = supervisor.duration_bounds_ns
        self._supervisor = supervisor
        self._with_old = with_old
        self._seconds = _Buckets(durations_ns, SECONDS, NS_PER_S)
        self._ms = _Buckets(durations_ns, OLD_MS, NS_PER_MS)
        self._sizes = _Buckets(supervisor.size_bounds_bytes, BYTES, 1)

    def take(self, spans_dropped: int = 0) -> Snapshot:
        """All figures now."""
        found = Snapshot()
        source = self._supervisor
        found.pending, found.waiting = source.pending(), source.waiting()
        found.counters = _shown(source.counts())
        found.counters["in_flight"] = source.running()
        found.counters["buffer_bytes"] = source.buffers()
        found.counters["spans_dropped"] = spans_dropped
        for key, values in source.series().items():
            self._add(found, key, values)
        return found

    def _add(self, found: Snapshot, key: tuple[Any, ...], values: list[Any]) -> None:
        kind, method_id, is_tls, version_id, status, fault, host, tag_bytes = key
        duration, request_size, response_size = values
        seconds = self._seconds.read(duration)
        if kind == "invocation":
            _put(found.invocation, status, (seconds,))
            if self._with_old:
                _put(found.app_ms, status, (self._ms.read(duration),))
            return
        method, version, tag = METHODS[method_id], VERSIONS.get(version_id, OTHER), _text(tag_bytes)
        if kind == "client":
            outcome = self._supervisor.faults[fault] if fault else status
            _put(found.client, (method, outcome, version, tag), (seconds, self._sizes.read(request_size)))
            return
        scheme = "https" if is_tls else "http"
        name, port = split_host(_text(host))
        parts = (seconds, self._sizes.read(request_size), self._sizes.read(response_size))
        _put(found.series, (method, scheme, name, port, version, status, tag), parts)
        if self._with_old:
            _put(found.request_ms, (status, tag), (self._ms.read(duration),))


class _Buckets:
    """Adds neighbouring buckets of the engine up to those of a family.

    engine  upper bounds of the engine, which hold all of `ours` times `unit`.
    """

    __slots__ = ("_places", "_size", "_unit")

    def __init__(self, engine: tuple[int, ...], ours: tuple[float, ...], unit: int) -> None:
        bounds = [round(bound * unit) for bound in ours]
        self._size = len(bounds) + 1
        self._unit = unit
        self._places = [sum(bound < upper for bound in bounds) for upper in engine]
        self._places.append(len(bounds))

    def read(self, values: list[Any]) -> tuple[tuple[int, ...], float, int]:
        """Counts by our bucket, the sum in our unit, and the number of values."""
        counts = [0] * self._size
        for place, count in zip(self._places, values[0], strict=True):
            if count:
                counts[place] += count
        return tuple(counts), values[1] / self._unit, sum(counts)


def _text(label: bytes | None) -> str:
    return OTHER if label is None else label.decode("utf-8", "surrogateescape")


def _put(into: dict[Any, Any], key: Any, parts: tuple[Any, ...]) -> None:
    """Histograms under a key; one part stands alone."""
    if key in into:
        known = into[key] if len(parts) > 1 else (into[key],)
        parts = tuple(map(added, known, parts))
    into[key] = parts if len(parts) > 1 else parts[0]


def _shown(counts: dict[str, Any]) -> dict[str, Any]:
    """Counters as the catalogue has them; label values that were never counted are left out."""
    opened, closed = counts["conns_opened"], counts["conns_closed"]
    shown = {
        name: {label: number for label, number in value.items() if number} if isinstance(value, dict) else value
        for name, value in counts.items()
        if name not in DERIVED and name not in NOT_SHOWN
    }
    # The two counters may be seen one change apart.
    shown["conns_open"] = {name: max(0, opened[name] - closed[name]) for name in opened if opened[name]}
    shown["upstream_conns_open"] = max(0, counts["upstream_conns_opened"] - counts["upstream_conns_closed"])
    shown["upgraded_open"] = max(0, counts["upgrades"] - counts["upgrades_ended"])
    shown["waited_s"] = counts["waited_ns"] / NS_PER_S
    return shown
