"""SidecarEnv: the settings of a sidecar as its environment says them, in both directions.

The controller renders a container's environment from this class, and the
sidecar reads it back into the same class, so a setting that nobody reads
cannot be written. A field is its variable's name in lower case. What the
values mean together is decided in `dataplane.config`.
"""

from __future__ import annotations

from .record import Record, defaults_of, fields_of
from .values import go_bool, go_int, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

OWN_PREFIX = "PENSTOCK_"


class SidecarEnv(Record):
    """One sidecar's environment (1.2), and our own settings beside it."""

    container_concurrency: int
    """Requests that the app may run at once. Below 1: no limit."""

    queue_serving_port: str
    """Main cleartext port."""

    queue_serving_tls_port: str
    """Main TLS port."""

    user_port: str
    """Port of the app on 127.0.0.1."""

    revision_timeout_seconds: int
    """Longest request, in seconds. Below 1 it is over at once, as upstream."""

    revision_response_start_timeout_seconds: int = 0
    """Longest wait for the first byte of an answer, in seconds. Below 1: off."""

    revision_idle_timeout_seconds: int = 0
    """Longest gap between two writes of an answer, in seconds. Below 1: off."""

    serving_readiness_probe: str = ""
    """The app's readiness probe as JSON; empty: always ready."""

    enable_multi_container_probes: bool = False
    """The probe is an array of probes."""

    enable_http2_auto_detection: bool = False
    """A probe of kind httpGet tries h2c first."""

    enable_http_full_duplex: bool = False
    """Accepted; every exchange is full duplex here."""

    serving_logging_config: str
    """zap's JSON configuration; empty or unusable: ours."""

    serving_logging_level: str
    """Level that wins over the one in the configuration; empty or unknown: ignored."""

    serving_namespace: str
    serving_service: str = ""
    serving_configuration: str
    serving_revision: str
    serving_pod: str
    serving_pod_ip: str

    observability_config: str = ""
    """Metrics, traces, request log and profiling as JSON; empty: everything off."""

    queue_proxy_tls_min_version: str = ""
    queue_proxy_tls_max_version: str = ""
    queue_proxy_tls_cipher_suites: str = ""
    queue_proxy_tls_curve_preferences: str = ""

    metrics_prometheus_host: str = ""
    metrics_prometheus_port: str = ""
    metrics_prometheus_tls_cert: str = ""
    metrics_prometheus_tls_key: str = ""
    metrics_prometheus_tls_client_auth: str = ""
    metrics_prometheus_tls_client_ca_file: str = ""
    metrics_prometheus_tls_min_version: str = ""
    metrics_prometheus_tls_max_version: str = ""
    metrics_prometheus_tls_cipher_suites: str = ""
    metrics_prometheus_tls_curve_preferences: str = ""

    profiling_port: str = ""

    pod_name: str = ""
    hostname: str = ""
    otel_service_name: str = ""
    otel_exporter_otlp_endpoint: str = ""
    otel_exporter_otlp_metrics_endpoint: str = ""
    otel_exporter_otlp_traces_endpoint: str = ""
    otel_metric_export_interval: str = ""
    otel_traces_sampler: str = ""
    otel_traces_sampler_arg: str = ""

    penstock_bind_address: str = "[::]"
    """Address of every listener. Default: all interfaces of both families, as upstream (DP-023)."""

    penstock_trusted_cidrs: str = ""
    """From whom the platform's own headers are believed. Empty: from everyone, as upstream (W6, W8)."""

    penstock_app_protocol: str = "follow"
    """Protocol towards the app: `follow` the caller's (DP-082), `http1`, `h2c`, or `detect`."""

    penstock_strict: str = "enforce"
    """`enforce` refuses an ambiguous message; `observe` mends what has one reading left."""

    penstock_metric_names: str = "new"
    """Metric families: `new`, `old`, or `both`."""

    penstock_head_bytes: int = 1 << 20
    """Largest head of a request, and its largest trailers. Upstream's limit (H3)."""

    penstock_response_head_bytes: int = 10 << 20
    """Largest head of the app's answer, and its largest trailers. Upstream's limit (1.11)."""

    penstock_head_timeout_ms: int = 60_000
    """Longest arrival of a head. Upstream's limit (DP-024)."""

    penstock_idle_timeout_ms: int = 0
    """Longest rest of a kept connection. 0: no limit, as upstream (DP-025)."""

    penstock_streams_max: int = 250
    """Streams that an HTTP/2 connection may have open. Upstream's limit (1.12)."""

    penstock_window_bytes: int = 1 << 20
    """Upload window of an HTTP/2 connection, and of each stream. Upstream's size (1.12)."""

    penstock_buffer_bytes: int = 32 << 20
    """Bodies that the whole process may hold; past it nobody is read until something has left."""

    penstock_h2_resets_max: int = 5_000
    """Streams that a caller may reset on one connection within 10 s. A gateway passes on the
    cancels of all its callers, hundreds a second; a rapid reset makes a hundred thousand."""

    penstock_h2_control_max: int = 100_000
    """PING, SETTINGS, PRIORITY, empty DATA and empty CONTINUATION frames on one connection within
    10 s. gRPC measures its bandwidth with some thousand PINGs a second; a flood makes a million."""

    penstock_workers: int = 1
    """Worker threads. One: a sidecar has a fortieth of a CPU."""

    penstock_cert_dir: str = "/var/lib/knative/certs"
    """Where tls.crt and tls.key are mounted."""

    penstock_cert_poll_ms: int = 60_000
    """How often the two files are looked at. Upstream's rhythm (DP-156)."""

    penstock_quiet_ms: int = 30_000
    """How long no request may have started for a drain to end. Upstream's time (1.17)."""

    penstock_grace_period_ms: int = 0
    """The pod's grace period; a drain ends 5 s before it. 0: the revision's timeout, which is what
    the controller writes into the pod (1.1)."""

    penstock_label_values_max: int = 100
    """Distinct values of a metric label that callers choose; later ones are counted as `_OTHER` (W28)."""

    penstock_log_backlog_bytes: int = 16 << 20
    """Request log lines that may wait to be written; past it lines are dropped and counted."""

    penstock_announce_address: str = ""
    """HOST:PORT of the autoscaler that is told when the pod can serve (contract.announcement). Empty: nobody is,
    as under upstream's controller."""

    penstock_announce_token_file: str = "/var/run/secrets/penstock.dev/token"
    """Where the token is mounted that shows which pod this is."""

    def environment(self) -> dict[str, str]:
        """The variables that say these settings: every required one, and what differs from its default."""
        defaults = defaults_of(SidecarEnv)
        said: dict[str, str] = {}
        for field in fields_of(SidecarEnv):
            value = getattr(self, field)
            if field in defaults and value == defaults[field]:
                continue
            said[field.upper()] = ("false", "true")[value] if isinstance(value, bool) else str(value)
        return said


