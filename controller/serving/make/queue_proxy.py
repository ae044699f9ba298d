"""Queue-proxy: the sidecar's container, and the environment that is all of its settings (SC 4.3)."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

from controller.api.meta import CONFIGURATION_LABEL, SERVICE_LABEL
from controller.api.networking import H2C
from controller.api.serving import Revision
from controller.api.values import quantity
from controller.config.features import AUTODETECT_HTTP2, MULTI_CONTAINER_PROBING, RESOURCE_DEFAULTS
from controller.config.settings import Settings
from dataplane.contract.announcement import AUDIENCE, TOKEN_FOLDER, TOKEN_NAME
from dataplane.contract.ports import (
    PORT_NAMES,
    SERVING_H2C_PORT,
    SERVING_PORT,
    SERVING_TLS_PORT,
    STATS_PORT,
    USER_METRICS_PORT,
    USER_PORT,
)

from .probe import encoded, is_taken_over, kubelet_probe, sidecar_probe

NAME = "queue-proxy"
FULL_DUPLEX = "features.knative.dev/http-full-duplex"
RESOURCES = "queue.sidecar.serving.knative.dev"
PERCENTAGE = (f"{RESOURCES}/resource-percentage", f"{RESOURCES}/resourcePercentage")

ANNOUNCE_VARIABLE = "PENSTOCK_ANNOUNCE_ADDRESS"
TOKEN_VOLUME = "penstock-announce"
TOKEN_S = 3600
"""The token is wanted at the start alone; kubelet renews it for a sidecar that starts once more."""

MI = 1 << 20
_BOUNDS = {
    ("requests", "cpu"): (Fraction(25, 1000), Fraction(100, 1000)),
    ("limits", "cpu"): (Fraction(40, 1000), Fraction(500, 1000)),
    ("requests", "memory"): (Fraction(50 * MI), Fraction(200 * MI)),
    ("limits", "memory"): (Fraction(200 * MI), Fraction(500 * MI)),
}
"""Within which a share of the app's resources stays (SC-177)."""

_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def serving_port(revision: Revision) -> int:
    """Where the sidecar takes requests: by the revision's protocol (SC-178)."""
    return SERVING_H2C_PORT if revision.protocol == H2C else SERVING_PORT


def user_port(revision: Revision) -> int:
    """Where the app listens (SC-156)."""
    ports = revision.serving_container.get("ports") or [{}]
    return ports[0].get("containerPort") or USER_PORT


def container(revision: Revision, settings: Settings, system_namespace: str) -> dict[str, Any]:
    """The last container of every pod."""
    port = serving_port(revision)
    made: dict[str, Any] = {
        "name": NAME,
        "image": settings.deployment.queue_sidecar_image,
        "ports": [
            {"name": PORT_NAMES[number], "containerPort": number, "protocol": "TCP"}
            for number in (STATS_PORT, USER_METRICS_PORT, port, SERVING_TLS_PORT)
        ],
        "securityContext": _SECURITY,
        "env": environment(revision, settings, system_namespace),
    }
    if settings.deployment.sidecar_announce_address:
        made["env"].append({"name": ANNOUNCE_VARIABLE, "value": settings.deployment.sidecar_announce_address})
        made["volumeMounts"] = [{"name": TOKEN_VOLUME, "mountPath": TOKEN_FOLDER, "readOnly": True}]
    resources = _resources(revision, settings)
    if resources:
        made["resources"] = resources
    probe = revision.serving_container.get("readinessProbe")
    if probe:
        made["readinessProbe"] = kubelet_probe(probe, port)
    return made


def volumes(settings: Settings) -> list[dict[str, Any]]:
    """What only the sidecar mounts: the token by which its pod is known (contract.announcement)."""
    if not settings.deployment.sidecar_announce_address:
        return []
    token = {"audience": AUDIENCE, "expirationSeconds": TOKEN_S, "path": TOKEN_NAME}
    return [{"name": TOKEN_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}]


