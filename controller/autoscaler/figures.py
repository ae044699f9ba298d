"""Figures of a simulated run: how soon, how far beyond, how often back, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, inf

from .simulate import Outcome

RIGHT = 0.85
"""Share of the right scale that counts as right: two standard deviations of 200 requests at once are a seventh."""

EARLY_S = 1e-6
"""A change of the model at the very moment of a step belongs to the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Of one run; what the trace has no step for is None."""

    first_s: float
    """From the first request of all until a pod was asked for."""
    right_s: float | None
    """From a step up until the right scale was asked for, within the noise: the longest. A step from nothing has none:
    nobody can know how long requests take before one has ended."""
    overshoot: float | None
    """Pods asked for beyond the right ones after a step up, as a share of them: the largest."""
    reversals: int | None
    """Changes of direction between two steps: the most."""
    zero_s: float
    """From the end of the last request until no pod was wanted; inf: never."""
    pod_s: float
    pods: int
    unused: int
    """Pods that were never given a request."""
    wait_p50_s: float
    wait_p99_s: float


def figures(outcome: Outcome) -> Figures:
    """The figures of an outcome."""
    waits = sorted(outcome.waits)
    wanted = outcome.wanted
    is_zero = bool(wanted) and wanted[-1][1] == 0
    steps = outcome.trace.steps
    return Figures(
        first_s=wanted[0][0] - outcome.trace.arrivals[0].at_s if wanted else inf,
        right_s=max((_right_s(outcome, *step) for step in _ups(outcome)[outcome.trace.goes_on :]), default=None),
        overshoot=max((_overshoot(outcome, *step) for step in _ups(outcome)), default=None),
        reversals=max((_reversals(outcome, *span) for span in _spans(outcome)), default=0) if steps else None,
        zero_s=wanted[-1][0] - outcome.ended_s if is_zero else inf,
        pod_s=outcome.pod_s,
        pods=outcome.pods,
        unused=outcome.unused,
        wait_p50_s=_share(waits, 0.5),
        wait_p99_s=_share(waits, 0.99),
    )


def right_scale(outcome: Outcome, at_once: float) -> int:
    """Pods for so many requests: at the target where the load goes on, as many as can hold them where it is a burst."""
    target = outcome.setting.policy().policy.target
    return ceil(at_once / (target.value if outcome.trace.goes_on else target.total) - 1e-9)


def _spans(outcome: Outcome) -> list[tuple[float, float]]:
    """From one step to the next."""
    starts = [start_s for start_s, _ in outcome.trace.steps]
    return list(pairwise([*starts, outcome.trace.length_s]))


def _ups(outcome: Outcome) -> list[tuple[float, float, int]]:
    """(from, to, the right scale) of each step up."""
    before = 0.0
    found = []
    for (start_s, end_s), (_, at_once) in zip(_spans(outcome), outcome.trace.steps, strict=True):
        if at_once > before:
            found.append((start_s, end_s, right_scale(outcome, at_once)))
        before = at_once
    return found


def _within(outcome: Outcome, start_s: float, end_s: float) -> list[tuple[float, int]]:
    return [one for one in outcome.wanted if start_s - EARLY_S <= one[0] < end_s - EARLY_S]


def _right_s(outcome: Outcome, start_s: float, end_s: float, right: int) -> float:
    return next((at_s - start_s for at_s, pods in _within(outcome, start_s, end_s) if pods >= RIGHT * right), inf)


def _overshoot(outcome: Outcome, start_s: float, end_s: float, right: int) -> float:
    most = max((pods for _, pods in _within(outcome, start_s, end_s)), default=0)
    return max(0.0, most / right - 1)


def _reversals(outcome: Outcome, start_s: float, end_s: float) -> int:
    """Changes of direction; the first direction is none."""
    before = next((pods for at_s, pods in reversed(outcome.wanted) if at_s < start_s - EARLY_S), 0)
    count, direction = 0, 0
    for _, pods in _within(outcome, start_s, end_s):
        now = 1 if pods > before else -1
        count += direction not in (0, now)
        before, direction = pods, now
    return count


def _share(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