HINTS = {
    "container_concurrency": "use 0 for no limit",
    "queue_serving_port": "use 8012, or 8013 for h2c",
    "queue_serving_tls_port": "use 8112",
    "user_port": "use the port of the app, such as 8080",
    "revision_timeout_seconds": "use whole seconds, such as 300",
    "revision_response_start_timeout_seconds": "use whole seconds, or 0 for no limit",
    "revision_idle_timeout_seconds": "use whole seconds, or 0 for no limit",
    "serving_logging_config": "use zap's JSON configuration, or an empty value",
    "serving_logging_level": "use debug, info, warn or error, or an empty value",
    "serving_namespace": "use the namespace of the revision",
    "serving_configuration": "use the name of the configuration, or an empty value",
    "serving_revision": "use the name of the revision",
    "serving_pod": "use the name of the pod",
    "serving_pod_ip": "use the address of the pod",
}
"""What would be right, for every variable that must be there, and for numbers with a word to say."""

KINDS = {"int": (go_int, "an integer", "use a whole number"), "bool": (go_bool, "a truth value", "use true or false")}
"""How the text of a field of that type is read, what it is called, and what would be right."""

PLACEHOLDERS: dict[str, int | bool | str] = {"int": 0, "bool": False, "str": ""}
"""What stands in a field that could not be read, so that the others can be judged."""


def read(environ: Mapping[str, str]) -> tuple[SidecarEnv, list[tuple[str, str]]]:
    """The settings in an environment, and everything that is wrong with them.

    A variable that is required must be present; a string may be empty (DP-003),
    a number or a truth value may not, as with envconfig. An empty variable of
    ours is one that is not set. Unknown variables are ignored (DP-010).
    Returns  the settings, with stand-ins where one could not be read, and
             (variable, what is wrong) for each of those.
    """
    defaults = defaults_of(SidecarEnv)
    kinds = SidecarEnv.__annotations__
    values: dict[str, object] = {}
    wrong: list[tuple[str, str]] = []
    for field in fields_of(SidecarEnv):
        variable, kind = field.upper(), kinds[field]
        text = environ.get(variable)
        if text is None or (not text and variable.startswith(OWN_PREFIX)):
            if field in defaults:
                continue
            values[field] = PLACEHOLDERS[kind]
            wrong.append((variable, f"required key {variable} missing value; {HINTS[field]}"))
        elif kind == "str":
            values[field] = text
        else:
            reads, called, hint = KINDS[kind]
            try:
                values[field] = reads(text)
            except ValueError:
                values[field] = PLACEHOLDERS[kind]
                wrong.append((variable, f"{quoted(text)} is not {called}; {HINTS.get(field, hint)}"))
    return SidecarEnv(**values), wrong  # type: ignore[arg-type]


def unknown_own(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Variables with our prefix that no setting has, each with the nearest one that exists.

    The variables that Kubernetes makes for a Service whose name begins with
    `penstock-` look the same and are left out.
    """
    known = [field.upper() for field in fields_of(SidecarEnv) if field.startswith(OWN_PREFIX.lower())]
    odd = [name for name in environ if name.startswith(OWN_PREFIX) and name not in known and not _is_service_link(name)]
    return [(name, min(known, key=lambda one: (_distance(name, one), one))) for name in sorted(odd)]


def _is_service_link(name: str) -> bool:
    return name.endswith(("_SERVICE_HOST", "_SERVICE_PORT", "_PORT")) or "_SERVICE_PORT_" in name or "_PORT_" in name


def _distance(left: str, right: str) -> int:
    """Letters to insert, remove or replace to turn one name into the other."""
    row = list(range(len(right) + 1))
    for i, one in enumerate(left, 1):
        above, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (one != other))
    return row[-1]
