"""Pods of a revision: how many are ready, and how long they took."""

from __future__ import annotations

import time
from calendar import timegm
from collections.abc import Iterable

from controller.api.core import Pod
from controller.api.meta import Resource


def ready_count(pods: Iterable[Pod]) -> int:
    """Pods that serve (SC 1.2)."""
    return sum(pod.is_ready for pod in pods)


def age_s(item: Resource, now_s: float) -> float:
    """Since the object was made; Kubernetes counts in whole seconds."""
    return now_s - parsed(item.metadata.creation_timestamp)


def parsed(text: str | None) -> float:
    """An RFC 3339 time in UTC, as Unix seconds; 0 where there is none."""
    if not text:
        return 0.0
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + (float(f"0.{fraction}") if fraction else 0.0)
