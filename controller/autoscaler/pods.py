"""Pods of a revision: how many are ready, and how long they took to become so."""

from __future__ import annotations

import time
from calendar import timegm
from collections.abc import Iterable

from controller.api.core import Pod


def ready_count(pods: Iterable[Pod]) -> int:
    """Pods that serve (SC 1.2)."""
    return sum(pod.is_ready for pod in pods)


class Starts:
    """Pods that are seen from their beginning. Timed by whoever sees it: Kubernetes counts in whole seconds."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}

    def look(self, pods: Iterable[Pod], now_s: float) -> list[float]:
        """Seconds that the pods took which have become ready since the last look."""
        took = []
        still: dict[str, float] = {}
        for pod in pods:
            uid = pod.metadata.uid
            if not pod.is_ready:
                still[uid] = self._since_s.get(uid, now_s)
            elif uid in self._since_s:
                took.append(now_s - self._since_s[uid])
        self._since_s = still
        return took


def parsed(text: str | None) -> float:
    """An RFC 3339 time in UTC, as Unix seconds; 0 where there is none."""
    if not text:
        return 0.0
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + (float(f"0.{fraction}") if fraction else 0.0)
