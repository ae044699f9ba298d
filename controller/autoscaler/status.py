"""Status of a PodAutoscaler: what its conditions say, from what is wanted and what is there; pure (SC 2.2)."""

from __future__ import annotations

from controller.api.autoscaling import ACTIVE, SCALE_TARGET_INITIALIZED, SKS_READY
from controller.api.conditions import FALSE, READY, TRUE, UNKNOWN, Conditions, find
from controller.api.networking import ServerlessService

from .bounds import ScaleLimits

QUEUED, NO_TRAFFIC, TIMED_OUT = "Queued", "NoTraffic", "TimedOut"
_QUEUED = "Requests to the target are being buffered as resources are provisioned."
_NO_TRAFFIC = "The target is not receiving traffic."
_TIMED_OUT = "The target could not be activated."


def mark_service(item: ServerlessService | None, conditions: Conditions) -> None:
    """What the revision's service says."""
    if item is None or not item.status.private_service_name:
        conditions.mark_unknown(SKS_READY, "NotReady", "No Private Service Name")
        return
    ready = find(item.status.conditions, READY)
    if ready is None or ready.is_true:
        conditions.mark_true(SKS_READY)
    else:
        conditions.mark(SKS_READY, ready)


def mark_active(
    want: int, ready: int, limits: ScaleLimits, has_service: bool, conditions: Conditions, reachable: bool
) -> None:
    """Whether it serves; the table of 2.2, row by row.

    want   pods wanted, -1 while that is unknown
    """
    least = least_ready(limits, conditions, reachable)
    if ready >= least and has_service:
        conditions.mark_true(SCALE_TARGET_INITIALIZED)
    previous = conditions.get(ACTIVE)
    was = previous.status if previous is not None else UNKNOWN
    if want == 0 or least == 0:
        if was == UNKNOWN and least > 0:
            conditions.mark_false(ACTIVE, TIMED_OUT, _TIMED_OUT)
        else:
            conditions.mark_false(ACTIVE, NO_TRAFFIC, _NO_TRAFFIC)
    elif ready < least:
        if want > 0 or was != FALSE:
            conditions.mark_unknown(ACTIVE, QUEUED, _QUEUED)
        else:
            conditions.mark_false(ACTIVE, NO_TRAFFIC, _NO_TRAFFIC)
    elif want > 0 or was != FALSE:
        conditions.mark_true(ACTIVE)


def least_ready(limits: ScaleLimits, conditions: Conditions, reachable: bool) -> int:
    """Pods that must be ready for it to count as active."""
    least = limits.min_scale if reachable else 0
    if conditions.is_status(SCALE_TARGET_INITIALIZED, TRUE):
        return max(least, 1)
    return max(least, limits.initial_scale)
