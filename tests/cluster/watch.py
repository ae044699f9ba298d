"""Watch: what becomes of pods, noted by who observes it: Kubernetes' own times have whole seconds only."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.cluster import Cluster, ClusterError


@dataclass
class Life:
    """One pod: when each thing was first seen, in seconds of the monotonic clock, and how its containers ended."""

    seen: dict[str, float] = field(default_factory=dict)
    """created, running (the sidecar), ready, ending, gone."""

    exits: dict[str, int] = field(default_factory=dict)
    """Exit codes by container."""

    restarts: dict[str, int] = field(default_factory=dict)
    """How often each container was started again."""

    def note(self, what: str) -> None:
        self.seen.setdefault(what, time.monotonic())

    def between(self, first: str, last: str) -> float:
        return self.seen[last] - self.seen[first]


class Watch:
    """Follows the pods of a label selector until closed.

    lives  by the pod's name; also of pods that are gone
    """

    def __init__(self, cluster: Cluster, selector: dict[str, str]) -> None:
        self.lives: dict[str, Life] = {}
        self._changed = threading.Condition()
        labels = ",".join(f"{name}={value}" for name, value in selector.items())
        words = ["get", "pods", "--selector", labels, "--watch", "--output-watch-events", "--output", "json"]
        self._kubectl = cluster.start(*words, stdout=-1)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._kubectl.terminate()
        self._thread.join()
        self._kubectl.wait()

    def _read(self) -> None:
        """One event stands on one line."""
        assert self._kubectl.stdout is not None
        for line in self._kubectl.stdout:
            event = json.loads(line)
            with self._changed:
                self._note(event["type"], event["object"])
                self._changed.notify_all()

    def _note(self, kind: str, pod: dict[str, Any]) -> None:
        life = self.lives.setdefault(pod["metadata"]["name"], Life())
        life.note("created")
        for status in pod["status"].get("containerStatuses", ()):
            life.restarts[status["name"]] = status["restartCount"]
            if status["name"] == "queue-proxy" and "running" in status["state"]:
                life.note("running")
            if "terminated" in status["state"]:
                life.exits[status["name"]] = status["state"]["terminated"]["exitCode"]
        conditions = pod["status"].get("conditions", ())
        if any(one["type"] == "Ready" and one["status"] == "True" for one in conditions):
            life.note("ready")
        if "deletionTimestamp" in pod["metadata"]:
            life.note("ending")
        if kind == "DELETED":
            life.note("gone")

    def until(self, what: str, holds: Callable[[dict[str, Life]], bool], timeout_s: float) -> None:
        """Waits for a state of all lives. Raises ClusterError with the lives when it does not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self.lives), timeout_s):
                raise ClusterError(f"not {what} within {timeout_s:g} s: {self.lives}")

    def steady(self, seconds: float) -> None:
        """Lets time pass. Raises ClusterError as soon as a container is started again."""

        def restarts() -> int:
            return sum(sum(life.restarts.values()) for life in self.lives.values())

        with self._changed:
            before = restarts()
            if self._changed.wait_for(lambda: restarts() > before, seconds):
                raise ClusterError(f"a container was started again: {self.lives}")

    def serving(self) -> list[str]:
        """Names of the pods that are ready and not about to end."""
        with self._changed:
            return sorted(
                name for name, life in self.lives.items() if "ready" in life.seen and "ending" not in life.seen
            )
