"""Activator metrics: its figures as Prometheus text (2.13)."""

from __future__ import annotations

from dataplane.metrics import catalog
from dataplane.metrics.process import readings
from dataplane.metrics.prometheus import head, label_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataplane.reporter import Seen

Labels = tuple[str, str, str, str]
"""Service, configuration, revision, namespace."""

PERIOD_NS = 900_000_000
"""Of the concurrency: reports come every second or more often, and not on the dot."""

CONCURRENCY = catalog.Family(
    "kn.revision.request.concurrency",
    "kn_revision_request_concurrency",
    "gauge",
    "{request}",
    "Requests that ran or waited at once, on average over a second.",
    "concurrency",
)
QUEUED = catalog.Family(
    "kn.revision.request.queued",
    "kn_revision_request_queued",
    "gauge",
    "{request}",
    "Requests that wait for a pod.",
    "queued",
)
ACTIVE = catalog.Family(
    "kn.revision.request.active",
    "kn_revision_request_active",
    "gauge",
    "{request}",
    "Requests that a pod has.",
    "active",
)
REACHABLE = catalog.Family(
    "kn.activator.stats.conn.reachable",
    "kn_activator_stats_conn_reachable",
    "gauge",
    "{reachable}",
    "1 while the autoscaler is connected.",
    "reachable",
)
ERRORS = catalog.Family(
    "kn.activator.stats.conn.errors",
    "kn_activator_stats_conn_errors_total",
    "counter",
    "{error}",
    "Connections to the autoscaler that were lost.",
    "errors",
)
PEER = (("peer", "autoscaler"),)


class Concurrency:
    """What reports say of each revision, second by second. As upstream has it, the request that wakes
    a revision counts as one at once, and not in the period that follows."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[int, int, int]] = {}
        self.now: dict[str, float] = {}

    def take(self, seen: dict[str, Seen], now_ns: int) -> dict[str, Seen]:
        """The same reports."""
        for name, one in seen.items():
            if name not in self._since:
                self._since[name] = now_ns, one.busy_ns, 1
                self.now[name] = 1.0
        for name, (since_ns, busy_ns, first) in list(self._since.items()):
            if now_ns - since_ns < PERIOD_NS:
                continue
            if (after := seen.get(name)) is None:
                del self._since[name]
                self.now[name] = 0.0
            else:
                self.now[name] = max(0.0, (after.busy_ns - busy_ns) / (now_ns - since_ns) - first)
                self._since[name] = now_ns, after.busy_ns, 0
        return seen

    def forget(self, name: str) -> None:
        """The revision is gone."""
        self._since.pop(name, None)
        self.now.pop(name, None)


class ActivatorMetrics:
    """Renders the figures of one process.

    resource  name → value, who reports
    gate      revision → (may run, run, wait)
    labels    revision → its labels
    """

    def __init__(
        self,
        resource: dict[str, str],
        concurrency: Concurrency,
        gate: Callable[[str], tuple[int, int, int]],
        labels: Callable[[str], Labels],
    ) -> None:
        self._target = f"{head('target_info', 'gauge', 'Target metadata.')}"
        self._target += f"target_info{{{label_text(tuple(resource.items()))}}} 1\n"
        self._concurrency = concurrency
        self._gate = gate
        self._labels = labels

    def render(self, is_connected: bool, losses: int) -> bytes:
        """The whole text."""
        return "".join(self._texts(is_connected, losses)).encode()

    def _texts(self, is_connected: bool, losses: int) -> Iterator[str]:
        yield self._target
        names = list(self._concurrency.now)
        gates = {name: self._gate(name) for name in names}
        pairs = {name: _pairs(self._labels(name)) for name in names}
        yield from _rows(CONCURRENCY, [(pairs[name], self._concurrency.now[name]) for name in names])
        yield from _rows(QUEUED, [(pairs[name][2:], gates[name][2]) for name in names])
        yield from _rows(ACTIVE, [(pairs[name][2:], gates[name][1]) for name in names])
        yield from _rows(REACHABLE, [(PEER, int(is_connected))])
        yield from _rows(ERRORS, [(PEER, losses)])
        for name, kind, help, value in readings():
            yield f"{head(name, kind, help)}{name} {value!r}\n"


def _pairs(labels: Labels) -> tuple[tuple[str, str], ...]:
    service, configuration, revision, namespace = labels
    return (
        ("kn.service.name", service),
        ("kn.configuration.name", configuration),
        ("kn.revision.name", revision),
        ("k8s.namespace.name", namespace),
    )


def _rows(family: catalog.Family, rows: list[tuple[tuple[tuple[str, str], ...], float]]) -> Iterator[str]:
    if rows:
        yield head(family.name, family.kind, family.help)
    for pairs, value in rows:
        yield f"{family.name}{{{label_text(pairs)}}} {value!r}\n"
