"""OTLP: snapshots as OpenTelemetry metrics, pushed at an interval.

The same families as the Prometheus text, cumulative since the process began.
Loaded only when requestMetrics are pushed.
Source: spec 1.14; OpenTelemetry metrics data model.
"""

from __future__ import annotations

import time

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, Metric, ScopeMetrics

from dataplane import collector
from dataplane.metrics import catalog
from dataplane.metrics.fold import Fold
from dataplane.otlp_values import put_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE


class Encoder:
    """Snapshots to ExportMetricsServiceRequest messages.

    start_ns    when counting began, in Unix nanoseconds.
    app_port    the container's port, for http.client.*.
    values_max  label values before the rest is folded (W28).
    """

    def __init__(
        self,
        resource: catalog.Resource,
        version: str,
        app_port: int,
        values_max: int = 100,
        start_ns: int | None = None,
    ) -> None:
        self._resource = resource
        self._version = version
        self._port = app_port
        self._fold = Fold(values_max)
        self._start_ns = time.time_ns() if start_ns is None else start_ns

    def encode(self, snapshot: Any, now_ns: int) -> bytes:
        """One message for one snapshot (see dataplane.metrics.catalog), taken at `now_ns`."""
        request = ExportMetricsServiceRequest()
        entry = request.resource_metrics.add()
        put_attributes(entry.resource.attributes, self._resource.attributes)
        scope = entry.scope_metrics.add()
        scope.scope.name = catalog.SCOPE
        scope.scope.version = self._version
        self._requests(scope, snapshot, now_ns)
        for family in catalog.OWN:
            value = snapshot.counters.get(family.field)
            if value is not None:
                rows = value.items() if family.label else [("", value)]
                self._numbers(scope, family, rows, now_ns)
        return bytes(request.SerializeToString())

    def _requests(self, scope: ScopeMetrics, snapshot: Any, now_ns: int) -> None:
        if snapshot.waiting is not None:
            self._numbers(scope, catalog.QUEUE_DEPTH, [("", snapshot.waiting)], now_ns)
        invocation = [([("http.response.status_code", s)], (h,)) for s, h in snapshot.invocation.items()]
        self._histograms(scope, (catalog.INVOCATION,), invocation, now_ns)
        server = [(catalog.server_attributes(k), parts) for k, parts in self._fold.series(snapshot.series).items()]
        self._histograms(scope, catalog.SERVER, server, now_ns)
        calls = self._fold.client(snapshot.client).items()
        client = [(catalog.client_attributes(k, self._port), parts) for k, parts in calls]
        self._histograms(scope, catalog.CLIENT, client, now_ns)

    def _metric(self, scope: ScopeMetrics, family: catalog.Family) -> Metric:
        metric: Metric = scope.metrics.add()
        metric.name, metric.unit, metric.description = family.otel, family.unit, family.help
        return metric

    def _histograms(self, scope: ScopeMetrics, families: tuple[Any, ...], rows: list[Any], now_ns: int) -> None:
        for family in families if rows else ():
            histogram = self._metric(scope, family).histogram
            histogram.aggregation_temporality = CUMULATIVE
            for pairs, parts in rows:
                counts, total, count = parts[family.part]
                point = histogram.data_points.add()
                put_attributes(point.attributes, pairs)
                point.start_time_unix_nano, point.time_unix_nano = self._start_ns, now_ns
                point.explicit_bounds.extend(family.bounds)
                point.bucket_counts.extend(counts)
                point.sum, point.count = total, count

    def _numbers(self, scope: ScopeMetrics, family: catalog.Family, rows: Iterable[Any], now_ns: int) -> None:
        metric = self._metric(scope, family)
        into = metric.gauge
        if family.kind == "counter":
            into = metric.sum
            into.aggregation_temporality, into.is_monotonic = CUMULATIVE, True
        for cause, value in rows:
            point = into.data_points.add()
            if family.label:
                put_attributes(point.attributes, [(family.label, cause)])
            point.start_time_unix_nano, point.time_unix_nano = self._start_ns, now_ns
            if isinstance(value, float):
                point.as_double = value
            else:
                point.as_int = value


class MetricsPush:
    """Pushes what the engine counts, at an interval and once more at the end.

    take      gives a fresh snapshot; called from the pushing thread.
    protocol  "grpc" or "http/protobuf"; url as in the settings.
    tell      takes a sentence when pushing begins to fail, and when it works again.
    Raises    ValueError from the constructor for an endpoint that is none.
    """

    def __init__(
        self,
        encoder: Encoder,
        take: Callable[[], object],
        *,
        protocol: str,
        url: str,
        interval_s: float,
        tell: Callable[[str], None],
    ) -> None:
        self._encoder = encoder
        self._take = take
        self._sender = collector.sender(protocol, url, collector.METRICS)
        self._tell = tell
        self._failing = False
        self._rhythm = collector.Rhythm(self._push, interval_s)

    def start(self) -> None:
        self._rhythm.start()

    def _push(self, timeout_s: float) -> bool:
        outcome, reason = self._sender.send(self._encoder.encode(self._take(), time.time_ns()), timeout_s)
        failing = outcome != collector.ACCEPTED
        if failing != self._failing:
            self._failing = failing
            self._tell(f"metrics are not taken by the collector: {reason}" if failing else "metrics are taken again")
        return outcome == collector.TRY_LATER

    def close(self, timeout_s: float = collector.TIMEOUT_S) -> None:
        """The last push and the end, within `timeout_s`."""
        self._rhythm.close(timeout_s)
        self._sender.close()
