"""Activator: its settings, from upstream's variables (2.1) and a few of ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dataplane.contract.ports import SERVING_H2C_PORT, SERVING_PORT, STATS_PORT
from dataplane.contract.record import Record
from dataplane.contract.values import go_int, quoted

from .addresses import packed, read_bind_address, read_trusted
from .duration import go_duration_s
from .findings import Findings
from .schema import ALL_ADDRESSES, WORKERS_MAX, Trust

RESOLV_CONF = Path("/etc/resolv.conf")
DEFAULT_DOMAIN = "cluster.local"
AUTOSCALER_PORT = 8080
IDLE_MAX = 1_000_000
"""Of MAX_IDLE_PROXY_CONNS and its like; more than a process has descriptors."""


class ActivatorSettings(Record):
    """One activator, in front of every revision of the cluster."""

    name: str
    """Of its pod; the autoscaler tells activators apart by it. POD_NAME."""
    pod_address: str
    """By which it finds itself among the activators of a revision. POD_IP."""
    system_namespace: str
    """Of the config maps, the autoscaler, and its own Service. SYSTEM_NAMESPACE."""
    cluster_domain: str = DEFAULT_DOMAIN
    """CLUSTER_DOMAIN, else what /etc/resolv.conf says."""
    autoscaler: str
    """Whom load is reported to. PENSTOCK_AUTOSCALER; else the Service that upstream has (2.11)."""
    probe_timeout_s: float = 0.3
    """For all probes of a round. PROBE_TIMEOUT, a Go duration."""
    probe_period_s: float = 0.2
    """Between two rounds while a pod is not healthy. PROBE_FREQUENCY, a Go duration."""
    idle_max: int = 100
    """Waiting connections to each pod. MAX_IDLE_PROXY_CONNS_PER_HOST, as far as MAX_IDLE_PROXY_CONNS allows it."""
    observability_map: str = "config-observability"
    """CONFIG_OBSERVABILITY_NAME."""
    address: str = ALL_ADDRESSES
    """Of every listener. PENSTOCK_BIND_ADDRESS."""
    http1_port: int = SERVING_PORT
    """PENSTOCK_HTTP1_PORT."""
    h2c_port: int = SERVING_H2C_PORT
    """PENSTOCK_H2C_PORT."""
    metrics_address: str = ALL_ADDRESSES
    """METRICS_PROMETHEUS_HOST."""
    metrics_port: int = STATS_PORT
    """METRICS_PROMETHEUS_PORT."""
    workers: int = 0
    """Threads; 0: one for each CPU that is available. PENSTOCK_WORKERS."""
    trusted: tuple[Trust, ...] = ()
    """Whose platform headers are believed. PENSTOCK_TRUSTED_CIDRS; empty: everyone's."""


PORTS = {
    "PENSTOCK_HTTP1_PORT": ("http1_port", SERVING_PORT),
    "PENSTOCK_H2C_PORT": ("h2c_port", SERVING_H2C_PORT),
    "METRICS_PROMETHEUS_PORT": ("metrics_port", STATS_PORT),
}
DURATIONS = {"PROBE_TIMEOUT": "probe_timeout_s", "PROBE_FREQUENCY": "probe_period_s"}
ADDRESSES = {"PENSTOCK_BIND_ADDRESS": "address", "METRICS_PROMETHEUS_HOST": "metrics_address"}


def read_activator(environ: Mapping[str, str], resolv_conf: Path = RESOLV_CONF) -> ActivatorSettings:
    """Raises  ConfigError that names every variable which is missing or wrong."""
    findings = Findings()
    namespace = findings.needed(environ, "SYSTEM_NAMESPACE", "the namespace of the config maps")
    domain = environ.get("CLUSTER_DOMAIN") or domain_of(resolv_conf)
    values: dict[str, Any] = {
        "name": findings.needed(environ, "POD_NAME", "the name of the pod"),
        "pod_address": _pod_address(environ, findings),
        "system_namespace": namespace,
        "cluster_domain": domain,
        "autoscaler": _autoscaler(environ, namespace, domain, findings),
        "idle_max": _idle(environ, findings),
        "trusted": read_trusted("PENSTOCK_TRUSTED_CIDRS", environ.get("PENSTOCK_TRUSTED_CIDRS", ""), findings),
    }
    if environ.get("CONFIG_OBSERVABILITY_NAME"):
        values["observability_map"] = environ["CONFIG_OBSERVABILITY_NAME"]
    for variable, (field, example) in PORTS.items():
        if environ.get(variable):
            values[field] = findings.port(variable, environ[variable], str(example))
    for variable, field in DURATIONS.items():
        if environ.get(variable):
            values[field] = _duration(variable, environ[variable], findings)
    for variable, field in ADDRESSES.items():
        if environ.get(variable):
            values[field] = read_bind_address(variable, environ[variable], findings)
    if environ.get("PENSTOCK_WORKERS"):
        values["workers"] = _whole(environ, "PENSTOCK_WORKERS", 1, 1, WORKERS_MAX, findings)
    findings.end()
    return ActivatorSettings(**values)


def domain_of(resolv_conf: Path) -> str:
    """What follows `svc.` in the search list of the pod, else cluster.local (2.1)."""
    try:
        lines = resolv_conf.read_text(errors="replace").splitlines()
    except OSError:
        return DEFAULT_DOMAIN
    for line in lines:
        first, *domains = line.split() or [""]
        for domain in domains if first == "search" else []:
            if domain.startswith("svc."):
                return domain.removeprefix("svc.").rstrip(".")
    return DEFAULT_DOMAIN


def _pod_address(environ: Mapping[str, str], findings: Findings) -> str:
    text = findings.needed(environ, "POD_IP", "the address of the pod")
    if text and packed(text) is None:
        findings.wrong("POD_IP", f"{quoted(text)} is not an IP address; use one such as 10.0.0.7")
    return text


def _autoscaler(environ: Mapping[str, str], namespace: str, domain: str, findings: Findings) -> str:
    text = environ.get("PENSTOCK_AUTOSCALER") or f"ws://autoscaler.{namespace}.svc.{domain}:{AUTOSCALER_PORT}"
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if "PENSTOCK_AUTOSCALER" in environ and not is_address:
        findings.wrong("PENSTOCK_AUTOSCALER", f"{quoted(text)} is no address; use one such as ws://autoscaler:8080")
    return text


def _duration(variable: str, text: str, findings: Findings) -> float:
    try:
        seconds = go_duration_s(text)
    except ValueError:
        findings.wrong(variable, f"{quoted(text)} is not a duration; use one such as 300ms")
        return 0.0
    if seconds == 0:
        findings.wrong(variable, f"{quoted(text)} is no time at all; use one such as 300ms")
    return seconds


def _idle(environ: Mapping[str, str], findings: Findings) -> int:
    overall = _whole(environ, "MAX_IDLE_PROXY_CONNS", 1000, 0, IDLE_MAX, findings)
    each = _whole(environ, "MAX_IDLE_PROXY_CONNS_PER_HOST", 100, 0, IDLE_MAX, findings)
    return min(overall, each)


def _whole(
    environ: Mapping[str, str], variable: str, default: int, lowest: int, highest: int, findings: Findings
) -> int:
    text = environ.get(variable, "")
    if not text:
        return default
    try:
        number = go_int(text)
    except ValueError:
        findings.wrong(variable, f"{quoted(text)} is not a whole number; use {lowest} to {highest}")
        return default
    return findings.within(variable, number, lowest, highest)
