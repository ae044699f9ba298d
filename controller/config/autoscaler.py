"""Autoscaler: how a revision's scale follows its load, from config-autoscaler (SC 1.10)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.api.autoscaling import ALGORITHMS, KPA_CLASS
from controller.api.errors import shown
from controller.api.values import NS_PER_S, duration_text
from controller.config.reader import Reader

WINDOW_MIN_S = 6.0
WINDOW_MAX_S = 3600.0
TARGET_MIN = 0.01
UNLIMITED_BURST = -1.0


class Autoscaler(msgspec.Struct, frozen=True, kw_only=True):
    """Defaults of every revision; a revision's annotations come before them."""

    pod_autoscaler_class: str = KPA_CLASS
    algorithm: str = "knative"
    """Ours alone: `predictive` plans ahead, `knative` decides as upstream does."""

    enable_scale_to_zero: bool = True
    allow_zero_initial_scale: bool = False
    target_fraction: float = 0.7
    """How full a pod should be; the rest is room for a rise."""

    target_default: float = 100.0
    """Requests at once, per pod that has no limit of its own."""

    rps_target_default: float = 200.0
    """Requests per second and pod."""

    target_burst_capacity: float = 211.0
    """Requests at once that pods should have room for without an activator; -1: activators always stay."""

    stable_window_s: float = 60.0
    panic_window_percentage: float = 10.0
    panic_threshold_percentage: float = 200.0
    max_scale_up_rate: float = 1000.0
    max_scale_down_rate: float = 2.0
    activator_capacity: float = 100.0
    """Requests at once that one activator holds."""

    scale_to_zero_grace_period_s: float = 30.0
    pod_retention_period_s: float = 0.0
    scale_down_delay_s: float = 0.0
    initial_scale: int = 1
    min_scale: int = 0
    max_scale: int = 0
    """0: no limit."""

    max_scale_limit: int = 0
    """The largest max-scale that anybody may ask for; 0: no limit."""


def read(data: Mapping[str, str]) -> tuple[Autoscaler, list[str]]:
    """Settings, and every problem of the map; a value with a problem has its default."""
    reader, default = Reader(data), Autoscaler()
    fraction = reader.number(default.target_fraction, "container-concurrency-target-percentage")
    settings = Autoscaler(
        pod_autoscaler_class=reader.text(default.pod_autoscaler_class, "pod-autoscaler-class"),
        algorithm=reader.text(default.algorithm, "algorithm"),
        enable_scale_to_zero=reader.boolean(default.enable_scale_to_zero, "enable-scale-to-zero"),
        allow_zero_initial_scale=reader.boolean(default.allow_zero_initial_scale, "allow-zero-initial-scale"),
        target_fraction=fraction / 100 if fraction > 1 else fraction,
        target_default=reader.number(default.target_default, "container-concurrency-target-default"),
        rps_target_default=reader.number(default.rps_target_default, "requests-per-second-target-default"),
        target_burst_capacity=reader.number(default.target_burst_capacity, "target-burst-capacity"),
        stable_window_s=reader.duration_s(default.stable_window_s, "stable-window"),
        panic_window_percentage=reader.number(default.panic_window_percentage, "panic-window-percentage"),
        panic_threshold_percentage=reader.number(default.panic_threshold_percentage, "panic-threshold-percentage"),
        max_scale_up_rate=reader.number(default.max_scale_up_rate, "max-scale-up-rate"),
        max_scale_down_rate=reader.number(default.max_scale_down_rate, "max-scale-down-rate"),
        activator_capacity=reader.number(default.activator_capacity, "activator-capacity"),
        scale_to_zero_grace_period_s=reader.duration_s(
            default.scale_to_zero_grace_period_s, "scale-to-zero-grace-period"
        ),
        pod_retention_period_s=reader.duration_s(default.pod_retention_period_s, "scale-to-zero-pod-retention-period"),
        scale_down_delay_s=reader.duration_s(default.scale_down_delay_s, "scale-down-delay"),
        initial_scale=reader.integer(default.initial_scale, "initial-scale", bits=32),
        min_scale=reader.integer(default.min_scale, "min-scale", bits=32),
        max_scale=reader.integer(default.max_scale, "max-scale", bits=32),
        max_scale_limit=reader.integer(default.max_scale_limit, "max-scale-limit", bits=32),
    )
    _check_times(settings, reader)
    _check_rates(settings, reader)
    _check_scales(settings, reader)
    return settings, reader.problems


