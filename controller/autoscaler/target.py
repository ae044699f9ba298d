"""Target: how many requests one pod is meant to carry, from what its revision says (1.4)."""

from __future__ import annotations

from dataclasses import dataclass

TARGET_MIN = 0.01
CONCURRENCY, RPS = "concurrency", "rps"
RPS_UTILIZATION = 0.7


@dataclass(frozen=True, slots=True)
class Target:
    """One pod's share of the metric: requests at once, or requests per second."""

    total: float
    """At 100 %."""
    value: float
    """The operating point that decisions aim at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDefaults:
    """What `config-autoscaler` says where a revision says nothing (1.10)."""

    concurrency: float = 100.0
    utilization: float = 0.7
    rps: float = 200.0


def target_of(
    metric: str,
    container_concurrency: int,
    wish: float | None,
    utilization_percent: float | None,
    defaults: TargetDefaults,
) -> Target:
    """The target of a revision.

    container_concurrency  requests at once that a pod accepts; 0: no limit
    wish                   annotation `target`, or None
    utilization_percent    annotation `target-utilization-percentage`, or None

    The order of the operations is upstream's, since 90 * 0.7 is a little less than 63.
    """
    if metric == RPS:
        total, share = defaults.rps, RPS_UTILIZATION
    else:
        total, share = float(container_concurrency or defaults.concurrency), defaults.utilization
    if wish is not None:
        limited = metric != RPS and container_concurrency > 0
        total = min(wish, float(container_concurrency)) if limited else wish
    if utilization_percent is not None:
        share = utilization_percent / 100
    return Target(total, max(TARGET_MIN, total * share))
