"""Predict: our own decision: as many pods as the requests need that are here, and no panic (mode `predictive`).

Three questions, and the largest answer counts:

    level    what the averages say, at the target: the long one, and the short one while it is higher
    surge    more at once than the pods that were asked for can run, by what arrives now and how long it takes:
             up to the target, before the averages know
    queue    requests that wait, at the hard limit, since a pod that is full is what they wait for;
             but for those that the pods which run are through with before a new one has started

A surge or a queue that is over is remembered for a short window, until the
averages have seen it too. Pods that were asked for because of a queue, and
have not started yet, are given back as soon as nobody waits for them. Nothing
is asked for because of rounding or noise: one request for pods that run one
each asks for one pod, not for two, and a level stays until the need has
clearly left it.

A pure function, like `decide`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, sqrt

from .decide import BURST_UNLIMITED, Decision
from .target import Target

FULL = 0.9
"""Share of what all pods can run from which on there is a surge: before, the averages are quick enough."""

CERTAIN = 3.0
"""Standard deviations (of a Poisson count) by which arrivals must be above that to be no accident."""

GROWING_S = 0.35
"""After a surge was seen it may turn out larger without being proved anew: the first reports show a part of it."""

UP_SLACK = 0.08
"""Part by which the need exceeds the pods before the averages ask for more; what the target leaves free bears it."""

NOISY = 1.5
"""A queue that asks for no more than so many times what the averages say is the noise of a steady load, and will come
back: the pods for it stay for a long window. What is larger is a burst, and over when it is over."""

BUCKET_S = 1.0
"""By which an average may lag."""

CLEAR = 2.0
"""Standard deviations of an average by which it must exceed that as well, to be no accident."""

SPREAD = 1.25
"""Variance of an average over T seconds of n at once that take D each: this much of n * D / T. Twice what it is for
durations that are all the same, for those of the model; measured ones lie around it."""

DOWN_SLACK = 0.05
"""Part by which the need must be below the pods before some are given up: else noise makes every step a dance."""

DOWN_SLACK_PODS = 0.15
"""And at least so much below the next whole number: with few pods a part of them is less than the noise."""

EPSILON = 1e-9
TAKES_S = 1.0
"""Taken for the length of a request until it is known."""

NEVER_S = 1e9
"""Since a request was seen, where none was."""

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
    coming: float = 0.0
    """What the arrivals of the last moment make at once, as long as requests take now; 0: not known."""
    arrived: int = 0
    """Requests that it rests on."""
    running: int = 0
    """Requests at a pod now."""
    waiting: int = 0
    """Requests that wait for one."""
    idle_s: float = NEVER_S
    """Since a request was seen last."""
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
    long_s: float = 60.0
    short_s: float = 6.0
    burst_capacity: float = 211.0
    activation_scale: int = 0


@dataclass(frozen=True, slots=True)
class Trail:
    """What one decision leaves to the next."""

    pods: int = 0
    """Decided last."""
    surge: int = 0
    """Asked for by a surge that the averages have not seen yet."""
    surge_s: float = 0.0
    """When it was asked for last."""
    queue: int = 0
    """Asked for by a queue; and when."""
    queue_s: float = 0.0


def first_trail(ready: int, now_s: float, longer_s: float) -> Trail:
    """What a decision begins with: pods that run already are kept for `longer_s` and a short window (SC-204)."""
    return Trail(pods=ready, surge=ready, surge_s=now_s + longer_s) if ready else Trail()


def predict(aim: Aim, need: Need, trail: Trail, now_s: float) -> tuple[Decision, Trail]:
    """The number of pods at `now_s`, and what to remember."""
    at_once = aim.limit or aim.target.total
    level, reason = _level(aim, need, trail)
    surge, queue = _surge(aim, need, trail, now_s), _queue(need, at_once)
    if trail.pods == 0 and need.ready == 0 and max(level, surge, queue) > 0:
        surge = max(surge, aim.activation_scale)
    kept = _kept(aim, need, trail, level, now_s)
    if surge > kept.surge:
        kept = replace(kept, surge=surge, surge_s=now_s)
    if queue >= kept.queue and queue > 0:
        kept = replace(kept, queue=queue, queue_s=now_s)
    pods = max(level, kept.surge, kept.queue)
    if pods > level:
        reason = _why(aim, need, kept, now_s) or reason
    return Decision(pods, _excess(aim, need), reason), replace(kept, pods=pods)


def _why(aim: Aim, need: Need, kept: Trail, now_s: float) -> str:
    """Why more is asked for than the averages say."""
    is_surge = kept.surge >= kept.queue
    pods, since_s = (kept.surge, kept.surge_s) if is_surge else (kept.queue, kept.queue_s)
    if since_s > now_s:
        rest_s = since_s - now_s + _hold_s(aim, need)
        return f"{pods} ran before anything was known, and are kept for {rest_s:.0f} s"
    if since_s < now_s:
        return f"{pods} asked for {now_s - since_s:.1f} s ago by a {'surge' if is_surge else 'queue'}"
    if not is_surge:
        each = aim.limit or aim.target.total
        return f"{need.waiting} waiting and {need.running} running, {each:g} for each pod: {pods}"
    if pods == aim.activation_scale:
        return f"{pods} to begin with, the activation scale"
    return f"{max(need.coming, need.recent):.3g} at once is coming: {pods} at target {aim.target.value:g}"


def _level(aim: Aim, need: Need, trail: Trail) -> tuple[int, str]:
    """The averages at the target. What the last decision was stays unless the need has clearly left it."""
    long, short = _exact(aim, need, need.stable, aim.long_s), _exact(aim, need, need.short, aim.short_s)
    exact, noise, which = (*long, "stable") if long[0] >= short[0] else (*short, "short")
    pods = max(ceil(exact - EPSILON), 1 if need.running or need.waiting or need.idle_s <= aim.long_s else 0)
    low = min(trail.pods - 1 - DOWN_SLACK_PODS, trail.pods * (1 - DOWN_SLACK))
    is_higher = any(one - spread > trail.pods * (1 + UP_SLACK) for one, spread in (long, short))
    reason = f"{exact * aim.target.value:.4g} over the {which} window / target {aim.target.value:g} = {pods} pods"
    if trail.pods > 0 and pods > 0 and exact > low and not is_higher and pods != trail.pods:
        return trail.pods, f"{reason}, near enough to {trail.pods} (noise: {noise:.2g})"
    return pods, reason


def _exact(aim: Aim, need: Need, average: float, length_s: float) -> tuple[float, float]:
    """Pods for an average, as a fraction, and how many of them may be accident."""
    takes_s = need.request_s or TAKES_S
    noise = CLEAR * sqrt(SPREAD * average * takes_s / length_s)
    return average / aim.target.value, noise / aim.target.value


def _surge(aim: Aim, need: Need, trail: Trail, now_s: float) -> int:
    """Where a pod has no hard limit, what it runs beyond its share counts as well; else that waits, and is a queue."""
    pods = trail.pods or need.ready
    full = FULL * pods * aim.target.total
    spread = need.coming / sqrt(need.arrived) if need.arrived else 0.0
    is_growing = trail.surge > 0 and 0 <= now_s - trail.surge_s < GROWING_S
    is_surge = is_growing or need.coming - CERTAIN * spread > full
    coming = need.coming if is_surge else 0.0
    if not aim.limit and pods and need.recent - CERTAIN * sqrt(need.recent) > full:
        coming = max(coming, need.recent)
    return ceil(coming / aim.target.value - EPSILON)


def _queue(need: Need, at_once: float) -> int:
    """Pods for everything here, but what the pods that run are through with before another one runs."""
    through = need.ready * at_once * need.start_s / need.request_s if need.request_s else 0.0
    left = need.waiting - through
    return ceil((need.running + left) / at_once - EPSILON) if left > 0 else 0


def _kept(aim: Aim, need: Need, trail: Trail, level: int, now_s: float) -> Trail:
    """What is left of an older surge, and of an older queue."""
    hold_s = _hold_s(aim, need)
    if trail.surge and now_s - trail.surge_s > hold_s:
        trail = replace(trail, surge=0, surge_s=0.0)
    if trail.queue:
        is_noise = trail.queue <= NOISY * level
        queue = 0 if now_s - trail.queue_s > (aim.long_s if is_noise else hold_s) else trail.queue
        if need.request_s and not is_noise:
            # Pods that run, and those that somebody waits for or will: the rest has not started, and need not.
            waited_for = need.ready + ceil(need.waiting / (aim.limit or aim.target.total))
            coming = ceil(max(need.coming, need.recent) / aim.target.value)
            queue = min(queue, max(waited_for, coming))
        trail = replace(trail, queue=queue, queue_s=trail.queue_s if queue else 0.0)
    return trail


def _hold_s(aim: Aim, need: Need) -> float:
    """Until the short average has seen all of it, from the first pod's start on."""
    return aim.short_s + need.start_s + BUCKET_S


def _excess(aim: Aim, need: Need) -> float:
    if aim.burst_capacity in (0, BURST_UNLIMITED):
        return aim.burst_capacity
    return need.ready * aim.target.total - aim.burst_capacity - need.short
