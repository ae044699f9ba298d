"""Pod: what Knative's controller makes of a revision (SC 4.3), as plain objects."""

from __future__ import annotations

import json
from typing import Any

from dataplane.contract.headers import NETWORK_PROBE, PROBE_QUEUE
from dataplane.contract.ports import (
    ADMIN_PORT,
    PORT_NAMES,
    SERVING_PORT,
    SERVING_TLS_PORT,
    STATS_PORT,
    USER_METRICS_PORT,
    USER_PORT,
    USER_PORT_NAME,
)
from tests.cluster.images import APP, SIDECAR

REVISION = "hello-00001"
TIMEOUT_S = 60
"""The revision's timeout, which is the pod's grace period as well."""

CONCURRENCY = 50
SELECTOR = {"serving.knative.dev/revisionUID": "0e8b7d6c-revision"}
LABELS = {**SELECTOR, "serving.knative.dev/revision": REVISION, "app": REVISION}
CALLER = "caller"
PODS = 4
READY_TIMEOUT_S = 90

SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
TIMING = {"periodSeconds": 1, "timeoutSeconds": 1, "successThreshold": 1, "failureThreshold": 3}
PROBE = {"httpGet": {"path": "/", "port": USER_PORT, "host": "127.0.0.1", "scheme": "HTTP"}, **TIMING}
LOGGING = {
    "level": "info",
    "outputPaths": ["stdout"],
    "errorOutputPaths": ["stderr"],
    "encoding": "json",
    "encoderConfig": {"timeKey": "timestamp", "levelKey": "severity", "messageKey": "message"},
}


def variables(values: dict[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def field(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def sidecar_environment(namespace: str) -> list[dict[str, Any]]:
    """Every variable that the controller writes, also those that the sidecar does not read."""
    said = {
        "SERVING_NAMESPACE": namespace,
        "SERVING_SERVICE": "hello",
        "SERVING_CONFIGURATION": "hello",
        "SERVING_REVISION": REVISION,
        "QUEUE_SERVING_PORT": str(SERVING_PORT),
        "QUEUE_SERVING_TLS_PORT": str(SERVING_TLS_PORT),
        "CONTAINER_CONCURRENCY": str(CONCURRENCY),
        "REVISION_TIMEOUT_SECONDS": str(TIMEOUT_S),
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "0",
        "REVISION_IDLE_TIMEOUT_SECONDS": "0",
        "SERVING_LOGGING_CONFIG": json.dumps(LOGGING),
        "SERVING_LOGGING_LEVEL": "",
        "USER_PORT": str(USER_PORT),
        "SYSTEM_NAMESPACE": "knative-serving",
        "SERVING_READINESS_PROBE": json.dumps(PROBE),
        "ENABLE_HTTP2_AUTO_DETECTION": "false",
        "ENABLE_HTTP_FULL_DUPLEX": "false",
        "ROOT_CA": "",
        "QUEUE_PROXY_TLS_MIN_VERSION": "",
        "QUEUE_PROXY_TLS_MAX_VERSION": "",
        "QUEUE_PROXY_TLS_CIPHER_SUITES": "",
        "QUEUE_PROXY_TLS_CURVE_PREFERENCES": "",
        "ENABLE_MULTI_CONTAINER_PROBES": "false",
        "OBSERVABILITY_CONFIG": json.dumps({"requestMetrics": {"protocol": "prometheus"}}),
    }
    return [
        *variables(said),
        field("SERVING_POD", "metadata.name"),
        field("SERVING_POD_IP", "status.podIP"),
        field("HOST_IP", "status.hostIP"),
    ]


def user_container(version: str) -> dict[str, Any]:
    said = {"PORT": str(USER_PORT), "K_REVISION": REVISION, "K_CONFIGURATION": "hello", "K_SERVICE": "hello"}
    return {
        "name": "user-container",
        "image": APP,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-listen", f":{USER_PORT}"],
        "ports": [{"name": USER_PORT_NAME, "containerPort": USER_PORT}],
        "env": variables({"VERSION": version, **said}),
        "livenessProbe": {"httpGet": {"path": "/alive", "port": USER_PORT}, "periodSeconds": 1, "timeoutSeconds": 5},
        "lifecycle": {"preStop": {"httpGet": {"port": ADMIN_PORT, "path": "/wait-for-drain"}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": SECURITY,
    }


def queue_proxy(namespace: str) -> dict[str, Any]:
    ports = (STATS_PORT, USER_METRICS_PORT, SERVING_PORT, SERVING_TLS_PORT)
    header = {"name": NETWORK_PROBE, "value": PROBE_QUEUE}
    return {
        "name": "queue-proxy",
        "image": SIDECAR,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": PORT_NAMES[port], "containerPort": port} for port in ports],
        "env": sidecar_environment(namespace),
        "readinessProbe": {"httpGet": {"port": SERVING_PORT, "httpHeaders": [header]}, **TIMING},
        "resources": {"requests": {"cpu": "25m"}},
        "securityContext": SECURITY,
    }


def deployment(namespace: str, replicas: int, version: str = "1") -> dict[str, Any]:
    """The revision's Deployment. Another `version` is another pod template."""
    spec = {
        "terminationGracePeriodSeconds": TIMEOUT_S,
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "containers": [user_container(version), queue_proxy(namespace)],
    }
    annotations = {"kubectl.kubernetes.io/default-container": "user-container"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"{REVISION}-deployment", "labels": LABELS},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": 120,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "selector": {"matchLabels": SELECTOR},
            "template": {"metadata": {"labels": LABELS, "annotations": annotations}, "spec": spec},
        },
    }


def service() -> dict[str, Any]:
    """As Knative's private Service of a revision: port 80 leads to the sidecar."""
    port = {"name": "http", "port": 80, "targetPort": SERVING_PORT}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{REVISION}-private", "labels": LABELS},
        "spec": {"selector": SELECTOR, "ports": [port]},
    }


def restricted(namespace: str) -> dict[str, Any]:
    """A namespace whose API server takes only pods of the restricted standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}


def caller(program: str) -> list[dict[str, Any]]:
    """A pod to call from: the sidecar's image has a Python, so that nothing else is needed."""
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CALLER}, "data": {"load.py": program}}
    wait = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit()); signal.pause()"
    container = {
        "name": CALLER,
        "image": SIDECAR,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/usr/bin/python3", "-IS", "-c", wait],
        "volumeMounts": [{"name": "load", "mountPath": "/load"}],
        "securityContext": SECURITY,
    }
    spec = {
        "automountServiceAccountToken": False,
        "containers": [container],
        "volumes": [{"name": "load", "configMap": {"name": CALLER}}],
    }
    return [files, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": CALLER}, "spec": spec}]
