"""Tracing: finished exchanges to spans, and spans to whoever wants them.

The engine reads and writes `traceparent`, decides who is sampled and makes
the ids that others see; here a record of a finished exchange becomes its
spans. `sampler` is bare; all else loads what it needs when it is made.
Source: spec 1.18, DP-150; W3C Trace Context; W18.
"""

from __future__ import annotations

from dataplane.metrics.fold import METHODS, OTHER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.metrics.catalog import Resource

ALWAYS = (1 << 64) - 1
ROOT, PARENT = "root", "parent"
NO_SPAN = bytes(8)

INTERNAL, SERVER, CLIENT = 1, 2, 3
BATCH_MAX = 512
QUEUE_MAX = 2048
PERIOD_S = 5.0
"""Batch, queue and pause are those of OpenTelemetry's batch processor; they count exchanges here."""


def sampler(settings: object) -> tuple[str, int]:
    """How the engine decides whether a request is traced.

    settings  with `sampler`, OpenTelemetry's name, and `ratio` from 0 to 1
              (dataplane.config.schema.Tracing).
    Returns   (mode, threshold). PARENT: a caller's sampled flag decides where
              there is one. Else, and always with ROOT, a trace is sampled when
              the last 8 bytes of its id, as a number, are below the threshold,
              or when the threshold is ALWAYS.
    """
    name = settings.sampler  # type: ignore[attr-defined]
    root = name.removeprefix("parentbased_")
    mode = ROOT if root == name else PARENT
    if root == "traceidratio":
        ratio = min(1.0, max(0.0, settings.ratio))  # type: ignore[attr-defined]
        return mode, min(ALWAYS, int(ratio * (1 << 64)))
    return mode, 0 if root == "always_off" else ALWAYS


class Trace:
    """One finished and sampled exchange.

    trace_id               16 bytes; parent_id 8, zeros when the trace began here.
    server_id, client_id   the 8 bytes of the spans that the engine made; the
                           second one is what the container saw.
    state                  `tracestate` as it came.
    method, target, status, host, port, scheme, version, tag, remote_addr, user_agent
                           as in log and metrics; port may be None.
    start_unix_ns          when the head was complete; all that follows is in
                           nanoseconds after it, None when it never came to that.
    admitted_ns            a slot was granted.    connect_ns    a connection was sought.
    first_byte_ns          the container answered. end_ns       the last byte.
    limited                whether there is a limit, and so a wait (DP-150).
    fault                  the name of what went wrong; empty when nothing did.
    """

    __slots__ = (
        "admitted_ns",
        "client_id",
        "connect_ns",
        "end_ns",
        "fault",
        "first_byte_ns",
        "host",
        "limited",
        "method",
        "parent_id",
        "port",
        "remote_addr",
        "request_bytes",
        "response_bytes",
        "scheme",
        "server_id",
        "start_unix_ns",
        "state",
        "status",
        "tag",
        "target",
        "trace_id",
        "user_agent",
        "version",
    )

    def __init__(
        self,
        *,
        trace_id: bytes,
        server_id: bytes,
        client_id: bytes,
        method: str,
        target: str,
        status: int,
        host: str,
        scheme: str,
        version: str,
        tag: str,
        start_unix_ns: int,
        end_ns: int,
        parent_id: bytes = NO_SPAN,
        state: str = "",
        port: str | None = None,
        remote_addr: str = "",
        user_agent: str = "",
        admitted_ns: int | None = None,
        connect_ns: int | None = None,
        first_byte_ns: int | None = None,
        request_bytes: int = 0,
        response_bytes: int = 0,
        limited: bool = False,
        fault: str = "",
    ) -> None:
        self.trace_id = trace_id
        self.server_id = server_id
        self.client_id = client_id
        self.parent_id = parent_id
        self.state = state
        self.method = method
        self.target = target
        self.status = status
        self.host = host
        self.port = port
        self.scheme = scheme
        self.version = version
        self.tag = tag
        self.remote_addr = remote_addr
        self.user_agent = user_agent
        self.start_unix_ns = start_unix_ns
        self.admitted_ns = admitted_ns
        self.connect_ns = connect_ns
        self.first_byte_ns = first_byte_ns
        self.end_ns = end_ns
        self.request_bytes = request_bytes
        self.response_bytes = response_bytes
        self.limited = limited
        self.fault = fault


