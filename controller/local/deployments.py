"""Deployment: how many pods there should be, which of them go, and what the Deployment says of itself.

Pure: pods and time are arguments. Template changes roll: at most the surge
above the wanted number, never fewer ready ones than `maxUnavailable` lets go.
Source: Kubernetes, "Deployments", and its conditions as kubectl users know them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

import msgspec

from controller.api.conditions import FALSE, TRUE
from controller.api.meta import Resource, timestamp

Object = dict[str, Any]

AVAILABLE, PROGRESSING = "Available", "Progressing"
COMPLETE, UPDATED, TIMED_OUT = "NewReplicaSetAvailable", "ReplicaSetUpdated", "ProgressDeadlineExceeded"
"""Reasons of Progressing; there is no ReplicaSet here, but the words are those that tools look for."""

DEADLINE_S = 600
NEVER_S = (1 << 31) - 1
"""A progress deadline that means none."""


class NodeDeployment(Resource, frozen=True, kw_only=True, gc=False):
    """A Deployment as the node reads it: everything of its template."""

    spec: Object = msgspec.field(default_factory=dict)
    status: Object = msgspec.field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """What counts about one pod that is not on its way out."""

    name: str
    template: str
    """Hash of the template that it was made from."""
    is_ready: bool
    created: float
    """Unix seconds."""
    trouble: str = ""
    """Why it is not ready, in a sentence; empty when nobody knows."""


@dataclass(frozen=True, slots=True)
class Change:
    """What to do."""

    create: int
    delete: tuple[str, ...]
    """Names of pods."""


def template_hash(spec: Object) -> str:
    """Of the pod template; the same for the same content."""
    return hashlib.sha256(msgspec.json.encode(spec.get("template"), order="deterministic")).hexdigest()[:10]


def decide(spec: Object, pods: list[PodView]) -> Change:
    """The next step of a Deployment; when its pods have changed, there may be another."""
    wanted = replicas_of(spec)
    template = template_hash(spec)
    new = [pod for pod in pods if pod.template == template]
    old = [pod for pod in pods if pod.template != template]
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    recreate = spec.get("strategy", {}).get("type") == "Recreate"
    spare = 0 if recreate else _share(rolling.get("maxSurge", "25%"), wanted, up=True)
    missing = wanted if recreate else _share(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    if not recreate and not spare and not missing:
        spare = 1
    room = wanted + spare - len(old) if old else wanted
    create = max(0, min(wanted, 0 if recreate and old else room) - len(new))
    leave = _last_first(new)[: max(0, len(new) - wanted)]
    leave += _old_ones(new, old, 0 if recreate else wanted - missing)
    return Change(create, tuple(pod.name for pod in leave))


def status(deployment: NodeDeployment, pods: list[PodView], now_s: float) -> Object:
    """The status as it is now; conditions keep the times at which they turned."""
    template = template_hash(deployment.spec)
    wanted = replicas_of(deployment.spec)
    updated = [pod for pod in pods if pod.template == template]
    ready = sum(pod.is_ready for pod in pods)
    made: Object = {"observedGeneration": deployment.metadata.generation}
    counts = {
        "replicas": len(pods),
        "updatedReplicas": len(updated),
        "readyReplicas": ready,
        "availableReplicas": ready,
        "unavailableReplicas": max(0, wanted - ready),
    }
    made |= {name: count for name, count in counts.items() if count}
    before = {each["type"]: each for each in deployment.status.get("conditions", ())}
    is_complete = len(updated) == len(pods) == wanted and sum(pod.is_ready for pod in updated) == wanted
    progress = _progressing(deployment, counts, is_complete, updated, now_s)
    minimum = wanted - _share(_rolling(deployment.spec).get("maxUnavailable", "25%"), wanted, up=False)
    made["conditions"] = [
        _condition(before, _available(ready >= minimum), now_s),
        *([_condition(before, progress, now_s)] if progress else []),
    ]
    return made


def deadline_s(deployment: NodeDeployment) -> float | None:
    """Unix time at which a Deployment that has not got on counts as stuck; None: it is not waiting for anything."""
    found = next((each for each in deployment.status.get("conditions", ()) if each["type"] == PROGRESSING), None)
    seconds: int = deployment.spec.get("progressDeadlineSeconds", DEADLINE_S)
    if found is None or found.get("reason") != UPDATED or seconds >= NEVER_S:
        return None
    return _seconds(found.get("lastUpdateTime", "")) + seconds


def replicas_of(spec: Object) -> int:
    found = spec.get("replicas", 1)
    return 1 if found is None else int(found)


def _rolling(spec: Object) -> Object:
    found: Object = spec.get("strategy", {}).get("rollingUpdate", {})
    return found


def _progressing(
    deployment: NodeDeployment, counts: dict[str, int], is_complete: bool, updated: list[PodView], now_s: float
) -> Object | None:
    """Once complete it stays so until the template changes: growing later has no deadline, as upstream."""
    seconds = deployment.spec.get("progressDeadlineSeconds", DEADLINE_S)
    if seconds >= NEVER_S:
        return None
    before = deployment.status
    found: Object = next((each for each in before.get("conditions", ()) if each["type"] == PROGRESSING), {})
    name = deployment.name
    if is_complete or (found.get("reason") == COMPLETE and counts["replicas"] == counts["updatedReplicas"]):
        return _said(PROGRESSING, TRUE, COMPLETE, f'Deployment "{name}" has successfully progressed.')
    got_on = (
        not found
        or any(before.get(field, 0) < counts[field] for field in ("updatedReplicas", "readyReplicas"))
        or before.get("replicas", 0) - before.get("updatedReplicas", 0) > counts["replicas"] - counts["updatedReplicas"]
    )
    is_new = before.get("observedGeneration") != deployment.metadata.generation and found.get("reason") != UPDATED
    if got_on or is_new or found.get("reason") == COMPLETE:
        made = _said(PROGRESSING, TRUE, UPDATED, f'Deployment "{name}" is progressing.')
        return made | {"lastUpdateTime": timestamp(now_s)}
    if found.get("reason") == TIMED_OUT:
        return found
    if now_s >= _seconds(found.get("lastUpdateTime", "")) + seconds:
        why = next((pod.trouble for pod in updated if pod.trouble), "")
        text = f'Deployment "{name}" has timed out progressing.'
        return _said(PROGRESSING, FALSE, TIMED_OUT, f"{text} {why}".rstrip())
    return found


def _available(enough: bool) -> Object:
    if enough:
        return _said(AVAILABLE, TRUE, "MinimumReplicasAvailable", "Deployment has minimum availability.")
    return _said(AVAILABLE, FALSE, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")


def _said(kind: str, value: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": value, "reason": reason, "message": message}


def _condition(before: dict[str, Object], made: Object, now_s: float) -> Object:
    """With the times: of the last turn, and of the last change."""
    found = before.get(made["type"], {})
    now = timestamp(now_s)
    same = all(found.get(key) == made[key] for key in ("status", "reason", "message"))
    turned = found.get("lastTransitionTime") if found.get("status") == made["status"] else None
    updated = made.get("lastUpdateTime") or (found.get("lastUpdateTime") if same else None)
    return made | {"lastUpdateTime": updated or now, "lastTransitionTime": turned or now}


def _last_first(pods: list[PodView]) -> list[PodView]:
    """In the order in which they may go: not ready ones, then the youngest."""
    return sorted(pods, key=lambda pod: (pod.is_ready, -pod.created, pod.name))


def _old_ones(new: list[PodView], old: list[PodView], minimum: int) -> list[PodView]:
    """Of an older template: all that serve nobody, and as many others as new ones can stand in for."""
    idle = [pod for pod in old if not pod.is_ready]
    spare = sum(pod.is_ready for pod in new) + len(old) - len(idle) - minimum
    return idle + _last_first([pod for pod in old if pod.is_ready])[: max(0, spare)]


def _share(value: Any, whole: int, *, up: bool) -> int:
    """A number, or a percentage of `whole`."""
    if isinstance(value, str) and value.endswith("%"):
        part = whole * int(value[:-1]) / 100
        return ceil(part) if up else int(part)
    return int(value)


def _seconds(text: str) -> float:
    """An RFC 3339 time in UTC as Unix seconds; 0 where there is none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
