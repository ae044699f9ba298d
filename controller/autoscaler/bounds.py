"""Bounds: what becomes of a decision: least, most, and the careful way to zero (1.6).

Pure: the state of the PodAutoscaler and of its service go in as plain values.
"""

from __future__ import annotations

from dataclasses import dataclass

ACTIVATION_BUFFER_S = 30.0
"""Added to the progress deadline before an activation counts as failed."""
PROBE_AGAIN_S = 1.0
SERVICE_AGAIN_S = 3.0

UNKNOWN = -1
"""Nothing is decided yet: the number of pods stays as it is."""

ACTIVATING, ACTIVE, INACTIVE = "activating", "active", "inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleLimits:
    """From annotations and `config-autoscaler`."""

    min_scale: int = 0
    max_scale: int = 0
    """0: no limit."""
    initial_scale: int = 1
    to_zero: bool = True
    stable_s: float = 60.0
    grace_s: float = 30.0
    retention_s: float = 0.0
    progress_deadline_s: float = 600.0
    burst_capacity: float = 211.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleState:
    """What the PodAutoscaler and its ServerlessService say now."""

    activity: str
    """`activating`, `active` or `inactive`: condition Active is Unknown, True or False."""
    for_s: float
    """Since the condition has been so."""
    initialized: bool
    """The initial scale was reached once."""
    reachable: bool = True
    proxied_s: float = 0.0
    """Since the activator has been in the path for certain; 0: it is not."""
    proxied: bool = False
    """The service is in mode Proxy."""
    activator_confirmed: bool = False
    """The activator answers at the revision's address, or has acknowledged that it is in the path."""


@dataclass(frozen=True, slots=True)
class Want:
    """What to do: `pods` wanted, whether to write it, and when to look again."""

    pods: int
    write: bool
    again_s: float | None = None
    probe: bool = False
    """Ask the activator's path first."""
    reason: str = ""


def bound(pods: int, limits: ScaleLimits, state: ScaleState) -> Want:
    """The decided number within its bounds; the steps of 1.6 in their order."""
    if pods == UNKNOWN and state.activity != ACTIVATING:
        return Want(UNKNOWN, False, reason="no data: as it is")
    least = _least(limits, state)
    if pods < least and least > 0:
        return Want(least, True, reason=f"raised to {least}, the least allowed now")
    if limits.max_scale and pods > limits.max_scale:
        return Want(limits.max_scale, True, reason=f"lowered to {limits.max_scale}, the most allowed")
    if pods > 0:
        return Want(pods, True)
    return _to_zero(limits, state)


def _least(limits: ScaleLimits, state: ScaleState) -> int:
    if not state.reachable:
        return 0
    if limits.initial_scale > 1 and not state.initialized:
        return max(limits.min_scale, limits.initial_scale)
    return limits.min_scale


def _to_zero(limits: ScaleLimits, state: ScaleState) -> Want:
    if not limits.to_zero:
        return Want(1, True, reason="one pod stays: scaling to zero is off")
    if state.activity == ACTIVATING:
        allowed_s = limits.progress_deadline_s + ACTIVATION_BUFFER_S
        if state.for_s > allowed_s:
            return Want(0, True, reason=f"not ready after {allowed_s:g} s: given up")
        return Want(UNKNOWN, False, allowed_s - state.for_s, reason="starting")
    if state.activity == ACTIVE:
        if state.for_s >= limits.stable_s:
            again_s = SERVICE_AGAIN_S if state.proxied else None
            return Want(0, False, again_s, reason="idle: the activator takes over first")
        rest_s = limits.stable_s - state.for_s
        return Want(1, True, rest_s, reason=f"active for less than the stable window of {limits.stable_s:g} s")
    return _from_inactive(limits, state)


def _from_inactive(limits: ScaleLimits, state: ScaleState) -> Want:
    if limits.burst_capacity != -1 and not state.activator_confirmed:
        return Want(0, False, PROBE_AGAIN_S, probe=True, reason="waits until the activator is in the path")
    retention_s = limits.retention_s if state.reachable else 0.0
    if state.for_s >= max(limits.grace_s, retention_s):
        return Want(0, True, reason="idle for longer than grace and retention")
    if retention_s > 0 and state.for_s < retention_s:
        return Want(0, False, retention_s - state.for_s, reason=f"the last pod is retained for {retention_s:g} s")
    rest_s = limits.grace_s - state.proxied_s
    if rest_s <= 0:
        return Want(0, True, reason=f"the activator has been in the path for {state.proxied_s:g} s")
    return Want(0, False, rest_s, reason=f"grace period of {limits.grace_s:g} s")