def _seconds(value: float) -> str:
    return duration_text(round(value * NS_PER_S))


def _check_times(settings: Autoscaler, reader: Reader) -> None:
    grace, retention = settings.scale_to_zero_grace_period_s, settings.pod_retention_period_s
    reader.require(grace > 0, f"scale-to-zero-grace-period must be positive, was: {_seconds(grace)}")
    reader.require(retention >= 0, f"scale-to-zero-pod-retention-period cannot be negative, was: {_seconds(retention)}")
    delay = settings.scale_down_delay_s
    reader.require(delay >= 0, f"scale-down-delay cannot be negative, was: {_seconds(delay)}")
    reader.require(
        delay.is_integer(), f"scale-down-delay = {_seconds(delay)}, must be specified with at most second precision"
    )
    window = settings.stable_window_s
    bounds = f"[{_seconds(WINDOW_MIN_S)}; {_seconds(WINDOW_MAX_S)}]"
    reader.require(
        WINDOW_MIN_S <= window <= WINDOW_MAX_S, f"stable-window = {_seconds(window)}, must be in {bounds} range"
    )
    reader.require(
        window.is_integer(), f"stable-window = {_seconds(window)}, must be specified with at most second precision"
    )


def _check_rates(settings: Autoscaler, reader: Reader) -> None:
    fraction, target = settings.target_fraction, settings.target_fraction * settings.target_default
    reader.require(
        0 < fraction <= 1,
        f"container-concurrency-target-percentage = {shown(fraction)} is outside of valid range of (0, 100]",
    )
    reader.require(
        target >= TARGET_MIN or fraction <= 0,
        "container-concurrency-target-percentage and container-concurrency-target-default yield target concurrency of "
        f"{shown(target)}, can't be less than {TARGET_MIN}",
    )
    rps, burst = settings.rps_target_default, settings.target_burst_capacity
    reader.require(
        rps >= TARGET_MIN, f"requests-per-second-target-default must be at least {TARGET_MIN}, was: {shown(rps)}"
    )
    reader.require(
        burst >= 0 or burst == UNLIMITED_BURST,
        f"target-burst-capacity must be either non-negative or -1 (for unlimited), was: {shown(burst)}",
    )
    panic = settings.panic_window_percentage
    reader.require(1 <= panic <= 100, f"panic-window-percentage = {shown(panic)}, must be in [1, 100] interval")
    up, down, capacity = settings.max_scale_up_rate, settings.max_scale_down_rate, settings.activator_capacity
    reader.require(up > 1, f"max-scale-up-rate = {shown(up)}, must be greater than 1.0")
    reader.require(down > 1, f"max-scale-down-rate = {shown(down)}, must be greater than 1.0")
    reader.require(capacity >= 1, f"activator-capacity = {shown(capacity)}, must be at least 1")


def _check_scales(settings: Autoscaler, reader: Reader) -> None:
    initial, smallest, largest = settings.initial_scale, settings.min_scale, settings.max_scale
    limit = settings.max_scale_limit
    reader.require(
        initial > 0 or (initial == 0 and settings.allow_zero_initial_scale),
        f"initial-scale = {initial}, must be at least 0 (or at least 1 when allow-zero-initial-scale is false)",
    )
    reader.require(smallest >= 0, f"min-scale = {smallest}, must be at least 0")
    reader.require(
        largest <= 0 or smallest <= largest, f"min-scale ({smallest}) must be less than max-scale ({largest})"
    )
    reader.require(limit >= 0, f"max-scale-limit = {limit}, must be at least 0")
    least = 1 if limit > 0 else 0
    reader.require(
        largest >= least and (limit <= 0 or largest <= limit),
        f"max-scale = {largest}, must be in [{least}, max-scale-limit({limit})] range",
    )
    reader.require(
        settings.algorithm in ALGORITHMS, f"algorithm = {settings.algorithm}, must be one of {', '.join(ALGORITHMS)}"
    )
