"""Decider: one revision's load, the decision that it leads to, and why."""

from __future__ import annotations

from collections.abc import Iterable

from controller.api.autoscaling import CONCURRENCY, RPS
from controller.api.core import Pod
from dataplane.contract.reports import Counts, Report
from dataplane.contract.stat import Stat

from .activity import FLOW_S, Activity
from .bounds import UNKNOWN
from .decide import BURST_UNLIMITED, Decision, Load, first_excess, first_memory
from .made import History, KnativeQuestion, Made, PredictiveQuestion
from .pods import Starts, ready_count
from .policy import PREDICTIVE, RevisionPolicy
from .predict import START_S, Aim, Need, first_trail
from .window import Window

START_WEIGHT = 0.3
"""Of the newest start, in the average of all."""

FIRST_REQUEST = 1.0
"""Request-seconds that the request which wakes a revision counts for at once, as activators report it (1.1)."""

LOOK_S = {PREDICTIVE: 0.5}
"""Seconds between two looks without a report: zero is seen in time. Any other algorithm looks as upstream does."""
UPSTREAM_LOOK_S = 2.0

BELIEF = 1.25
"""Requests that last as long as those before would be here already, but for those that came before they were counted.
So much more than is here may still be coming; the rest is a duration that holds no longer."""


class Decider:
    """Takes what is reported, and decides when it is asked to. Times are Unix seconds of a clock that never steps."""

    def __init__(self, wanted: RevisionPolicy, pods: Iterable[Pod], now_s: float) -> None:
        self.wanted = wanted
        self.activity = Activity()
        self.history = History()
        self.start_s = START_S
        self.ready = 0
        self.pods = UNKNOWN
        self.excess = first_excess(wanted.policy.target, wanted.policy.burst_capacity, wanted.limits.initial_scale)
        self.due_s = now_s + self._look_s
        """When to look again, whatever is reported until then."""
        self.changed_s = now_s
        """When it was asked for the decision that changed something last."""
        self._starts = Starts()
        self.observe(pods, now_s)
        self._memory = first_memory(self.ready, now_s)
        self._trail = first_trail(self.ready, now_s, wanted.policy.stable_s - wanted.panic_s)
        self._ahead_s = 0.0
        stable_s, panic_s = _lengths(wanted)
        self._stable = {metric: Window(stable_s, wanted.weighting) for metric in (CONCURRENCY, RPS)}
        self._panic = {metric: Window(panic_s, wanted.weighting) for metric in (CONCURRENCY, RPS)}

    @property
    def metric(self) -> str:
        """Which of the two kinds of load decides."""
        return RPS if self.wanted.metric == RPS else CONCURRENCY

    def change(self, wanted: RevisionPolicy) -> None:
        """Another policy from now on; what was measured stays (B-02)."""
        before, self.wanted = _lengths(self.wanted), wanted
        stable_s, panic_s = _lengths(wanted)
        if stable_s != before[0]:
            self._stable = {metric: one.resized(stable_s) for metric, one in self._stable.items()}
        if panic_s != before[1]:
            self._panic = {metric: one.resized(panic_s) for metric, one in self._panic.items()}
        for window in (*self._stable.values(), *self._panic.values()):
            window.weighting = wanted.weighting

    def observe(self, pods: Iterable[Pod], now_s: float) -> bool:
        """The pods as they are; True when another number of them is ready."""
        known = tuple(pods)
        for seconds in self._starts.look(known, now_s):
            self.start_s += START_WEIGHT * (seconds - self.start_s)
        before, self.ready = self.ready, ready_count(known)
        return self.ready != before

    def record(self, stat: Stat, now_s: float) -> bool:
        """A record of upstream's kind; True when it must be decided on at once (1.5, poke)."""
        concurrency = stat.average_concurrent_requests - stat.average_proxied_concurrent_requests
        self._record(CONCURRENCY, concurrency, now_s)
        self._record(RPS, stat.request_count - stat.proxied_request_count, now_s)
        return concurrency > 0 and self.pods <= 0

    def report(self, name: str, report: Report, now_s: float) -> bool:
        """A report of ours, where `name` is the revision; True when it must be decided on at once."""
        counts = report.revisions[name]
        grown = self.activity.take(report.sender, report.life, report.sequence, report.time_s, counts, now_s)
        if grown is None:
            return False
        if self._is_predictive:
            busy_s, requests = grown.busy_s - grown.waited_s, grown.requests  # who waits is counted on its own
        else:
            busy_s, requests = self._ahead(counts, grown.busy_s, grown.requests)
        self._record(CONCURRENCY, busy_s, now_s)
        self._record(RPS, requests, now_s)
        return self._is_predictive or (self.pods <= 0 and counts.running + counts.waiting > 0)

    def silence(self, now_s: float) -> None:
        """Whoever would report was listened to, and had nothing to say."""
        self._record(CONCURRENCY, 0.0, now_s)
        self._record(RPS, 0.0, now_s)

    def decide(self, now_s: float) -> Decision | None:
        """The decision of now; None without any data: then nothing changes."""
        self.due_s = now_s + self._look_s
        stable = self._stable[self.metric]
        if stable.is_empty(now_s) and self.wanted.policy.burst_capacity != BURST_UNLIMITED:
            return None
        averages = self.averages(self.metric, now_s)
        question: KnativeQuestion | PredictiveQuestion
        if self._is_predictive:
            asked = PredictiveQuestion(self._aim(), self._need(*averages, now_s), self._trail)
            decision, self._trail = asked.answer(now_s)
            question = asked
        else:
            load = Load(ready=self.ready, stable=averages[0], panic=averages[1])
            wondered = KnativeQuestion(self.wanted.policy, load, self._memory)
            decision, self._memory = wondered.answer(now_s)
            question = wondered
        self.pods, self.excess = decision.pods, decision.excess
        self.history.add(Made(now_s, question, decision))
        return decision

    def averages(self, metric: str, now_s: float) -> tuple[float, float]:
        """Over the stable and the panic window."""
        if self._is_predictive:
            least_s = self.wanted.panic_s
            return self._stable[metric].mean(now_s, least_s), self._panic[metric].mean(now_s, least_s)
        return self._stable[metric].average(now_s), self._panic[metric].average(now_s)

    def is_idle(self, now_s: float) -> bool:
        """Nothing is wanted, and time alone changes nothing: no look is needed until something is reported."""
        return self.pods == 0 and self.averages(self.metric, now_s) == (0.0, 0.0) and not self.activity.recent(now_s)

    @property
    def _is_predictive(self) -> bool:
        return self.wanted.algorithm == PREDICTIVE

    @property
    def _look_s(self) -> float:
        return LOOK_S.get(self.wanted.algorithm, UPSTREAM_LOOK_S)

    def _ahead(self, counts: Counts, busy_s: float, requests: float) -> tuple[float, float]:
        """Upstream's algorithm knows averages only: what wakes it up counts in advance, and less afterwards."""
        if self.pods <= 0 and not self._ahead_s and counts.running + counts.waiting:
            self._ahead_s = FIRST_REQUEST
            return busy_s + FIRST_REQUEST, max(requests, 1.0)
        taken_s = min(busy_s, self._ahead_s)
        self._ahead_s -= taken_s
        return busy_s - taken_s, requests

    def _aim(self) -> Aim:
        return Aim(
            target=self.wanted.policy.target,
            limit=self.wanted.container_concurrency,
            long_s=self.wanted.policy.stable_s,
            short_s=self.wanted.panic_s,
            burst_capacity=self.wanted.policy.burst_capacity,
            activation_scale=self.wanted.policy.activation_scale,
        )

    def _need(self, stable: float, short: float, now_s: float) -> Need:
        per_s, arrived = self.activity.arriving(now_s)
        is_rps = self.metric == RPS
        takes_s = self.activity.request_s
        here = max(self.activity.recent(now_s), float(self.activity.running() + self.activity.waiting()))
        return Need(
            ready=self.ready,
            stable=stable,
            short=short,
            recent=short if is_rps else self.activity.recent(now_s),
            coming=per_s if is_rps else min(per_s * takes_s, here * BELIEF * max(1.0, takes_s / FLOW_S)),
            arrived=arrived,
            idle_s=self.activity.idle_s(now_s),
            running=self.activity.running(),
            waiting=self.activity.waiting(),
            request_s=takes_s,
            start_s=self.start_s,
        )

    def _record(self, metric: str, value: float, now_s: float) -> None:
        self._stable[metric].record(now_s, value)
        self._panic[metric].record(now_s, value)


def _lengths(wanted: RevisionPolicy) -> tuple[float, float]:
    """Of the stable and the panic window; our own averages want one bucket more."""
    more_s = 1.0 if wanted.algorithm == PREDICTIVE else 0.0
    return wanted.policy.stable_s + more_s, wanted.panic_s + more_s