class Naming:
    """What a process calls its spans, and whom it calls.

    proxy, wait  names of the two spans that nobody else sees.
    address, port  of the one whom it calls; empty and 0 when that is another one each time.
    """

    __slots__ = ("address", "port", "proxy", "wait")

    def __init__(self, proxy: str, wait: str, address: str = "", port: int = 0) -> None:
        self.proxy = proxy
        self.wait = wait
        self.address = address
        self.port = port


def queue_proxy(app_port: int) -> Naming:
    """As upstream's sidecar names them (1.18)."""
    return Naming("kn.queueproxy.proxy", "kn.queueproxy.wait", "127.0.0.1", app_port)


GATEWAY = Naming("penstock.gateway.proxy", "penstock.gateway.wait")


class Span:
    """One span: name, kind, ids, Unix nanoseconds, attributes, and the fault if it failed."""

    __slots__ = ("attributes", "end_ns", "fault", "kind", "name", "parent_id", "span_id", "start_ns")

    def __init__(
        self,
        name: str,
        kind: int,
        span_id: bytes,
        parent_id: bytes,
        start_ns: int,
        end_ns: int,
        attributes: list[tuple[str, str | int]],
        fault: str,
    ) -> None:
        self.name = name
        self.kind = kind
        self.span_id = span_id
        self.parent_id = parent_id
        self.start_ns = start_ns
        self.end_ns = end_ns
        self.attributes = attributes
        self.fault = fault


def spans(trace: Trace, naming: Naming, new_id: Callable[[int], bytes]) -> list[Span]:
    """The spans of one exchange, the server's first.

    naming  the process's.
    new_id  random bytes, for the two spans that nobody outside has seen.
    """
    begin, end = trace.start_unix_ns, trace.start_unix_ns + trace.end_ns
    proxy_id = new_id(8)
    failed = trace.fault or ("" if trace.status < 500 else str(trace.status))
    name = trace.method if trace.method in METHODS else "HTTP"
    found = [
        Span(name, SERVER, trace.server_id, trace.parent_id, begin, end, _server(trace), failed),
        Span(naming.proxy, INTERNAL, proxy_id, trace.server_id, begin, end, [], ""),
    ]
    if trace.limited:
        waited = trace.end_ns if trace.admitted_ns is None else trace.admitted_ns
        found.append(Span(naming.wait, INTERNAL, new_id(8), proxy_id, begin, begin + waited, [], ""))
    if trace.connect_ns is not None:
        client_failed = "" if trace.status < 400 and not trace.fault else trace.fault or str(trace.status)
        found.append(
            Span(
                f"HTTP {name}" if name != "HTTP" else "HTTP",
                CLIENT,
                trace.client_id,
                proxy_id,
                begin + trace.connect_ns,
                end,
                _client(trace, naming),
                client_failed,
            )
        )
    return found


def _method(trace: Trace) -> list[tuple[str, str | int]]:
    if trace.method in METHODS:
        return [("http.request.method", trace.method)]
    return [("http.request.method", OTHER), ("http.request.method_original", trace.method)]


def _server(trace: Trace) -> list[tuple[str, str | int]]:
    path = trace.target.partition("?")[0]
    address, _, port = trace.remote_addr.rpartition(":")
    pairs: list[tuple[str, str | int]] = [
        *_method(trace),
        ("http.response.status_code", trace.status),
        ("http.request.body.size", trace.request_bytes),
        ("http.response.body.size", trace.response_bytes),
        ("kn.route.tag", trace.tag),
        ("network.protocol.version", trace.version),
        ("server.address", trace.host),
        ("url.path", path),
        ("url.scheme", trace.scheme),
    ]
    if trace.port:
        pairs.append(("server.port", int(trace.port)))
    if address and port.isdigit():
        pairs += [("network.peer.address", address.strip("[]")), ("network.peer.port", int(port))]
    if trace.user_agent:
        pairs.append(("user_agent.original", trace.user_agent))
    if trace.fault:
        pairs.append(("error.type", trace.fault))
    return pairs


def _client(trace: Trace, naming: Naming) -> list[tuple[str, str | int]]:
    pairs: list[tuple[str, str | int]] = [
        *_method(trace),
        ("network.protocol.version", trace.version),
    ]
    if naming.address:
        pairs += [
            ("server.address", naming.address),
            ("server.port", naming.port),
            ("url.full", f"http://{naming.address}:{naming.port}{trace.target}"),
        ]
    if trace.first_byte_ns is not None:
        pairs.append(("http.response.status_code", trace.status))
    if trace.fault:
        pairs.append(("error.type", trace.fault))
    return pairs


