"""Metadata: what a revision hands down to its children (SC 4.3, 4.5)."""

from __future__ import annotations

from controller.api.autoscaling import ALGORITHM
from controller.api.meta import (
    AUTOSCALING,
    LAST_APPLIED,
    NO_GC,
    REVISION_LABEL,
    REVISION_UID_LABEL,
    ROUTE_LABEL,
    ROUTES,
    ROUTING_STATE_LABEL,
    ROUTING_STATE_MODIFIED,
    SERVING,
)
from controller.api.serving import Revision

LAST_PINNED = f"{SERVING}/lastPinned"
APP = "app"

_KEPT_LABELS = (ROUTE_LABEL, ROUTING_STATE_LABEL)
_KEPT_ANNOTATIONS = (LAST_PINNED, NO_GC, ROUTING_STATE_MODIFIED, ROUTES, LAST_APPLIED)
"""What changes during a revision's life, and would roll its pods."""

_OF_THE_AUTOSCALER = (AUTOSCALING, ALGORITHM.partition("/")[0])


def child_labels(revision: Revision) -> dict[str, str]:
    """Labels of everything that belongs to a revision (SC-175)."""
    labels = {key: value for key, value in revision.metadata.labels.items() if key not in _KEPT_LABELS}
    labels[REVISION_LABEL] = revision.name
    labels[REVISION_UID_LABEL] = revision.metadata.uid
    labels.setdefault(APP, revision.name)
    return labels


def autoscaler_annotations(revision: Revision) -> dict[str, str]:
    """Annotations of its PodAutoscaler: those that steer the scale are among them."""
    return {key: value for key, value in revision.metadata.annotations.items() if key not in _KEPT_ANNOTATIONS}


def pod_annotations(revision: Revision) -> dict[str, str]:
    """Annotations of its Deployment and pods: the scale may change without a new pod (SC-174)."""
    handed = autoscaler_annotations(revision)
    return {key: value for key, value in handed.items() if not key.startswith(_OF_THE_AUTOSCALER)}


def selector(revision: Revision) -> dict[str, str]:
    """What finds its pods; never changes."""
    return {REVISION_UID_LABEL: revision.metadata.uid}
