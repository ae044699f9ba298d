"""Read: environment and mounted files become Settings, or one error that names every problem."""

from __future__ import annotations

from dataplane.contract import env as contract
from dataplane.contract.ports import PORT_MAX, PROFILING_PORT, SERVING_PORT, SERVING_TLS_PORT, USER_PORT
from dataplane.contract.values import quoted

from .findings import Findings
from .logging import read_logging
from .observability import Observability, metrics_listener, read_observability
from .probe import read_probes
from .schema import (
    ALL_ADDRESSES,
    DRAIN_MARGIN_MS,
    WAITING_PER_RUNNING,
    Announce,
    App,
    Bounds,
    Certificates,
    Drain,
    Identity,
    Limit,
    Listeners,
    Readiness,
    Settings,
    Timeouts,
    Trust,
    UserMetrics,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dataplane.contract.env import SidecarEnv

RUNNING_HIGHEST = (1 << 31) - 1
"""Slots are counted in 32 bits."""

SECONDS_HIGHEST = 9_223_372_036
"""Seconds that still fit in 64 bits as nanoseconds."""

POD_NAME_MAX = 253
"""Characters of a pod's name in Kubernetes; the autoscaler's record has room for no more (DP-123)."""

DEFAULT_GRACE_MS = 30_000
"""Kubernetes' own grace period, for a revision whose timeout is no time at all."""

MS_HIGHEST = 86_400_000 * 7
BYTES_HIGHEST = 1 << 40
COUNT_HIGHEST = (1 << 31) - 1

RANGES = {
    "head_bytes": (1 << 10, 1 << 26),
    "response_head_bytes": (1 << 10, 1 << 26),
    "head_timeout_ms": (1, MS_HIGHEST),
    "streams_max": (1, COUNT_HIGHEST),
    "window_bytes": ((1 << 16) - 1, COUNT_HIGHEST),
    "buffer_bytes": (1 << 20, BYTES_HIGHEST),
    "h2_resets_max": (1, COUNT_HIGHEST),
    "h2_control_max": (1, COUNT_HIGHEST),
    "label_values_max": (1, COUNT_HIGHEST),
    "log_backlog_bytes": (1 << 16, BYTES_HIGHEST),
}
"""Bounds of our own numbers. A window below 65,535 cannot be said for a connection (RFC 9113 6.9.2)."""


def file_exists(path: str) -> bool:
    """Is there a file? Raises OSError if that cannot be found out."""
    from posix import stat

    try:
        stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def process_environment() -> dict[str, str]:
    """This process's environment, without `os`, which the sidecar does not load."""
    from posix import environ

    return {name.decode(errors="replace"): text.decode(errors="replace") for name, text in environ.items()}


def read_queue_proxy(environ: Mapping[str, str], exists: Callable[[str], bool] = file_exists) -> Settings:
    """What a sidecar was told.

    environ   the environment (1.2)
    exists    tells whether a file is there; raises OSError if it cannot
    Raises    ConfigError with every problem found
    """
    env, wrong = contract.read(environ)
    findings = Findings(wrong)
    for name, nearest in contract.unknown_own(environ):
        findings.odd(name, f"is not a setting and is ignored; did you mean {nearest}?")
    app = _app(env, findings)
    observability = read_observability(env, findings)
    address, trusted = _addresses(env, findings)
    certificates = _certificates(env, exists, findings)
    settings = Settings(
        identity=_identity(env, findings),
        listeners=_listeners(env, address, app, certificates is not None, observability.profiling, findings),
        app=app,
        limit=_limit(env, findings),
        timeouts=_timeouts(env, findings),
        bounds=_bounds(env, findings),
        trusted=trusted,
        strict=findings.one_of("PENSTOCK_STRICT", env.penstock_strict, ("enforce", "observe")) == "enforce",
        workers=findings.within("PENSTOCK_WORKERS", env.penstock_workers, 1, 64),
        certificates=certificates,
        drain=_drain(env, findings),
        readiness=_readiness(env, app.port, findings),
        metrics=_user_metrics(env, observability, address, findings),
        tracing=observability.tracing,
        request_log=observability.request_log,
        logging=read_logging(env.serving_logging_config, env.serving_logging_level),
        announce=_announce(env, findings),
        warnings=tuple(findings.warnings),
    )
    findings.end()
    return settings


def _addresses(env: SidecarEnv, findings: Findings) -> tuple[str, tuple[Trust, ...]]:
    """Where to bind, and whom to believe. The defaults need no address parser."""
    if env.penstock_bind_address == f"[{ALL_ADDRESSES}]" and not env.penstock_trusted_cidrs:
        return ALL_ADDRESSES, ()
    from .addresses import read_bind_address, read_trusted

    address = read_bind_address("PENSTOCK_BIND_ADDRESS", env.penstock_bind_address, findings)
    return address, read_trusted("PENSTOCK_TRUSTED_CIDRS", env.penstock_trusted_cidrs, findings)


def _identity(env: SidecarEnv, findings: Findings) -> Identity:
    pod = env.serving_pod
    if len(pod) > POD_NAME_MAX:
        what = f"{quoted(pod)} has {len(pod)} characters; a pod's name has at most {POD_NAME_MAX}"
        findings.wrong("SERVING_POD", what)
    telemetry_pod = env.pod_name or env.hostname
    names = (env.otel_service_name, env.serving_service, env.serving_configuration, env.serving_revision, telemetry_pod)
    return Identity(
        namespace=env.serving_namespace,
        service=env.serving_service,
        configuration=env.serving_configuration,
        revision=env.serving_revision,
        pod=pod,
        pod_ip=env.serving_pod_ip,
        telemetry_pod=telemetry_pod,
        telemetry_service=next(filter(None, names), ""),
    )


def _app(env: SidecarEnv, findings: Findings) -> App:
    protocols = ("follow", "http1", "h2c", "detect")
    return App(
        port=findings.port("USER_PORT", env.user_port, str(USER_PORT)),
        protocol=findings.one_of("PENSTOCK_APP_PROTOCOL", env.penstock_app_protocol, protocols),
    )


def _listeners(
    env: SidecarEnv, address: str, app: App, has_tls: bool, profiling: bool, findings: Findings
) -> Listeners:
    """The TLS port and the profiling port are judged only when they are bound."""
    tls_port = profiling_port = None
    if has_tls:
        tls_port = findings.port("QUEUE_SERVING_TLS_PORT", env.queue_serving_tls_port, str(SERVING_TLS_PORT))
    if profiling:
        profiling_port = findings.port("PROFILING_PORT", env.profiling_port or str(PROFILING_PORT), str(PROFILING_PORT))
    listeners = Listeners(
        address=address,
        serving_port=findings.port("QUEUE_SERVING_PORT", env.queue_serving_port, str(SERVING_PORT)),
        serving_tls_port=tls_port,
        profiling_port=profiling_port,
    )
    _distinct(listeners, app, findings)
    return listeners


def _distinct(listeners: Listeners, app: App, findings: Findings) -> None:
    """No two listeners on one port, and none where the app is: a sidecar would then call itself."""
    taken = {listeners.admin_port: "the admin port", listeners.stats_port: "the autoscaler's port"}
    for where, port in (
        ("QUEUE_SERVING_PORT", listeners.serving_port),
        ("QUEUE_SERVING_TLS_PORT", listeners.serving_tls_port),
        ("PROFILING_PORT", listeners.profiling_port),
    ):
        if port in taken:
            findings.wrong(where, f'"{port}" is {taken[port]}; use another')
        elif port:
            taken[port] = where
    if app.port in taken and listeners.address in (ALL_ADDRESSES, "0.0.0.0", app.host):
        what = f'"{app.port}" is a port of the sidecar itself, {taken[app.port]}; use the port of the app'
        findings.wrong("USER_PORT", what)


def _limit(env: SidecarEnv, findings: Findings) -> Limit:
    running_max = max(0, env.container_concurrency)
    if running_max > RUNNING_HIGHEST:
        what = f"{running_max} is above {RUNNING_HIGHEST}; use 0 for no limit"
        findings.wrong("CONTAINER_CONCURRENCY", what)
    return Limit(running_max=running_max, waiting_max=min(WAITING_PER_RUNNING * running_max, RUNNING_HIGHEST))


def _timeouts(env: SidecarEnv, findings: Findings) -> Timeouts:
    def ms(field: str) -> int:
        seconds: int = max(0, getattr(env, field))
        if seconds > SECONDS_HIGHEST:
            findings.wrong(field.upper(), f"{seconds} is above {SECONDS_HIGHEST}; use whole seconds, such as 300")
        return seconds * 1_000

    return Timeouts(
        request_ms=ms("revision_timeout_seconds"),
        response_start_ms=ms("revision_response_start_timeout_seconds") or None,
        idle_ms=ms("revision_idle_timeout_seconds") or None,
    )


def _bounds(env: SidecarEnv, findings: Findings) -> Bounds:
    values: dict[str, int] = {}
    for name, (lowest, highest) in RANGES.items():
        field = f"penstock_{name}"
        values[name] = findings.within(field.upper(), getattr(env, field), lowest, highest)
    idle_ms = findings.within("PENSTOCK_IDLE_TIMEOUT_MS", env.penstock_idle_timeout_ms, 0, MS_HIGHEST)
    bounds = Bounds(idle_timeout_ms=idle_ms or None, **values)
    for name in ("head_bytes", "response_head_bytes"):
        size = values[name]
        if size > bounds.buffer_bytes:
            what = f"{size} is above PENSTOCK_BUFFER_BYTES, {bounds.buffer_bytes}; lower it or raise that"
            findings.wrong(f"PENSTOCK_{name.upper()}", what)
    return bounds


def _certificates(env: SidecarEnv, exists: Callable[[str], bool], findings: Findings) -> Certificates | None:
    """TLS is on when both files are there at start (DP-152); only then are its variables judged (DP-155)."""
    files = [f"{env.penstock_cert_dir.rstrip('/')}/{name}" for name in ("tls.crt", "tls.key")]
    poll_ms = findings.within("PENSTOCK_CERT_POLL_MS", env.penstock_cert_poll_ms, 10, MS_HIGHEST)
    found = 0
    for path in files:
        try:
            found += exists(path)
        except OSError as refusal:
            findings.wrong("PENSTOCK_CERT_DIR", f"{path}: {refusal.strerror}; let the process look into it")
    if found < len(files):
        return None
    from .tls import read_tls

    return Certificates(tls=read_tls(env, "QUEUE_PROXY", files[0], files[1], findings), poll_ms=poll_ms)


def _drain(env: SidecarEnv, findings: Findings) -> Drain:
    grace_ms = findings.within("PENSTOCK_GRACE_PERIOD_MS", env.penstock_grace_period_ms, 0, MS_HIGHEST)
    if not grace_ms:
        grace_ms = max(0, env.revision_timeout_seconds) * 1_000 or DEFAULT_GRACE_MS
    return Drain(
        quiet_ms=findings.within("PENSTOCK_QUIET_MS", env.penstock_quiet_ms, 0, MS_HIGHEST),
        longest_ms=max(grace_ms // 2, grace_ms - DRAIN_MARGIN_MS),
    )


def _readiness(env: SidecarEnv, user_port: int, findings: Findings) -> Readiness:
    probes = read_probes(env.serving_readiness_probe, env.enable_multi_container_probes, user_port, findings)
    return Readiness(probes=probes, detect_http2=env.enable_http2_auto_detection)


def _announce(env: SidecarEnv, findings: Findings) -> Announce | None:
    """An address that cannot be used is odd and no more: the pod can do without (1.3)."""
    said = env.penstock_announce_address
    if not said:
        return None
    host, _, port = said.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    is_port = port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= PORT_MAX
    if not is_port or not bare or not bare.isascii() or (":" in bare and bare == host):
        what = f"{quoted(said)} is not HOST:PORT, so nobody is told of readiness; use one such as 10.0.0.7:8092"
        findings.odd("PENSTOCK_ANNOUNCE_ADDRESS", what)
        return None
    return Announce(host=bare, port=int(port), token_file=env.penstock_announce_token_file)


def _user_metrics(env: SidecarEnv, said: Observability, address: str, findings: Findings) -> UserMetrics:
    """The listener and its TLS are judged only when Prometheus is asked for."""
    if said.metrics.protocol != "prometheus":
        return said.metrics
    has_tls_words = any(
        (
            env.metrics_prometheus_tls_cert,
            env.metrics_prometheus_tls_key,
            env.metrics_prometheus_tls_client_auth,
            env.metrics_prometheus_tls_client_ca_file,
        )
    )
    tls = None
    if has_tls_words:
        from .metrics_tls import read_metrics_tls

        tls = read_metrics_tls(env, findings)
    return said.metrics.but(listener=metrics_listener(env, said.metrics_endpoint, address, tls, findings))
