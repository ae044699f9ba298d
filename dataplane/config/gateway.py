"""Gateway: its settings, from the environment alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dataplane.contract.record import Record
from dataplane.contract.values import quoted

from .addresses import read_bind_address, read_trusted
from .findings import Findings
from .observability import read_tracing
from .schema import ALL_ADDRESSES, WORKERS_MAX, Tracing, Trust


class GatewaySettings(Record):
    """One gateway, which holds requests for revisions at zero itself."""

    name: str
    """Of its pod; the controller and the autoscaler tell gateways apart by it. POD_NAME."""
    namespace: str = ""
    """Of its pod, for who collects traces. POD_NAMESPACE."""
    address: str = ALL_ADDRESSES
    """Of every listener. PENSTOCK_BIND_ADDRESS."""
    public_port: int = 8080
    """For external hosts. PENSTOCK_PUBLIC_PORT."""
    private_port: int = 8081
    """For all hosts. PENSTOCK_PRIVATE_PORT."""
    admin_port: int = 9000
    """`/ready`, `/healthz`, `/metrics`. PENSTOCK_ADMIN_PORT."""
    sockets: tuple[int, ...] = ()
    """Descriptors of listening sockets that outlive this process: public, private, admin; empty: it binds the ports.
    PENSTOCK_LISTEN_FDS."""
    notice_fd: int = -1
    """Connection that hears when it begins to leave, so that the next one is started. PENSTOCK_NOTICE_FD."""
    handover: Path | None = None
    """Unix socket where somebody else gets those sockets when whoever started this is gone. PENSTOCK_HANDOVER."""
    controller: str
    """Where routes come from, ws://HOST:PORT. PENSTOCK_CONTROLLER."""
    autoscaler: str
    """Whom load is reported to, ws://HOST:PORT. PENSTOCK_AUTOSCALER."""
    state_file: Path | None = None
    """Where the last routes are kept. PENSTOCK_STATE_FILE; empty: nowhere."""
    workers: int = 0
    """Threads; 0: one for each CPU that is available. PENSTOCK_WORKERS."""
    cluster_domain: str = "cluster.local"
    """CLUSTER_DOMAIN."""
    server_timing: bool = False
    """Who waited for an instance to start is told in Server-Timing for what. PENSTOCK_SERVER_TIMING, true or false."""
    tracing: Tracing | None = None
    """OBSERVABILITY_CONFIG and OpenTelemetry's variables, as a sidecar has them; None: off."""
    trusted: tuple[Trust, ...] = ()
    """Whose platform headers are believed. PENSTOCK_TRUSTED_CIDRS; empty: everyone's."""


SOCKETS = 3

PORTS = {
    "PENSTOCK_PUBLIC_PORT": ("public_port", "8080"),
    "PENSTOCK_PRIVATE_PORT": ("private_port", "8081"),
    "PENSTOCK_ADMIN_PORT": ("admin_port", "9000"),
}


def read_gateway(environ: Mapping[str, str]) -> GatewaySettings:
    """Raises  ConfigError that names every variable which is missing or wrong."""
    findings = Findings()
    values: dict[str, Any] = {
        "name": findings.needed(environ, "POD_NAME", "the name of the pod"),
        "namespace": environ.get("POD_NAMESPACE", ""),
        "controller": _socket(environ, "PENSTOCK_CONTROLLER", findings),
        "autoscaler": _socket(environ, "PENSTOCK_AUTOSCALER", findings),
        "cluster_domain": environ.get("CLUSTER_DOMAIN") or "cluster.local",
        "tracing": read_tracing(environ, findings),
        "trusted": read_trusted("PENSTOCK_TRUSTED_CIDRS", environ.get("PENSTOCK_TRUSTED_CIDRS", ""), findings),
    }
    for variable, (field, example) in PORTS.items():
        if environ.get(variable):
            values[field] = findings.port(variable, environ[variable], example)
    if environ.get("PENSTOCK_LISTEN_FDS"):
        values["sockets"] = _descriptors(environ, "PENSTOCK_LISTEN_FDS", SOCKETS, "3,4,5", findings)
    if environ.get("PENSTOCK_NOTICE_FD"):
        values["notice_fd"] = next(iter(_descriptors(environ, "PENSTOCK_NOTICE_FD", 1, "6", findings)), -1)
    if environ.get("PENSTOCK_BIND_ADDRESS"):
        values["address"] = read_bind_address("PENSTOCK_BIND_ADDRESS", environ["PENSTOCK_BIND_ADDRESS"], findings)
    if environ.get("PENSTOCK_HANDOVER"):
        values["handover"] = Path(environ["PENSTOCK_HANDOVER"])
    if environ.get("PENSTOCK_STATE_FILE"):
        values["state_file"] = Path(environ["PENSTOCK_STATE_FILE"])
    if environ.get("PENSTOCK_SERVER_TIMING"):
        said = findings.one_of("PENSTOCK_SERVER_TIMING", environ["PENSTOCK_SERVER_TIMING"], ("true", "false"))
        values["server_timing"] = said == "true"
    workers = environ.get("PENSTOCK_WORKERS", "")
    if workers:
        is_number = workers.isascii() and workers.isdigit()
        if not is_number:
            findings.wrong("PENSTOCK_WORKERS", f"{quoted(workers)} is not a number; use 1 to {WORKERS_MAX}")
        values["workers"] = findings.within("PENSTOCK_WORKERS", int(workers), 1, WORKERS_MAX) if is_number else 1
    findings.end()
    return GatewaySettings(**values)


def _socket(environ: Mapping[str, str], variable: str, findings: Findings) -> str:
    text = findings.needed(environ, variable, "an address such as ws://controller:8444")
    if text and (urlsplit(text).scheme not in ("ws", "wss") or not urlsplit(text).hostname):
        findings.wrong(variable, f"{quoted(text)} is no address; use one such as ws://controller:8444")
    return text


def _descriptors(
    environ: Mapping[str, str], variable: str, count: int, example: str, findings: Findings
) -> tuple[int, ...]:
    words = environ[variable].split(",")
    if len(words) != count or not all(word.isascii() and word.isdigit() and len(word) <= 6 for word in words):
        what = "a descriptor" if count == 1 else f"{count} descriptors"
        findings.wrong(variable, f"{quoted(environ[variable])} is not {what}; use numbers such as {example}")
        return ()
    return tuple(map(int, words))
