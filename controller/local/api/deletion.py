"""deletion: how an object goes: at once, after its grace period, or when its finalizers are done.

Source: Kubernetes, "Garbage Collection" and "Finalizers".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.local.api import status
from controller.local.api.kinds import Kind
from controller.local.api.registry import Registry, Request, timestamp

Object = dict[str, Any]

ORPHAN, FOREGROUND, BACKGROUND = "Orphan", "Foreground", "Background"
ORPHANING, WAITING = "orphan", "foregroundDeletion"
"""Finalizers of the collector: let the dependents live, or wait until they are gone."""

KEPT_NAMESPACES = ("default", "kube-public", "kube-system")


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete. `grace_s` counts for pods; None means what the pod says."""

    propagation: str = ""
    grace_s: int | None = None
    uid: str = ""
    version: str = ""
    dry_run: bool = False


def read_options(document: Object, query: dict[str, str]) -> DeleteOptions:
    """From the body of a DELETE, or from its query when there is none.

    Raises  ApiError 400 or 422 for options that do not exist
    """
    wishes = document.get("preconditions") or {}
    dry = document.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    if dry not in ([], ["All"]):
        wrong = status.field_unsupported("dryRun", list(dry), ["All"])
        raise status.invalid("DeleteOptions", "meta.k8s.io", "", [wrong])
    propagation = document.get("propagationPolicy") or query.get("propagationPolicy", "")
    orphan = document.get("orphanDependents", query.get("orphanDependents"))
    if orphan is not None and not propagation:
        propagation = ORPHAN if orphan in (True, "true") else BACKGROUND
    if propagation not in ("", ORPHAN, FOREGROUND, BACKGROUND):
        wrong = status.field_unsupported("propagationPolicy", propagation, [FOREGROUND, BACKGROUND, ORPHAN, "nil"])
        raise status.invalid("DeleteOptions", "meta.k8s.io", "", [wrong])
    grace = document.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    return DeleteOptions(
        propagation, int(grace) if grace is not None else None, wishes.get("uid") or "",
        wishes.get("resourceVersion") or "", bool(dry),
    )  # fmt: skip


def delete(registry: Registry, kind: Kind, namespace: str, name: str, options: DeleteOptions) -> tuple[Object, bool]:
    """Deletes, or begins to. Gives the object's state, and whether it is gone.

    Raises  ApiError 404, 403 for a namespace that has to stay, 409 if a precondition does not hold
    """
    entry = registry.get(kind, namespace, name)
    old = entry.object()
    before = old["metadata"]
    for field, wanted, found in (
        ("uid", options.uid, before["uid"]), ("resourceVersion", options.version, before["resourceVersion"]),
    ):  # fmt: skip
        if wanted and wanted != found:
            raise status.other_record(kind.kind, kind.group, name, field, wanted, found)
    if kind.resource == "namespaces" and name in KEPT_NAMESPACES:
        raise status.forbidden("namespaces", "", name, "this namespace may not be deleted")
    new = _marked(kind, old, options)
    if options.dry_run:
        return new, False
    if registry.is_finished(kind, new):
        return registry.store.delete(kind.resource, namespace, name).object(), True
    return registry.keep(kind, old, new, Request()), False


def _marked(kind: Kind, old: Object, options: DeleteOptions) -> Object:
    """The object as it is once its deletion has been asked for."""
    metadata = dict(old["metadata"])
    new = {**old, "metadata": metadata}
    finalizers = _finalizers(metadata.get("finalizers") or [], options.propagation)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    grace_s = _grace_s(kind, old, options.grace_s)
    is_first = not metadata.get("deletionTimestamp")
    if is_first or grace_s < metadata.get("deletionGracePeriodSeconds", 0):
        if is_first and metadata.get("generation"):
            metadata["generation"] += 1
        metadata["deletionTimestamp"] = timestamp(datetime.now(UTC) + timedelta(seconds=grace_s))
        metadata["deletionGracePeriodSeconds"] = grace_s
    if kind.resource == "namespaces":
        metadata.pop("deletionGracePeriodSeconds", None)
        new["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    return new


def _finalizers(found: list[str], propagation: str) -> list[str]:
    if not propagation:
        return found
    kept = [each for each in found if each not in (ORPHANING, WAITING)]
    wanted = {ORPHAN: [ORPHANING], FOREGROUND: [WAITING]}.get(propagation, [])
    return kept + wanted


def _grace_s(kind: Kind, old: Object, asked: int | None) -> int:
    """Only a pod that a node runs needs time to end."""
    if kind.resource != "pods":
        return 0
    spec, state = old.get("spec") or {}, old.get("status") or {}
    if not spec.get("nodeName") or state.get("phase") in ("Failed", "Succeeded"):
        return 0
    grace: int = spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
    return max(grace, 0)
