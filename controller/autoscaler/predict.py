"""Predict: our own decision: as many pods as the requests need that are here, and no panic (mode `predictive`).

Three questions, and the largest answer counts:

    level    what the averages say, at the target: the long one, and the short one while it is higher
    surge    more at once than the pods can run at all, seen within a moment: up to the target, now
    queue    requests that wait, at the hard limit, since a pod that is full is what they wait for;
             but only where the pods that run would take longer for them than a new one to start

A surge or a queue that is over is remembered for one short window, until the
averages have seen it too. Pods that have not started yet are given back as
soon as nobody waits for them. Nothing is asked for because of rounding: one
request for pods that run one each asks for one pod, not for two.

A pure function, like `decide`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from .decide import BURST_UNLIMITED, Decision
from .target import Target

FULL = 0.9
"""Share of what all pods can run from which on there is a surge: before, the averages are quick enough."""

DOWN_SLACK = 0.15
"""Pods by which the need must be below a whole number before one pod less is enough: no flapping around it."""

EPSILON = 1e-9
START_S = 1.0
"""Taken for the start of a pod until one was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What was observed."""

    ready: int
    stable: float
    """Average over the stable window, in the metric's unit; so are the next two."""
    short: float
    """Over the panic window."""
    recent: float
    """Over the last reports."""
    running: int = 0
    """Requests at a pod now."""
    waiting: int = 0
    """Requests that wait for one."""
    request_s: float = 0.0
    """How long a request takes, on average; 0: not known."""
    start_s: float = START_S
    """How long a pod takes from its creation to its first request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """What the revision wants."""

    target: Target
    limit: int = 0
    """Requests that a pod runs at once; 0: no limit, then the target's total counts."""
    short_s: float = 6.0
    burst_capacity: float = 211.0
    activation_scale: int = 0


@dataclass(frozen=True, slots=True)
class Trail:
    """What one decision leaves to the next."""

    pods: int = 0
    """Decided last."""
    peak: int = 0
    """Asked for by a surge or a queue that the averages have not seen yet."""
    peak_s: float = 0.0
    """When it was asked for last."""


def predict(aim: Aim, need: Need, trail: Trail, now_s: float) -> tuple[Decision, Trail]:
    """The number of pods at `now_s`, and what to remember."""
    at_once = aim.limit or aim.target.total
    level, reason = _level(aim, need, trail)
    surge = _surge(aim, need)
    queue = _queue(need, at_once)
    asked = max(surge, queue)
    peak = max(asked, _peak(aim, need, trail, at_once, now_s))
    pods = max(level, peak)
    if pods > 0 and trail.pods == 0 and need.ready == 0:
        pods = max(pods, aim.activation_scale)
    if surge and surge == pods:
        reason = f"{need.recent:g} at once is more than {need.ready} pods run: {surge} at target {aim.target.value:g}"
    elif queue and queue == pods:
        reason = f"{need.waiting} waiting and {need.running} running, {at_once:g} for each pod: {queue}"
    elif pods > level:
        reason += f"; {pods} asked for {now_s - trail.peak_s:.1f} s ago"
    if peak == 0:
        kept = Trail(pods=pods)
    else:
        kept = replace(trail, pods=pods, peak=peak, peak_s=now_s if asked >= peak else trail.peak_s)
    return Decision(pods, _excess(aim, need), reason), kept


def _level(aim: Aim, need: Need, trail: Trail) -> tuple[int, str]:
    """The averages at the target. A little less than a whole number of pods is no reason to give one up."""
    higher = max(need.stable, need.short)
    exact = higher / aim.target.value
    pods = ceil(exact - EPSILON)
    if 0 < pods < trail.pods and exact > trail.pods - 1 - DOWN_SLACK:
        pods = trail.pods
    which = "stable" if need.stable >= need.short else "short"
    return pods, f"{higher:g} over the {which} window / target {aim.target.value:g} = {pods} pods"


def _surge(aim: Aim, need: Need) -> int:
    if need.ready == 0 or need.recent <= FULL * need.ready * aim.target.total:
        return 0
    return ceil(need.recent / aim.target.value - EPSILON)


def _queue(need: Need, at_once: float) -> int:
    """Pods for everything that is here, unless those that run are through with it before another one runs."""
    if need.waiting == 0:
        return 0
    drained_s = need.waiting * need.request_s / (need.ready * at_once) if need.ready else float("inf")
    if need.request_s and drained_s < need.start_s:
        return 0
    return ceil((need.running + need.waiting) / at_once)


def _peak(aim: Aim, need: Need, trail: Trail, at_once: float, now_s: float) -> int:
    """What is left of an older peak: pods that run, and those that somebody waits for."""
    if trail.peak == 0 or now_s - trail.peak_s > max(aim.short_s, need.start_s if need.waiting else 0.0):
        return 0
    return min(trail.peak, need.ready + ceil(need.waiting / at_once))


def _excess(aim: Aim, need: Need) -> float:
    if aim.burst_capacity in (0, BURST_UNLIMITED):
        return aim.burst_capacity
    return need.ready * aim.target.total - aim.burst_capacity - need.short
