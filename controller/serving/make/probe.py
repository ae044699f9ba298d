"""Probe: the app's readiness probe, split between kubelet and sidecar (SC 4.3)."""

from __future__ import annotations

import json
from typing import Any

LOOPBACK = "127.0.0.1"
HTTP = "HTTP"
HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")
PROBE_HEADER = {"name": "K-Network-Probe", "value": "queue"}

Probe = dict[str, Any]


def is_taken_over(probe: Probe) -> bool:
    """The sidecar asks in kubelet's place; a command only kubelet can run (SC-158)."""
    return probe.get("exec") is None


def sidecar_probe(probe: Probe, user_port: int) -> Probe:
    """The probe as the sidecar gets it: towards the app on this machine; a command becomes a connection."""
    asked = {key: value for key, value in probe.items() if key not in HANDLERS}
    if get := probe.get("httpGet"):
        asked["httpGet"] = {**get, "host": LOOPBACK, "port": get.get("port") or user_port}
        asked["httpGet"]["scheme"] = get.get("scheme") or HTTP
    elif grpc := probe.get("grpc"):
        asked["grpc"] = {**grpc, "port": grpc.get("port") or user_port}
    else:
        port = (probe.get("tcpSocket") or {}).get("port") or user_port
        asked["tcpSocket"] = {"host": LOOPBACK, "port": port}
    if asked.get("periodSeconds", 0) > 0:
        asked["timeoutSeconds"] = max(asked.get("timeoutSeconds") or 0, 1)
    return asked


def encoded(content: Any) -> str:
    """A probe, or a list of them, as one variable holds it."""
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


def kubelet_probe(probe: Probe, serving_port: int) -> Probe:
    """The probe of the sidecar's own container: the same rhythm, answered by the sidecar."""
    asked = {key: value for key, value in probe.items() if key not in HANDLERS}
    asked["httpGet"] = {"port": serving_port, "httpHeaders": [PROBE_HEADER]}
    return asked


def liveness(probe: Probe, user_port: int, keeps_port: bool) -> Probe:
    """The app's liveness probe, towards the port that it really has.

    keeps_port   a port that the probe names stays: with several containers probed, it may be another's
    """
    for handler in ("httpGet", "tcpSocket"):
        if handler in probe:
            said = probe[handler].get("port") if keeps_port else None
            return {**probe, handler: {**probe[handler], "port": said or user_port}}
    return probe
