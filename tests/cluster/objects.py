"""Objects: a revision's Deployment and Service as Knative's controller makes them (serving-controlplane 4.3)."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.images import APP, SIDECAR

NAME = "hello"
LABELS = {"app": NAME, "serving.knative.dev/revisionUID": "1"}
TIMEOUT_S = 300


def field(path: str) -> dict[str, Any]:
    return {"fieldRef": {"fieldPath": path}}


def queue_proxy_env() -> list[dict[str, Any]]:
    probe = {"tcpSocket": {"port": 8080, "host": "127.0.0.1"}, "successThreshold": 1}
    observability = {"tracing": {}, "metrics": {}, "runtime": {}, "requestMetrics": {"protocol": "prometheus"}}
    plain = {
        "SERVING_NAMESPACE": "penstock-test",
        "SERVING_SERVICE": NAME,
        "SERVING_CONFIGURATION": NAME,
        "SERVING_REVISION": f"{NAME}-00001",
        "QUEUE_SERVING_PORT": "8012",
        "QUEUE_SERVING_TLS_PORT": "8112",
        "CONTAINER_CONCURRENCY": "10",
        "REVISION_TIMEOUT_SECONDS": str(TIMEOUT_S),
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "0",
        "REVISION_IDLE_TIMEOUT_SECONDS": "0",
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "",
        "USER_PORT": "8080",
        "SYSTEM_NAMESPACE": "knative-serving",
        "SERVING_READINESS_PROBE": json.dumps(probe),
        "ENABLE_HTTP2_AUTO_DETECTION": "false",
        "ENABLE_HTTP_FULL_DUPLEX": "false",
        "ROOT_CA": "",
        "ENABLE_MULTI_CONTAINER_PROBES": "false",
        "OBSERVABILITY_CONFIG": json.dumps(observability),
    }
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        {"name": "SERVING_POD", "valueFrom": field("metadata.name")},
        {"name": "SERVING_POD_IP", "valueFrom": field("status.podIP")},
        {"name": "HOST_IP", "valueFrom": field("status.hostIP")},
    ]


def user_container(version: str) -> dict[str, Any]:
    env = {
        "PORT": "8080",
        "K_REVISION": f"{NAME}-00001",
        "K_CONFIGURATION": NAME,
        "K_SERVICE": NAME,
        "VERSION": version,
    }
    return {
        "name": "user-container",
        "image": APP,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-listen", ":8080"],
        "ports": [{"name": "user-port", "containerPort": 8080}],
        "env": [{"name": name, "value": value} for name, value in env.items()],
        "lifecycle": {"preStop": {"httpGet": {"port": 8022, "path": "/wait-for-drain", "scheme": "HTTP"}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def queue_proxy_container() -> dict[str, Any]:
    ports = {"http-autometric": 9090, "http-usermetric": 9091, "queue-port": 8012, "https-port": 8112}
    probe = {
        "port": 8012,
        "scheme": "HTTP",
        "path": "/",
        "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}],
    }
    return {
        "name": "queue-proxy",
        "image": SIDECAR,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "env": queue_proxy_env(),
        "resources": {"requests": {"cpu": "25m"}},
        "readinessProbe": {"httpGet": probe, "successThreshold": 1},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def deployment(replicas: int, version: str) -> dict[str, Any]:
    """Another version is another pod template, which a rolling update brings."""
    pod = {
        "terminationGracePeriodSeconds": TIMEOUT_S,
        "enableServiceLinks": False,
        "containers": [user_container(version), queue_proxy_container()],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "labels": LABELS},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "selector": {"matchLabels": {"serving.knative.dev/revisionUID": "1"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {"metadata": {"labels": LABELS}, "spec": pod},
        },
    }


def service() -> dict[str, Any]:
    port = {"name": "http", "port": 80, "targetPort": 8012}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME},
        "spec": {"selector": {"serving.knative.dev/revisionUID": "1"}, "ports": [port]},
    }
