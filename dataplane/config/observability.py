"""Observability: metrics, traces, request log and profiling, from JSON and OpenTelemetry's variables (1.2)."""

from __future__ import annotations

from dataplane.contract.ports import USER_METRICS_PORT
from dataplane.contract.record import Record, fields_of
from dataplane.contract.values import quoted

from .json_text import JsonObject, decode
from .schema import MetricsListener, RequestLog, Tls, Tracing, UserMetrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataplane.contract.env import SidecarEnv

    from .findings import Findings

VARIABLE = "OBSERVABILITY_CONFIG"
METRIC_PROTOCOLS = ("none", "prometheus", "grpc", "http/protobuf")
TRACE_PROTOCOLS = ("none", "stdout", "grpc", "http/protobuf")
SAMPLERS = ("always_on", "always_off", "traceidratio")
PARENT = "parentbased_"

METRICS_PORT_MIN = 1024
"""Upstream refuses ports below it (DP-020)."""

NS_PER_MS = 1_000_000


class Observability(Record):
    """What the configuration says, before addresses and certificates are known."""

    metrics: UserMetrics = UserMetrics()
    metrics_endpoint: str = ""
    """As configured: `host:port` for Prometheus."""
    tracing: Tracing | None = None
    request_log: RequestLog | None = None
    profiling: bool = False


class TraceVariables(Record):
    """OpenTelemetry's variables about traces; a field is its variable's name in lower case."""

    otel_exporter_otlp_endpoint: str = ""
    otel_exporter_otlp_traces_endpoint: str = ""
    otel_traces_sampler: str = ""
    otel_traces_sampler_arg: str = ""


def read_tracing(environ: Mapping[str, str], findings: Findings) -> Tracing | None:
    """What a gateway is told of traces: the same as a sidecar."""
    said = _configuration(environ.get(VARIABLE, ""), findings)
    variables = TraceVariables(**{name: environ.get(name.upper(), "") for name in fields_of(TraceVariables)})
    return _tracing(variables, said.inner("tracing"), findings)


def _configuration(text: str, findings: Findings) -> JsonObject:
    value: object = None
    if text:
        try:
            value = decode(text)
        except ValueError as wrong:
            findings.wrong(VARIABLE, f"not JSON: {wrong}; use {{}} for everything off")
    return JsonObject(findings, VARIABLE, "", value)


def read_observability(env: SidecarEnv, findings: Findings) -> Observability:
    """What OBSERVABILITY_CONFIG and the OTEL_ variables say together; the variables win."""
    config = _configuration(env.observability_config, findings)
    runtime = config.inner("runtime")
    profiling = runtime.text("profiling", "disabled")
    if profiling not in ("", "enabled", "disabled"):
        runtime.odd("profiling", f"{quoted(profiling)} is not known and counts as disabled; use enabled or disabled")
    metrics = config.inner("requestMetrics")
    return Observability(
        metrics=_metrics(env, metrics, findings),
        metrics_endpoint=metrics.text("endpoint"),
        tracing=_tracing(env, config.inner("tracing"), findings),
        request_log=_request_log(config),
        profiling=profiling == "enabled",
    )


def _protocol(said: JsonObject, choices: tuple[str, ...]) -> str:
    protocol = said.text("protocol") or "none"
    if protocol in choices:
        return protocol
    said.wrong("protocol", f"{quoted(protocol)} is not known; use {', '.join(choices[:-1])} or {choices[-1]}")
    return "none"


