"""Decide: how many pods a revision should have, from its load and what was decided before (1.5).

A pure function: state goes in, state comes out, time is an argument. This is
upstream's decision, number for number; bounds and the way to zero are applied
afterwards, by `bounds`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil, floor

from .target import Target

BURST_UNLIMITED = -1.0
"""Target burst capacity with which the activator always stays in the path."""

DELAY_SLOT_S = 2
"""A value is remembered for as many slots of this length as the delay has, begun ones included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the revision and `config-autoscaler` want."""

    target: Target
    burst_capacity: float = 211.0
    up_rate: float = 1000.0
    """Largest factor of one step up."""
    down_rate: float = 2.0
    panic_threshold: float = 2.0
    """Pods wanted for each ready one, from which on it is a panic."""
    stable_s: float = 60.0
    activation_scale: int = 0
    """Pods to begin with when there is anything to do; 0 or 1: as many as needed."""
    delay_s: float = 0.0
    """How long a lower number waits before it counts."""
    reachable: bool = True
    """False once no route leads here: then nothing slows the way down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What was observed: averages in the metric's own unit."""

    ready: int
    stable: float
    panic: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What one decision leaves to the next."""

    panic_since_s: float | None = None
    panic_pods: int = 0
    """The most that was wanted in this panic; it never goes down before the panic ends."""
    delayed: tuple[tuple[int, int], ...] = field(default=())
    """(slot, pods) of the delay window, oldest first."""


@dataclass(frozen=True, slots=True)
class Decision:
    """How many pods, what capacity is left for a burst, and why."""

    pods: int
    excess: float
    """Spare capacity beyond the wished burst, in the metric's unit; below 0: the activator is needed."""
    reason: str


def first_memory(ready: int, now_s: float) -> Memory:
    """What a decision begins with. Pods that run already are kept for one stable window (G-42)."""
    return Memory(panic_since_s=now_s, panic_pods=ready) if ready > 1 else Memory()


def decide(policy: Policy, load: Load, memory: Memory, now_s: float) -> tuple[Decision, Memory]:
    """The number of pods at `now_s` (Unix seconds), and the memory for the next time."""
    base = max(1, load.ready)
    most = ceil(policy.up_rate * base)
    least = floor(base / policy.down_rate) if policy.reachable else 0
    stable_raw = ceil(load.stable / policy.target.value)
    panic_raw = ceil(load.panic / policy.target.value)
    stable = _within(stable_raw, least, most)
    panic = _within(panic_raw, least, most)
    if policy.activation_scale > 1:
        stable = max(stable, policy.activation_scale) if stable_raw > 0 else stable
        panic = max(panic, policy.activation_scale) if panic_raw > 0 else panic

    memory = _panic(policy, memory, panic_raw / base >= policy.panic_threshold, now_s)
    since_s = memory.panic_since_s
    pods = stable
    reason = f"{load.stable:g} over the stable window / target {policy.target.value:g} = {stable_raw} pods"
    if pods != stable_raw:
        reason += f", {pods} within the limits of one step ({least} to {most}) and the activation scale"
    if since_s is not None:
        pods = max(stable, panic, memory.panic_pods)
        memory = replace(memory, panic_pods=pods)
        reason += (
            f"; panic since {now_s - since_s:g} s: {load.panic:g} over the panic window needs {panic}, "
            f"{pods} is the most that was wanted"
        )
    if policy.reachable and policy.delay_s > 0:
        kept, memory = _delay(policy.delay_s, pods, memory, now_s)
        if kept != pods:
            reason += f"; {kept} for {policy.delay_s:g} s more than the load asks for"
        pods = kept
    return Decision(pods, _excess(policy, load), reason), memory


def activators_wanted(ready: int, target: Target, burst_capacity: float, activator_capacity: float) -> int:
    """How many activators a revision is spread over (1.7, G-57)."""
    if burst_capacity == 0:
        return 2
    return max(2, ceil((ready * target.total + max(burst_capacity, 0.0)) / activator_capacity))


def first_excess(target: Target, burst_capacity: float, initial_scale: int) -> float:
    """The spare capacity that is assumed before anything was measured (1.5)."""
    if burst_capacity in (0, BURST_UNLIMITED):
        return burst_capacity
    return float(int(initial_scale * target.total - burst_capacity))


def _within(pods: int, least: int, most: int) -> int:
    return min(max(pods, least), most)


def _panic(policy: Policy, memory: Memory, over: bool, now_s: float) -> Memory:
    """Enters, extends or leaves the panic; at exactly one stable window after the last reason it still holds."""
    if over:
        return replace(memory, panic_since_s=now_s)
    if memory.panic_since_s is not None and memory.panic_since_s + policy.stable_s < now_s:
        return replace(memory, panic_since_s=None, panic_pods=0)
    return memory


def _delay(delay_s: float, pods: int, memory: Memory, now_s: float) -> tuple[int, Memory]:
    """The largest number of the last slots, this one included."""
    slot = floor(now_s) // DELAY_SLOT_S
    oldest = slot - ceil(delay_s / DELAY_SLOT_S) + 1
    kept = tuple(one for one in memory.delayed if one[0] >= oldest and one[1] > pods)
    delayed = (*kept, (slot, pods))
    return delayed[0][1], replace(memory, delayed=delayed)


def _excess(policy: Policy, load: Load) -> float:
    if policy.burst_capacity in (0, BURST_UNLIMITED):
        return policy.burst_capacity
    return float(floor(load.ready * policy.target.total - policy.burst_capacity - load.panic))
