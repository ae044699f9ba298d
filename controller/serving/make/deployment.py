"""Deployment: the pods of a revision, from its template and the settings (SC 4.3)."""

from __future__ import annotations

from typing import Any

import msgspec

from controller.api.meta import (
    CONFIGURATION_LABEL,
    PROGRESS_DEADLINE,
    REVISION_LABEL,
    SERVICE_LABEL,
    child_name,
    owner_reference,
)
from controller.api.serving import Revision
from controller.api.values import NS_PER_S, duration_ns
from controller.children import digest
from controller.config.deployment import SPREAD
from controller.config.features import MULTI_CONTAINER_PROBING
from controller.config.settings import Settings
from dataplane.contract.ports import ADMIN_PORT, USER_PORT_NAME

from . import queue_proxy
from .metadata import child_labels, pod_annotations, selector
from .probe import is_taken_over, liveness

HASH_LABEL = "serving.knative.dev/deployment-hash"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
DRAIN = {"preStop": {"httpGet": {"port": ADMIN_PORT, "path": "/wait-for-drain"}}}
"""The app stops after the sidecar has drained."""


def name(revision: Revision) -> str:
    """Of its Deployment."""
    return child_name(revision.name, "-deployment")


def deployment(revision: Revision, settings: Settings, replicas: int, system_namespace: str) -> dict[str, Any]:
    """The whole object; `replicas` counts only when it is new (SC-176)."""
    labels, annotations = child_labels(revision), pod_annotations(revision)
    spec = {
        "selector": {"matchLabels": selector(revision)},
        "progressDeadlineSeconds": progress_deadline_s(revision, settings),
        "revisionHistoryLimit": 0,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {
            "metadata": {
                "labels": labels,
                "annotations": annotations | {DEFAULT_CONTAINER: _serving_name(revision)},
            },
            "spec": pod_spec(revision, settings, system_namespace),
        },
    }
    made_hash = digest([spec, annotations, labels])
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": name(revision),
            "namespace": revision.namespace,
            "labels": labels | {HASH_LABEL: made_hash},
            "annotations": annotations,
            "ownerReferences": [msgspec.to_builtins(owner_reference(revision))],
        },
        "spec": spec | {"replicas": replicas},
    }


def progress_deadline_s(revision: Revision, settings: Settings) -> int:
    """How long pods may take to become ready (SC-173)."""
    said = revision.metadata.annotations.get(PROGRESS_DEADLINE)
    return duration_ns(said) // NS_PER_S if said else int(settings.deployment.progress_deadline_s)


def pod_spec(revision: Revision, settings: Settings, system_namespace: str) -> dict[str, Any]:
    """The user's pod with everything that makes it an instance."""
    made = dict(revision.pod_spec())
    images = {status.name: status.image_digest for status in revision.status.container_statuses}
    made["containers"] = [
        *(_container(one, revision, images, settings) for one in revision.containers),
        queue_proxy.container(revision, settings, system_namespace),
    ]
    own = queue_proxy.volumes(settings)
    if own:
        made["volumes"] = [*made.get("volumes", []), *own]
    made["terminationGracePeriodSeconds"] = revision.timeout_seconds
    if settings.defaults.enable_service_links is not None:
        made.setdefault("enableServiceLinks", settings.defaults.enable_service_links)
    runtime_class = settings.deployment.runtime_class(revision.metadata.labels)
    if runtime_class:
        made.setdefault("runtimeClassName", runtime_class)
    if settings.deployment.default_affinity_type == SPREAD:
        made.setdefault("affinity", _spread(revision))
    return made


def _container(one: dict[str, Any], revision: Revision, images: dict[str, str], settings: Settings) -> dict[str, Any]:
    made = {key: value for key, value in one.items() if key not in ("stdin", "tty", "ports", "readinessProbe")}
    is_serving = one is revision.serving_container
    port = queue_proxy.user_port(revision)
    made["image"] = images.get(one.get("name", "")) or one.get("image", "")
    made["env"] = [*one.get("env", []), *_told(revision, port if is_serving else None)]
    made["lifecycle"] = {**one.get("lifecycle", {}), **DRAIN}
    made.setdefault("terminationMessagePolicy", "FallbackToLogsOnError")
    readiness = one.get("readinessProbe")
    if readiness and not is_taken_over(readiness):
        made["readinessProbe"] = readiness
    if is_serving:
        made["ports"] = [{"name": USER_PORT_NAME, "containerPort": port, "protocol": "TCP"}]
        if "livenessProbe" in one:
            keeps_port = settings.features.is_enabled(MULTI_CONTAINER_PROBING)
            made["livenessProbe"] = liveness(one["livenessProbe"], port, keeps_port)
    return made


def _told(revision: Revision, port: int | None) -> list[dict[str, str]]:
    """What the runtime contract tells a container (SC-155); one without a port is not told any (SC-179)."""
    labels = revision.metadata.labels
    told = {
        "K_REVISION": revision.name,
        "K_CONFIGURATION": labels.get(CONFIGURATION_LABEL, ""),
        "K_SERVICE": labels.get(SERVICE_LABEL, ""),
    }
    if port is not None:
        told = {"PORT": str(port)} | told
    return [{"name": key, "value": value} for key, value in told.items()]


def _serving_name(revision: Revision) -> str:
    return str(revision.serving_container.get("name", ""))


def _spread(revision: Revision) -> dict[str, Any]:
    """Rather on different nodes (SC-161)."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {REVISION_LABEL: revision.name}},
    }
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