class OtlpTraces:
    """Gathers traces and pushes them in batches, from a thread of its own.

    resource, version  who reports; naming as in `spans`.
    protocol, url      as in the settings.
    tell               takes a sentence when pushing begins to fail, and when it works again.
    dropped            exchanges that no collector took, or that came too fast.
    Raises             ValueError from the constructor for an endpoint that is none.
    """

    def __init__(
        self,
        resource: Resource,
        version: str,
        naming: Naming,
        *,
        protocol: str,
        url: str,
        tell: Callable[[str], None],
        period_s: float = PERIOD_S,
    ) -> None:
        from threading import Lock
        from time import monotonic

        from dataplane import collector, spans_otlp

        self._clock = monotonic
        self._encode = spans_otlp.Encoder(resource, version, naming).encode
        self._sender = collector.sender(protocol, url, collector.TRACES)
        self._accepted, self._later = collector.ACCEPTED, collector.TRY_LATER
        self._rhythm = collector.Rhythm(self._push, period_s)
        self._tell = tell
        self._lock = Lock()
        self._held: list[Trace] = []
        self._failing = False
        self.dropped = 0

    def start(self) -> None:
        self._rhythm.start()

    def add(self, trace: Trace) -> None:
        """Takes one exchange; drops it when too many wait. Safe from any thread."""
        with self._lock:
            if len(self._held) >= QUEUE_MAX:
                self.dropped += 1
                return
            self._held.append(trace)
            full = len(self._held) == BATCH_MAX
        if full:
            self._rhythm.hurry()

    def _push(self, timeout_s: float) -> bool:
        """Sends what is held, a batch at a time; says whether something is left for later."""
        deadline = self._clock() + timeout_s
        while True:
            with self._lock:
                batch, self._held = self._held[:BATCH_MAX], self._held[BATCH_MAX:]
            if not batch:
                return False
            outcome, reason = self._sender.send(self._encode(batch), max(0.1, deadline - self._clock()))
            self._told(outcome != self._accepted, reason)
            if outcome == self._later:
                with self._lock:
                    room = max(0, QUEUE_MAX - len(self._held))
                    self.dropped += max(0, len(batch) - room)
                    self._held[:0] = batch[:room]
                return True
            if outcome != self._accepted:
                self.dropped += len(batch)

    def _told(self, failing: bool, reason: str) -> None:
        if failing != self._failing:
            self._failing = failing
            self._tell(f"traces are not taken by the collector: {reason}" if failing else "traces are taken again")

    def close(self, timeout_s: float = 10.0) -> None:
        """The last batches and the end, within `timeout_s`; what is left then is dropped."""
        self._rhythm.close(timeout_s)
        self._sender.close()
        self.dropped += len(self._held)
        self._held = []


class StdoutTraces:
    """Writes each span as one JSON line, as soon as its exchange is over.

    write  takes the bytes of whole lines, such as LineWriter.add.
    """

    def __init__(self, resource: Resource, version: str, naming: Naming, write: Callable[[bytes], None]) -> None:
        import json
        from posix import urandom

        from dataplane.otlp_values import clean

        self._new_id, self._clean = urandom, clean
        self._dumps = json.dumps
        self._resource = dict(resource.attributes)
        self._scope = {"Name": "penstock", "Version": version}
        self._naming = naming
        self._write = write
        self.dropped = 0

    def start(self) -> None:
        """Nothing has to run."""

    def add(self, trace: Trace) -> None:
        """Writes the spans of one exchange."""
        for span in spans(trace, self._naming, self._new_id):
            context = {"TraceID": trace.trace_id.hex(), "TraceFlags": "01", "TraceState": self._clean(trace.state)}
            line = {
                "Name": span.name,
                "SpanContext": context | {"SpanID": span.span_id.hex()},
                "Parent": context | {"SpanID": span.parent_id.hex()},
                "SpanKind": span.kind,
                "StartTimeUnixNano": span.start_ns,
                "EndTimeUnixNano": span.end_ns,
                "Attributes": {k: self._clean(v) if isinstance(v, str) else v for k, v in span.attributes},
                "Status": {"Code": "Error", "Description": span.fault} if span.fault else {"Code": "Unset"},
                "Resource": self._resource,
                "InstrumentationScope": self._scope,
            }
            self._write(self._dumps(line).encode() + b"\n")

    def close(self, timeout_s: float = 0.0) -> None:
        """Nothing is held back."""
