"""Policy of a revision: what its annotations say, and `config-autoscaler` where they say nothing (SC 1.4, 1.9)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from controller.api import autoscaling as keys
from controller.api.autoscaling import PodAutoscaler
from controller.api.meta import PROGRESS_DEADLINE_SPELLINGS, annotation
from controller.api.values import NS_PER_S, duration_ns, integer, number
from controller.config.settings import Settings

from .bounds import ScaleLimits
from .decide import Policy
from .target import TargetDefaults, target_of
from .window import LINEAR, WEIGHTED_EXPONENTIAL, panic_length

T = TypeVar("T")

PREDICTIVE = "predictive"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionPolicy:
    """All that steers one revision's scale."""

    policy: Policy
    limits: ScaleLimits
    metric: str
    algorithm: str
    """`knative` or `predictive`."""
    container_concurrency: int
    """Requests that a pod runs at once; 0: no limit."""
    panic_s: float
    weighting: str
    """How the windows weigh their seconds."""


def policy_of(item: PodAutoscaler, settings: Settings) -> RevisionPolicy:
    """Annotations were validated when they were written; one that is wrong all the same counts as absent."""
    said = _Said(item.metadata.annotations)
    config = settings.autoscaler
    metric = said.value(keys.METRIC, str) or keys.CONCURRENCY
    target = target_of(
        metric,
        item.spec.container_concurrency,
        said.value(keys.TARGET, number),
        said.value(keys.TARGET_UTILIZATION, number),
        TargetDefaults(
            concurrency=config.target_default, utilization=config.target_fraction, rps=config.rps_target_default
        ),
    )
    stable_s = said.seconds(keys.WINDOW, config.stable_window_s)
    reachable = item.spec.reachability != keys.UNREACHABLE
    burst = said.get(keys.TARGET_BURST_CAPACITY, number, config.target_burst_capacity)
    return RevisionPolicy(
        policy=Policy(
            target=target,
            burst_capacity=burst,
            up_rate=config.max_scale_up_rate,
            down_rate=config.max_scale_down_rate,
            panic_threshold=said.get(keys.PANIC_THRESHOLD, number, config.panic_threshold_percentage) / 100,
            stable_s=stable_s,
            activation_scale=said.get(keys.ACTIVATION_SCALE, integer, 0),
            delay_s=said.seconds(keys.SCALE_DOWN_DELAY, config.scale_down_delay_s),
            reachable=reachable,
        ),
        limits=_limits(said, settings, stable_s, burst),
        metric=metric,
        algorithm=said.value((keys.ALGORITHM,), str) or config.algorithm,
        container_concurrency=item.spec.container_concurrency,
        panic_s=panic_length(stable_s, said.get(keys.PANIC_WINDOW, number, config.panic_window_percentage)),
        weighting=WEIGHTED_EXPONENTIAL if said.value(keys.AGGREGATION, str) in keys.WEIGHTED_EXPONENTIAL else LINEAR,
    )


def _limits(said: _Said, settings: Settings, stable_s: float, burst: float) -> ScaleLimits:
    config = settings.autoscaler
    initial = said.get(keys.INITIAL_SCALE, integer, config.initial_scale)
    if initial == 0 and not config.allow_zero_initial_scale:
        initial = config.initial_scale
    return ScaleLimits(
        min_scale=said.get(keys.MIN_SCALE, integer, config.min_scale),
        max_scale=said.get(keys.MAX_SCALE, integer, config.max_scale),
        initial_scale=initial,
        to_zero=config.enable_scale_to_zero,
        stable_s=stable_s,
        grace_s=config.scale_to_zero_grace_period_s,
        retention_s=said.seconds(keys.POD_RETENTION, config.pod_retention_period_s),
        progress_deadline_s=said.seconds(PROGRESS_DEADLINE_SPELLINGS, settings.deployment.progress_deadline_s),
        burst_capacity=burst,
    )


class _Said:
    """Annotations, read by the spellings that they may have."""

    def __init__(self, annotations: Mapping[str, str]) -> None:
        self._annotations = dict(annotations)

    def value(self, spellings: tuple[str, ...], read: Callable[[str], T]) -> T | None:
        found = annotation(self._annotations, spellings)
        if found is None:
            return None
        try:
            return read(found[1])
        except ValueError:
            return None

    def get(self, spellings: tuple[str, ...], read: Callable[[str], T], default: T) -> T:
        value = self.value(spellings, read)
        return default if value is None else value

    def seconds(self, spellings: tuple[str, ...], default: float) -> float:
        ns = self.value(spellings, duration_ns)
        return default if ns is None else ns / NS_PER_S
