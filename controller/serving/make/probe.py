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
    return "exec" not in probe


def sidecar_probe(probe: Probe, user_port: int) -> str:
    """The probe as the sidecar gets it: JSON, towards the app on this machine."""
    asked = {key: value for key, value in probe.items() if key not in HANDLERS}
    if "httpGet" in probe:
        get = probe["httpGet"]
        asked["httpGet"] = {**get, "host": LOOPBACK, "port": get.get("port") or user_port}
        asked["httpGet"].setdefault("scheme", HTTP)
    elif "grpc" in probe:
        asked["grpc"] = {**probe["grpc"], "port": probe["grpc"].get("port") or user_port}
    else:
        port = probe.get("tcpSocket", {}).get("port") or user_port
        asked["tcpSocket"] = {"host": LOOPBACK, "port": port}
    if asked.get("periodSeconds", 0) > 0:
        asked["timeoutSeconds"] = max(asked.get("timeoutSeconds") or 0, 1)
    return json.dumps(asked, separators=(",", ":"), sort_keys=True)


def kubelet_probe(probe: Probe, serving_port: int) -> Probe:
    """The probe of the sidecar's own container: the same rhythm, answered by the sidecar."""
    asked = {key: value for key, value in probe.items() if key not in HANDLERS}
    asked["httpGet"] = {"port": serving_port, "httpHeaders": [PROBE_HEADER]}
    return asked


def liveness(probe: Probe, user_port: int) -> Probe:
    """The app's liveness probe, towards the port that it really has."""
    for handler in ("httpGet", "tcpSocket"):
        if handler in probe:
            return {**probe, handler: {**probe[handler], "port": user_port}}
    return probe
