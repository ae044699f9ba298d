"""Decider: one revision's load, the decision that it leads to, and why."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from controller.api.autoscaling import RPS
from dataplane.contract.reports import Report
from dataplane.contract.stat import Stat

from .activity import Activity
from .bounds import UNKNOWN
from .decide import Decision, Load, decide, first_excess, first_memory
from .policy import PREDICTIVE, RevisionPolicy
from .predict import START_S, Aim, Need, Trail, predict
from .window import Window

KEPT = 100
"""Decisions that are remembered, for whoever asks why."""

START_WEIGHT = 0.3
"""Of the newest start, in the average of all."""


@dataclass(frozen=True, slots=True)
class Made:
    """A decision and its time, Unix seconds."""

    at_s: float
    decision: Decision


class Decider:
    """Takes what is reported, and decides when it is asked to."""

    def __init__(self, wanted: RevisionPolicy, ready: int, now_s: float) -> None:
        self.wanted = wanted
        self.activity = Activity()
        self.start_s = START_S
        self.made: deque[Made] = deque(maxlen=KEPT)
        self.pods = UNKNOWN
        self.excess = first_excess(wanted.policy.target, wanted.policy.burst_capacity, wanted.limits.initial_scale)
        self._memory = first_memory(ready, now_s)
        self._trail = Trail(pods=ready)
        self._stable = {metric: self._window(wanted.policy.stable_s) for metric in ("concurrency", RPS)}
        self._panic = {metric: self._window(wanted.panic_s) for metric in ("concurrency", RPS)}

    def change(self, wanted: RevisionPolicy) -> None:
        """Another policy from now on; what was measured stays (B-02)."""
        if wanted.policy.stable_s != self.wanted.policy.stable_s:
            self._stable = {metric: one.resized(wanted.policy.stable_s) for metric, one in self._stable.items()}
        if wanted.panic_s != self.wanted.panic_s:
            self._panic = {metric: one.resized(wanted.panic_s) for metric, one in self._panic.items()}
        self.wanted = wanted

    def record(self, stat: Stat, now_s: float) -> bool:
        """A record of upstream's kind; True when it must be decided on at once (1.5, poke)."""
        concurrency = stat.average_concurrent_requests - stat.average_proxied_concurrent_requests
        self._record("concurrency", concurrency, now_s)
        self._record(RPS, stat.request_count - stat.proxied_request_count, now_s)
        return concurrency > 0 and self.pods == 0

    def report(self, name: str, report: Report, now_s: float) -> bool:
        """A report of ours, where `name` is the revision; True when it must be decided on at once."""
        counts = report.revisions[name]
        grown = self.activity.take(report.sender, report.life, report.sequence, report.time_s, counts, now_s)
        if grown is None:
            return False
        busy_s, requests = grown
        self._record("concurrency", busy_s, now_s)
        self._record(RPS, requests, now_s)
        return counts.waiting > 0 or self.wanted.algorithm == PREDICTIVE

    def silence(self, now_s: float) -> None:
        """Whoever would report was listened to, and had nothing to say."""
        self._record("concurrency", 0.0, now_s)
        self._record(RPS, 0.0, now_s)

    def started(self, seconds: float) -> None:
        """A pod took that long from its creation to being ready."""
        self.start_s += START_WEIGHT * (seconds - self.start_s)

    def decide(self, ready: int, now_s: float) -> Decision | None:
        """The decision of now; None without any data: then nothing changes."""
        metric = self.wanted.metric if self.wanted.metric == RPS else "concurrency"
        stable, panic = self._stable[metric], self._panic[metric]
        if stable.is_empty(now_s) and self.wanted.policy.burst_capacity != -1:
            return None
        averages = stable.average(now_s), panic.average(now_s)
        if self.wanted.algorithm == PREDICTIVE:
            decision, self._trail = predict(self._aim(), self._need(ready, *averages, now_s), self._trail, now_s)
        else:
            load = Load(ready=ready, stable=averages[0], panic=averages[1])
            decision, self._memory = decide(self.wanted.policy, load, self._memory, now_s)
        self.pods, self.excess = decision.pods, decision.excess
        self.made.append(Made(now_s, decision))
        return decision

    def _aim(self) -> Aim:
        return Aim(
            target=self.wanted.policy.target,
            limit=self.wanted.container_concurrency,
            short_s=self.wanted.panic_s,
            burst_capacity=self.wanted.policy.burst_capacity,
            activation_scale=self.wanted.policy.activation_scale,
        )

    def _need(self, ready: int, stable: float, short: float, now_s: float) -> Need:
        return Need(
            ready=ready,
            stable=stable,
            short=short,
            recent=self.activity.recent(now_s) if self.wanted.metric != RPS else short,
            running=self.activity.running(now_s),
            waiting=self.activity.waiting(now_s),
            request_s=self.activity.request_s,
            start_s=self.start_s,
        )

    def _window(self, length_s: float) -> Window:
        return Window(length_s, self.wanted.weighting)

    def _record(self, metric: str, value: float, now_s: float) -> None:
        self._stable[metric].record(now_s, value)
        self._panic[metric].record(now_s, value)