def _metrics(env: SidecarEnv, said: JsonObject, findings: Findings) -> UserMetrics:
    protocol = _protocol(said, METRIC_PROTOCOLS)
    names = findings.one_of("PENSTOCK_METRIC_NAMES", env.penstock_metric_names, ("new", "old", "both"))
    if protocol in ("none", "prometheus"):
        return UserMetrics(protocol=protocol, names=names)
    interval_ms = UserMetrics(protocol=protocol).interval_ms
    export_ns = said.whole("exportInterval")
    if export_ns < 0:
        said.wrong("exportInterval", f"{export_ns} is below 0; use nanoseconds, such as 60000000000")
    elif export_ns:
        interval_ms = max(1, export_ns // NS_PER_MS)
    text = env.otel_metric_export_interval
    if text:
        if text.isascii() and text.isdigit() and len(text) <= 12 and int(text) > 0:
            interval_ms = int(text)
        else:
            what = f"{quoted(text)} is not a number of milliseconds and is left out; use one such as 60000"
            findings.odd("OTEL_METRIC_EXPORT_INTERVAL", what)
    endpoint = _endpoint(env.otel_exporter_otlp_metrics_endpoint, env, said, protocol, "/v1/metrics")
    return UserMetrics(protocol=protocol, names=names, endpoint=endpoint, interval_ms=interval_ms)


def _endpoint(own: str, env: SidecarEnv | TraceVariables, said: JsonObject, protocol: str, path: str) -> str:
    """Where a signal is pushed: its own variable, else the common one, else the configuration, else the
    collector's usual port on this machine. Over HTTP the signal's path is added to the common one, and
    to any that has none."""
    is_common = not own and bool(env.otel_exporter_otlp_endpoint)
    url = own or env.otel_exporter_otlp_endpoint or said.text("endpoint")
    if not url:
        url = "http://localhost:4317" if protocol == "grpc" else "http://localhost:4318"
    elif "://" not in url:
        url = "https://" + url
    if protocol == "grpc":
        return url
    scheme, _, rest = url.partition("://")
    if is_common:
        return url.rstrip("/") + path
    return url if "/" in rest else f"{scheme}://{rest}{path}"


def _tracing(env: SidecarEnv | TraceVariables, said: JsonObject, findings: Findings) -> Tracing | None:
    protocol = _protocol(said, TRACE_PROTOCOLS)
    if protocol == "none":
        return None
    sampler, ratio = _sampling(env, said.number("samplingRate"), findings)
    if protocol == "stdout":
        return Tracing(protocol=protocol, sampler="always_on")
    endpoint = _endpoint(env.otel_exporter_otlp_traces_endpoint, env, said, protocol, "/v1/traces")
    return Tracing(protocol=protocol, endpoint=endpoint, sampler=sampler, ratio=ratio)


def _sampling(env: SidecarEnv | TraceVariables, rate: float, findings: Findings) -> tuple[str, float]:
    """Sampler and ratio (1.18). OTEL_TRACES_SAMPLER alone decides when it is set; without it
    OTEL_TRACES_SAMPLER_ARG replaces the configured rate, whatever its value (W18)."""
    text = env.otel_traces_sampler_arg
    argument = _ratio(text)
    if text and argument is None:
        findings.wrong("OTEL_TRACES_SAMPLER_ARG", f"{quoted(text)} is not a number; use a ratio from 0 to 1")
    named = env.otel_traces_sampler
    if named:
        if named.removeprefix(PARENT) in SAMPLERS:
            share = 1.0 if argument is None else min(1.0, max(0.0, argument))
            return named, share if named.endswith("ratio") else 1.0
        known = ", ".join(SAMPLERS)
        what = f"{quoted(named)} is not known and is left out; known are {known}, and these after {PARENT}"
        findings.odd("OTEL_TRACES_SAMPLER", what)
    if argument is not None:
        rate = argument
    if rate >= 1.0:
        return "always_on", 1.0
    return (PARENT + "traceidratio", rate) if rate > 0.0 else ("always_off", 0.0)


def _ratio(text: str) -> float | None:
    """A finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0.0 else None


def _request_log(config: JsonObject) -> RequestLog | None:
    """An empty template means no log (1.15); none at all means the built-in one."""
    enabled = config.truth("enableRequestLog")
    template = config.text("requestLogTemplate") if config.has("requestLogTemplate") else None
    probes = config.truth("enableProbeRequestLog")
    if not enabled or template == "":
        return None
    return RequestLog(template=template, probes=probes)


def metrics_listener(
    env: SidecarEnv, endpoint: str, address: str, tls: Tls | None, findings: Findings
) -> MetricsListener:
    """Where Prometheus text is served: METRICS_PROMETHEUS_HOST and _PORT, else the configured `host:port`,
    else every address of ours on 9091."""
    host, port = "", str(USER_METRICS_PORT)
    where = VARIABLE
    if endpoint:
        host, colon, port = endpoint.rpartition(":")
        if not colon or (":" in host and not (host.startswith("[") and host.endswith("]"))):
            findings.wrong(where, f'requestMetrics.endpoint: {quoted(endpoint)} is no address; use "host:port"')
            port = str(USER_METRICS_PORT)
    if env.metrics_prometheus_port:
        where, port = "METRICS_PROMETHEUS_PORT", env.metrics_prometheus_port
    number = findings.port(where, port, str(USER_METRICS_PORT), METRICS_PORT_MIN)
    host = (env.metrics_prometheus_host or host).removeprefix("[").removesuffix("]")
    return MetricsListener(address=host or address, port=number, tls=tls)
