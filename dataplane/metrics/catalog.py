"""Catalogue: every metric of the sidecar, by name, unit, help, labels and source.

One table feeds the Prometheus text and the OTLP push, so that the two never
tell different stories. It also says what a snapshot has to offer:

    series      (method, scheme, host, port, version, status, tag)
                → (duration, request body, response body)
    invocation  status → duration
    client      (method, status or error type, version, tag) → (duration, request body)
    request_ms  (status, tag) → duration in ms   for the old names only
    app_ms      status → duration in ms          for the old names only
    waiting     requests that wait for a slot; None without a limit
    pending     those and the ones that have a slot; None without a limit; for the old name only
    counters    name → number, or name → {label value → number}

Status 0 and the name _OTHER stand for one of the rest, behind every bound on
the number of label sets. A histogram is (counts, sum, count): counts has one place per bound and one
for what is above the last, each for its own bucket alone. Durations are in
seconds and sizes in bytes where the unit does not say otherwise.
Source: spec 1.14, DP-135 to DP-141; W7, W27 and W28 are mended by what the
engine counts and by dataplane.metrics.fold.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
BYTES = (0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000)
OLD_MS = (5, 10, 20, 40, 60, 80, 100, 150, 200, 250, 300, 350, 400, 450, 500, 600, 700, 800, 900, 1000, 2000, 5000,
          10000, 20000, 50000, 100000)  # fmt: skip
"""The latency buckets that the sidecar had while its metrics went by the old names."""

SCOPE = "penstock"
HTTP_PORT = 80


class Family:
    """One metric.

    otel, name  its OpenTelemetry and its Prometheus name.
    kind        "gauge", "counter" or "histogram".
    unit        UCUM: "s", "By", "ms", "1" or an annotation in braces.
    field       the snapshot's attribute, or the name in its counters.
    part        which of several histograms of a series; 0 where there is one.
    bounds      upper bounds of a histogram.
    label       the name of the only label of a counter with several values.
    """

    __slots__ = ("bounds", "field", "help", "kind", "label", "name", "otel", "part", "unit")

    def __init__(
        self,
        otel: str,
        name: str,
        kind: str,
        unit: str,
        help: str,
        field: str,
        *,
        part: int = 0,
        bounds: tuple[float, ...] = (),
        label: str = "",
    ) -> None:
        self.otel = otel
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = help
        self.field = field
        self.part = part
        self.bounds = bounds
        self.label = label


def _histogram(otel: str, unit: str, help: str, field: str, part: int = 0) -> Family:
    suffix, bounds = ("_seconds", SECONDS) if unit == "s" else ("_bytes", BYTES)
    return Family(otel, otel.replace(".", "_") + suffix, "histogram", unit, help, field, part=part, bounds=bounds)


def _own(name: str, kind: str, unit: str, help: str, field: str, label: str = "") -> Family:
    """A family of ours: penstock.a.b is penstock_a_b, with the suffixes that Prometheus wants."""
    suffix = {"By": "_bytes", "s": "_seconds"}.get(unit, "") + ("_total" if kind == "counter" else "")
    otel = "penstock." + name
    return Family(otel, otel.replace(".", "_") + suffix, kind, unit, help, field, label=label)


QUEUE_DEPTH = Family(
    "kn.serving.queue.depth",
    "kn_serving_queue_depth",
    "gauge",
    "{request}",
    "Requests that wait for a slot in the container.",
    "waiting",
)
INVOCATION = _histogram(
    "kn.serving.invocation.duration",
    "s",
    "Time that the container took for a request, without the queue.",
    "invocation",
)
SERVER = (
    _histogram("http.server.request.duration", "s", "Duration of requests, from head to last byte.", "series", 0),
    _histogram("http.server.request.body.size", "By", "Size of request bodies.", "series", 1),
    _histogram("http.server.response.body.size", "By", "Size of response bodies.", "series", 2),
)
CLIENT = (
    _histogram("http.client.request.duration", "s", "Time until the container answered with a head.", "client", 0),
    _histogram("http.client.request.body.size", "By", "Size of request bodies sent to the container.", "client", 1),
)

LISTENER = "listener"

OWN = (
    _own("connections.open", "gauge", "{connection}", "Connections open now, by listener.", "conns_open", LISTENER),
    _own(
        "connections.accepted",
        "counter",
        "{connection}",
        "Connections accepted, by listener.",
        "conns_opened",
        LISTENER,
    ),
    _own("requests", "counter", "{request}", "Requests whose head was complete, by listener.", "requests", LISTENER),
    _own("requests.in.flight", "gauge", "{request}", "Requests that wait for a slot or run.", "in_flight"),
    _own("probes", "counter", "{request}", "Probes of the platform that were answered here.", "probes"),
    _own("upstream.connections.open", "gauge", "{connection}", "Connections to the container.", "upstream_conns_open"),
    _own(
        "upstream.connections.opened",
        "counter",
        "{connection}",
        "Connections to the container that were sought.",
        "upstream_conns_opened",
    ),
    _own("pool.hits", "counter", "{request}", "Requests that went over a waiting connection.", "pool_hits"),
    _own("pool.misses", "counter", "{request}", "Requests that needed a new connection.", "pool_misses"),
    _own(
        "pool.peer.closes",
        "counter",
        "{connection}",
        "Waiting connections that the container closed.",
        "pool_closed_by_peer",
    ),
    _own(
        "pool.early.closes",
        "counter",
        "{connection}",
        "Waiting connections left before the container would have closed them.",
        "pool_closed_early",
    ),
    _own("retries", "counter", "{request}", "Requests sent once more after a connection died unanswered.", "retries"),
    _own(
        "retries.unsafe",
        "counter",
        "{request}",
        "Requests lost with a waiting connection that could not be sent once more.",
        "retries_unsafe",
    ),
    _own("faults", "counter", "{request}", "Exchanges that ended badly, by the name of the fault.", "faults", "fault"),
    _own("bounds.hit", "counter", "{event}", "Peers that met a bound, by its name.", "bounds_hit", "bound"),
    _own(
        "messages.mended",
        "counter",
        "{message}",
        "Ambiguous messages passed on in a mended form, by what was mended.",
        "mended",
        "cause",
    ),
    _own("interim.responses", "counter", "{response}", "Responses 1xx passed on.", "interim"),
    _own("upgrades", "counter", "{connection}", "Connections that became something else than HTTP.", "upgrades"),
    _own("upgrades.open", "gauge", "{connection}", "Those of them that are open now.", "upgraded_open"),
    _own("queued", "counter", "{request}", "Requests that waited for a slot.", "waits"),
    _own("queued.time", "counter", "s", "Time that requests waited for a slot, in all.", "waited_s"),
    _own("queued.abandoned", "counter", "{request}", "Waiting requests whose caller left.", "abandoned"),
    _own("tls.handshakes", "counter", "{handshake}", "TLS handshakes that were completed.", "tls_handshakes"),
    _own("received", "counter", "By", "Bytes received from callers.", "bytes_in"),
    _own("sent", "counter", "By", "Bytes sent to callers.", "bytes_out"),
    _own("upstream.received", "counter", "By", "Bytes received from the container.", "upstream_bytes_in"),
    _own("upstream.sent", "counter", "By", "Bytes sent to the container.", "upstream_bytes_out"),
    _own("buffers", "gauge", "By", "Memory that bodies in flight hold.", "buffer_bytes"),
    _own("journal.records", "counter", "{record}", "Finished exchanges kept for log and traces.", "journal_records"),
    _own(
        "journal.dropped", "counter", "{record}", "Finished exchanges missing from log and traces.", "journal_dropped"
    ),
    _own("spans.dropped", "counter", "{trace}", "Traces that no collector took.", "spans_dropped"),
)

OLD_COUNTS = (
    Family(
        "", "revision_request_count", "counter", "1", "The number of requests that reached the sidecar.", "request_ms"
    ),
    Family(
        "", "revision_app_request_count", "counter", "1", "The number of requests that reached the container.", "app_ms"
    ),
)
OLD_LATENCIES = (
    Family(
        "",
        "revision_request_latencies",
        "histogram",
        "ms",
        "The response time in milliseconds, with the queue.",
        "request_ms",
        bounds=OLD_MS,
    ),
    Family(
        "",
        "revision_app_request_latencies",
        "histogram",
        "ms",
        "The response time of the container in milliseconds.",
        "app_ms",
        bounds=OLD_MS,
    ),
)
OLD_DEPTH = Family(
    "", "revision_queue_depth", "gauge", "1", "Requests that wait for a slot or run in the container.", "pending"
)

OLD_TAGS = {"kn:disabled": "DISABLED", "kn:default": "DEFAULT", "kn:undefined": "UNDEFINED"}
"""The route tags of the old names; any other tag is itself."""


def server_attributes(key: tuple[Any, ...]) -> list[tuple[str, str | int]]:
    """A key of `series` as OpenTelemetry attributes, in the order of their names."""
    method, scheme, host, port, version, status, tag = key
    pairs: list[tuple[str, str | int]] = [
        ("http.request.method", method),
        ("http.response.status_code", status),
        ("kn.route.tag", tag),
        ("network.protocol.name", "http"),
        ("network.protocol.version", version),
        ("server.address", host),
    ]
    if port is not None:
        pairs.append(("server.port", int(port)))
    pairs.append(("url.scheme", scheme))
    return pairs


def client_attributes(key: tuple[Any, ...], app_port: int) -> list[tuple[str, str | int]]:
    """A key of `client` the same way; the container is always at 127.0.0.1."""
    method, outcome, version, tag = key
    pairs: list[tuple[str, str | int]] = [("http.request.method", method)]
    if isinstance(outcome, int):
        pairs.append(("http.response.status_code", outcome))
    else:
        pairs.insert(0, ("error.type", outcome))
    pairs += [
        ("kn.route.tag", tag),
        ("network.protocol.name", "http"),
        ("network.protocol.version", version),
        ("server.address", "127.0.0.1"),
    ]
    if app_port != HTTP_PORT:
        pairs.append(("server.port", app_port))
    return [*pairs, ("url.scheme", "http")]


class Resource:
    """Who reports: the attributes that stand once beside all metrics and spans.

    namespace, pod, instance   k8s.namespace.name, k8s.pod.name, service.instance.id.
    service_name               service.name: whatever stands for the workload.
    service, configuration, revision   Knative's names; left out where empty.
    version                    ours.
    container                  container.name.
    """

    __slots__ = ("attributes", "old_labels")

    @classmethod
    def of(cls, identity: Any, version: str) -> Resource:
        """From the settings' identity (dataplane.config.schema.Identity)."""
        return cls(
            namespace=identity.namespace,
            pod=identity.telemetry_pod,
            service_name=identity.telemetry_service,
            service=identity.service,
            configuration=identity.configuration,
            revision=identity.revision,
            version=version,
            serving_pod=identity.pod,
        )

    def __init__(
        self,
        *,
        namespace: str,
        pod: str,
        service_name: str,
        service: str,
        configuration: str,
        revision: str,
        version: str,
        serving_pod: str = "",
        container: str = "queue-proxy",
    ) -> None:
        pairs = [
            ("container.name", container),
            ("k8s.namespace.name", namespace),
            ("k8s.pod.name", pod),
            ("kn.configuration.name", configuration),
            ("kn.revision.name", revision),
            ("kn.service.name", service),
            ("service.instance.id", pod),
            ("service.name", service_name),
            ("service.version", version),
        ]
        self.attributes = tuple([(k, v) for k, v in pairs if v or not k.startswith("kn.")])
        self.old_labels = (
            ("configuration_name", configuration),
            ("container_name", container),
            ("namespace_name", namespace),
            ("pod_name", serving_pod or pod),
            ("revision_name", revision),
            ("service_name", service),
        )
