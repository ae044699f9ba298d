"""Sidecar: the environment that starts penstock-queue-proxy for a load test."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from loadtests.tools import VENV_BIN

BINARY = VENV_BIN / "penstock-queue-proxy"
METRICS = {"requestMetrics": {"protocol": "prometheus"}}


def environment(
    *,
    address: str,
    port: int,
    app_port: int,
    tls_port: int = 0,
    limit: int = 1000,
    observability: Mapping[str, object] = METRICS,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Knative's sidecar environment, with metrics on as a user runs it.

    address  loopback address that the fixed ports (9090, 9091, 8022) are bound on
    limit    requests that run at once; the limiter is on unless it is 0
    """
    probe = {"tcpSocket": {"host": "127.0.0.1", "port": app_port}, "successThreshold": 1}
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "CONTAINER_CONCURRENCY": str(limit),
        "QUEUE_SERVING_PORT": str(port),
        "QUEUE_SERVING_TLS_PORT": str(tls_port or 8112),
        "USER_PORT": str(app_port),
        "REVISION_TIMEOUT_SECONDS": "300",
        "SERVING_READINESS_PROBE": json.dumps(probe),
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "",
        "SERVING_NAMESPACE": "bench",
        "SERVING_SERVICE": "bench",
        "SERVING_CONFIGURATION": "bench",
        "SERVING_REVISION": "bench-00001",
        "SERVING_POD": "bench-00001-deployment-0",
        "SERVING_POD_IP": address,
        "OBSERVABILITY_CONFIG": json.dumps(observability),
        "PENSTOCK_BIND_ADDRESS": address,
        **(extra or {}),
    }