def environment(revision: Revision, settings: Settings, system_namespace: str) -> list[dict[str, Any]]:
    """Every variable that upstream's sidecar reads, in its order; ours has the same contract."""
    tls = settings.deployment.sidecar_tls
    duplex = revision.metadata.annotations.get(FULL_DUPLEX, "").lower() == "enabled"
    said: dict[str, str | dict[str, Any]] = {
        "SERVING_NAMESPACE": revision.namespace,
        "SERVING_SERVICE": revision.metadata.labels.get(SERVICE_LABEL, ""),
        "SERVING_CONFIGURATION": revision.metadata.labels.get(CONFIGURATION_LABEL, ""),
        "SERVING_REVISION": revision.name,
        "QUEUE_SERVING_PORT": str(serving_port(revision)),
        "QUEUE_SERVING_TLS_PORT": str(SERVING_TLS_PORT),
        "CONTAINER_CONCURRENCY": str(revision.container_concurrency),
        "REVISION_TIMEOUT_SECONDS": str(revision.timeout_seconds),
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": str(revision.response_start_timeout_seconds or 0),
        "REVISION_IDLE_TIMEOUT_SECONDS": str(revision.idle_timeout_seconds or 0),
        "SERVING_POD": _field("metadata.name"),
        "SERVING_POD_IP": _field("status.podIP"),
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "",
        "USER_PORT": str(user_port(revision)),
        "SYSTEM_NAMESPACE": system_namespace,
        "SERVING_READINESS_PROBE": _readiness(revision, settings),
        "HOST_IP": _field("status.hostIP"),
        "ENABLE_HTTP2_AUTO_DETECTION": _switch(settings.features.is_enabled(AUTODETECT_HTTP2)),
        "ENABLE_HTTP_FULL_DUPLEX": _switch(duplex),
        "ROOT_CA": settings.deployment.sidecar_root_ca,
        "QUEUE_PROXY_TLS_MIN_VERSION": tls.get("min-version", ""),
        "QUEUE_PROXY_TLS_MAX_VERSION": tls.get("max-version", ""),
        "QUEUE_PROXY_TLS_CIPHER_SUITES": tls.get("cipher-suites", ""),
        "QUEUE_PROXY_TLS_CURVE_PREFERENCES": tls.get("curve-preferences", ""),
        "ENABLE_MULTI_CONTAINER_PROBES": _switch(settings.features.is_enabled(MULTI_CONTAINER_PROBING)),
        "OBSERVABILITY_CONFIG": settings.observability.document,
    }
    return [
        {"name": name, "value": value} if isinstance(value, str) else {"name": name, "valueFrom": value}
        for name, value in said.items()
    ]


def _readiness(revision: Revision, settings: Settings) -> str:
    """One probe; with the feature, a list of those of all containers, without the commands of the other ones."""
    own = revision.serving_container.get("readinessProbe")
    found = [sidecar_probe(own, user_port(revision))] if own else []
    if not settings.features.is_enabled(MULTI_CONTAINER_PROBING):
        return encoded(found[0]) if found else ""
    for container in revision.containers:
        probe = container.get("readinessProbe")
        if probe and container is not revision.serving_container and is_taken_over(probe):
            found.append(sidecar_probe(probe, user_port(revision)))
    return encoded(found) if found else ""


def _resources(revision: Revision, settings: Settings) -> dict[str, dict[str, str]]:
    """From the settings, then a share of the app's, then what annotations say outright."""
    requests, limits = dict(settings.deployment.sidecar_requests), dict(settings.deployment.sidecar_limits)
    if settings.features.is_enabled(RESOURCE_DEFAULTS):
        requests.setdefault("memory", "400Mi")
        limits = {"cpu": "1000m", "memory": "800Mi"} | limits
    made = {"requests": requests, "limits": limits}
    annotations = revision.metadata.annotations
    percent = next((annotations[key] for key in PERCENTAGE if key in annotations), None)
    if percent is not None:
        for (kind, name), (least, most) in _BOUNDS.items():
            whole = revision.serving_container.get("resources", {}).get(kind, {}).get(name)
            if whole is not None:
                share = min(max(quantity(str(whole)) * Fraction(percent) / 100, least), most)
                made[kind][name] = f"{ceil(share * 1000)}m" if name == "cpu" else str(ceil(share))
    for kind in ("requests", "limits"):
        for name in ("cpu", "memory", "ephemeral-storage"):
            key = f"{RESOURCES}/{name}-resource-{kind[:-1]}"
            if key in annotations:
                made[kind][name] = annotations[key]
    return {kind: values for kind, values in made.items() if values}


def _field(path: str) -> dict[str, Any]:
    return {"fieldRef": {"fieldPath": path}}


def _switch(on: bool) -> str:
    return "true" if on else "false"
