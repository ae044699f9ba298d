"""Settings: what a sidecar was told, with every default filled in and every unit in its name.

Where a default has a reason of its own it stands at the variable it comes
from, in `dataplane.contract.env`. A setting that is off is None.
"""

from __future__ import annotations

from dataplane.contract.ports import ADMIN_PORT, STATS_PORT
from dataplane.contract.record import Record
from dataplane.errors import Problem
from dataplane.logs import LogFormat

USER_HOST = "127.0.0.1"
"""The app is always reached over IPv4 loopback (1.2, USER_PORT)."""

ALL_ADDRESSES = "::"
"""Every interface, of both families (DP-023)."""

WORKERS_MAX = 64
"""Threads of one engine, which has room for as many listening sockets of a port (ext/engine.pyx)."""

WAITING_PER_RUNNING = 10
"""Places in the waiting room for each slot, so that the autoscaler has time to react (1.9)."""

DRAIN_MARGIN_MS = 5_000
"""How long before the grace period ends a drain ends, however busy the pod is (W41); of a period so short that this
would leave less than half of it, half."""


class Identity(Record):
    """Whose sidecar this is, in logs, metrics, traces and the autoscaler's record."""

    namespace: str
    service: str
    configuration: str
    revision: str
    pod: str
    pod_ip: str

    telemetry_pod: str
    """`k8s.pod.name` of telemetry: POD_NAME, else HOSTNAME; may be empty."""

    telemetry_service: str
    """`service.name` of telemetry: OTEL_SERVICE_NAME, else service, configuration, revision or pod."""


class Listeners(Record):
    """Where the process listens."""

    address: str
    """IP literal without brackets, for every listener; `::` is all interfaces of both families."""

    serving_port: int
    serving_tls_port: int | None
    """None: TLS is off."""

    admin_port: int = ADMIN_PORT
    stats_port: int = STATS_PORT
    profiling_port: int | None
    """None: profiling is off."""


class App(Record):
    """The user's container."""

    host: str = USER_HOST
    port: int
    protocol: str
    """`follow`, `http1`, `h2c` or `detect`."""


class Limit(Record):
    """How much of the app runs at once, and how much waits for it."""

    running_max: int
    """Requests. 0: no limit, and then no waiting room. From CONTAINER_CONCURRENCY."""

    waiting_max: int
    """Requests that may wait for a slot."""


class Timeouts(Record):
    """The three timers of a request, all started when its head is complete (1.8)."""

    request_ms: int
    """0 fires at once, as upstream."""

    response_start_ms: int | None
    idle_ms: int | None


class Bounds(Record):
    """What a peer may cost. The names say the unit; `_max` counts things."""

    head_bytes: int
    response_head_bytes: int
    head_timeout_ms: int
    idle_timeout_ms: int | None
    streams_max: int
    window_bytes: int
    buffer_bytes: int
    h2_resets_max: int
    """Per connection within 10 s, as the next."""
    h2_control_max: int
    label_values_max: int
    log_backlog_bytes: int


class Trust(Record):
    """A range of addresses whose word on the platform's headers is taken."""

    network: bytes
    """16 bytes; an IPv4 address is written as mapped (`::ffff:a.b.c.d`)."""

    bits: int
    """Leading bits that must be equal, 0 to 128."""


class Tls(Record):
    """One listener's TLS."""

    cert_file: str
    key_file: str
    version_min: str
    """`1.2` or `1.3`."""
    version_max: str
    ciphers: tuple[str, ...]
    """TLS 1.2 suites by OpenSSL's names; empty: OpenSSL's choice."""
    groups: tuple[str, ...]
    """Key exchange groups by OpenSSL's names, the preferred first; empty: OpenSSL's choice. An older
    OpenSSL may lack X25519MLKEM768."""
    client_auth: str = "none"
    """`none`, `optional` or `require`."""
    client_ca_file: str = ""


class Certificates(Record):
    """The serving certificate, and how often its files are looked at."""

    tls: Tls
    poll_ms: int


class Drain(Record):
    """How the process leaves."""

    quiet_ms: int
    """Time without a new request after which a drain is over."""

    longest_ms: int
    """When it is over however many come: the grace period less its margin."""


class Probe(Record):
    """One way to ask whether a container is ready (1.16)."""

    kind: str
    """`tcp`, `http`, `grpc`, or `none`, which always fails (DP-051)."""

    host: str = USER_HOST
    port: int = 0
    path: str = "/"
    """With its query; begins with a slash."""
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()
    service: str = ""
    """Of a grpc probe."""
    period_s: int = 0
    """0: aggressive, every 50 ms for 10 s."""
    timeout_s: int = 1
    success_threshold: int = 1


class Readiness(Record):
    """All probes together; without any the app is always ready (DP-052)."""

    probes: tuple[Probe, ...] = ()
    detect_http2: bool = False


class Announce(Record):
    """Who is told when the pod can serve."""

    host: str
    """Name or address, without brackets."""
    port: int
    token_file: str

    @property
    def place(self) -> str:
        """As a URL has it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class MetricsListener(Record):
    """Where Prometheus text is served."""

    address: str
    port: int
    tls: Tls | None = None


class UserMetrics(Record):
    """The revision's metrics."""

    protocol: str = "none"
    """`none`, `prometheus`, `grpc` or `http/protobuf`."""
    names: str = "new"
    """`new`, `old` or `both`."""
    listener: MetricsListener | None = None
    """Set for `prometheus`."""
    endpoint: str = ""
    """URL that OTLP is pushed to, its path complete."""
    interval_ms: int = 60_000
    """Between two pushes. OpenTelemetry's default."""


class Tracing(Record):
    """Where traces go, and which requests get one."""

    protocol: str
    """`stdout`, `grpc` or `http/protobuf`."""
    endpoint: str = ""
    """URL that OTLP is pushed to, its path complete."""
    sampler: str
    """`always_on`, `always_off`, `traceidratio`, or these after `parentbased_`."""
    ratio: float = 1.0
    """Share of the traces begun here, 0 to 1."""


class RequestLog(Record):
    """One line per request."""

    template: str | None = None
    """Go template; None: the built-in one."""
    probes: bool = False
    """Log probes too."""


class Settings(Record):
    """Everything that a sidecar was told."""

    identity: Identity
    listeners: Listeners
    app: App
    limit: Limit
    timeouts: Timeouts
    bounds: Bounds
    trusted: tuple[Trust, ...]
    """Empty: everybody is believed."""
    strict: bool
    """False: mend what has one reading left."""
    workers: int
    certificates: Certificates | None
    drain: Drain
    readiness: Readiness
    metrics: UserMetrics
    tracing: Tracing | None
    request_log: RequestLog | None
    logging: LogFormat
    announce: Announce | None = None
    """None: nobody is told."""
    warnings: tuple[Problem, ...] = ()
    """What is odd but no reason to stop; logged once the process runs."""
