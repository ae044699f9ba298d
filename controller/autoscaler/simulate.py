"""Simulate: a revision under a load, event by event, with the real decider, and no time but the model's.

Pods take their time to start, run as many requests at once as they are
allowed to, and finish what they have when they are taken away. Whatever finds
no place waits at the activator, first come first served. Reports reach the
decider as they do in a cluster: mode `predictive` every 100 ms, mode `knative`
a record every second, and one at once for the request that wakes the revision.
An activator sees every request; that a pod might be reached without one
changes no decision.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import log
from random import Random

from controller.api.conditions import Condition
from controller.api.core import Pod, PodStatus
from controller.api.meta import ObjectMeta
from dataplane.contract.reports import REPORT_S, Counts, Report
from dataplane.contract.stat import Stat

from .bounds import ACTIVATING, ACTIVE, INACTIVE, ScaleLimits, ScaleState, bound
from .decide import Policy
from .decider import Decider
from .made import History, Made
from .policy import PREDICTIVE, RevisionPolicy
from .predict import START_S
from .target import Target
from .traces import Arrival, Trace
from .window import LINEAR, panic_length

UNIX_S = 1_700_000_000.0
"""The model's beginning on the decider's clock."""

NAME = "simulated/revision"
DECISIONS_MAX = 100_000
"""Of one run, that are kept."""

STAT_S = 1.0
"""Between two records of upstream's kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the revision is like, and who decides."""

    algorithm: str = PREDICTIVE
    concurrency: int = 0
    """Requests that a pod runs at once; 0: no limit."""
    target_total: float = 100.0
    """Requests at once for each pod, where there is no limit."""
    utilization: float = 0.7
    start_s: float = START_S
    """Of a pod, from the decision to the first request, half of them take less."""
    start_spread: float = 0.2
    """Standard deviation of the logarithm of the start."""
    apply_s: float = 0.01
    """From a decision to the pods' making."""
    stable_s: float = 60.0
    grace_s: float = 30.0
    min_scale: int = 0
    max_scale: int = 0
    seed: int = 1

    def policy(self) -> RevisionPolicy:
        """The same, as the decider wants it."""
        total = float(self.concurrency or self.target_total)
        is_predictive = self.algorithm == PREDICTIVE
        return RevisionPolicy(
            policy=Policy(target=Target(total, total * self.utilization), stable_s=self.stable_s),
            limits=ScaleLimits(
                min_scale=self.min_scale,
                max_scale=self.max_scale,
                stable_s=self.stable_s,
                # Activators of ours acknowledge that they are in the path: then there is nothing to wait for.
                grace_s=0.0 if is_predictive else self.grace_s,
            ),
            metric="concurrency",
            algorithm=self.algorithm,
            container_concurrency=self.concurrency,
            panic_s=panic_length(self.stable_s, 10),
            weighting=LINEAR,
        )


_READY = PodStatus(phase="Running", conditions=(Condition(type="Ready", status="True"),))


@dataclass(slots=True, eq=False)
class Instance:
    """A pod of the model."""

    number: int
    made_s: float
    running: int = 0
    served: int = 0
    is_ready: bool = False
    is_leaving: bool = False
    is_offered: bool = False
    """It stands among those that have a free place."""

    @property
    def seen(self) -> Pod:
        """As the API server shows it."""
        metadata = ObjectMeta(name=f"pod-{self.number}", uid=str(self.number))
        return Pod(metadata=metadata, status=_READY if self.is_ready else PodStatus())


@dataclass(slots=True)
class Outcome:
    """What came of it. Times are seconds since the beginning."""

    trace: Trace
    setting: Setting
    wanted: list[tuple[float, int]] = field(default_factory=list)
    """(when, pods asked for), each change."""
    ready: list[tuple[float, int]] = field(default_factory=list)
    load: list[tuple[float, float]] = field(default_factory=list)
    """(when, requests at once), each second."""
    waits: list[float] = field(default_factory=list)
    """Of each request, until a pod had it."""
    made: list[Made] = field(default_factory=list)
    """The decisions that changed something."""
    pod_s: float = 0.0
    pods: int = 0
    """Made in all."""
    unused: int = 0
    """Of those, never given a request."""
    ended_s: float = 0.0
    """When the last request was through."""


def simulate(trace: Trace, setting: Setting) -> Outcome:
    """The trace under one setting; the same again gives the same."""
    return _Model(trace, setting).run()


class _Model:
    """One run."""

    def __init__(self, trace: Trace, setting: Setting) -> None:
        self.now_s = 0.0
        self.outcome = Outcome(trace, setting)
        self._trace, self._setting = trace, setting
        self._random = Random(setting.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._next = 0
        self._pods: list[Instance] = []
        self._free: list[Instance] = []
        self._held: deque[Arrival] = deque()
        self._running = self._requests = 0
        self._busy_s = self._busy_at_s = self._busy_then_s = 0.0
        self._wanted = self._ready = 0
        self._activity, self._active_since_s = INACTIVE, -1e6
        self._proxied_since_s = -1e6
        self._decider = Decider(setting.policy(), (), UNIX_S)
        self._decider.history = History(DECISIONS_MAX)
        reporter = _Reports if setting.algorithm == PREDICTIVE else _Records
        self._reporter: _Reports | _Records = reporter(self)

    def run(self) -> Outcome:
        self._arrive_next()
        self.after(0.0, self._second)
        self.after(self._decider.due_s - UNIX_S, self._look)
        while self._events:
            at_s, _, happen = heappop(self._events)
            if at_s > self._trace.length_s:
                break
            self.now_s = at_s
            happen()
        self.now_s = self._trace.length_s
        for pod in self._pods:
            self._end(pod)
        self.outcome.made = self._decider.history.all()
        return self.outcome

    def after(self, seconds: float, happen: Callable[[], None]) -> None:
        self._order += 1
        heappush(self._events, (self.now_s + seconds, self._order, happen))

    def counts(self) -> Counts:
        self._passed()
        return Counts(requests=self._requests, busy_s=self._busy_s, running=self._running, waiting=len(self._held))

    def report(self, report: Report) -> None:
        if self._decider.report(NAME, report, UNIX_S + self.now_s):
            self._decide()

    def record(self, stat: Stat) -> None:
        if self._decider.record(stat, UNIX_S + self.now_s):
            self._decide()

    @property
    def has_pods(self) -> bool:
        return self._ready > 0

    # Requests

    def _arrive_next(self) -> None:
        if self._next < len(self._trace.arrivals):
            one = self._trace.arrivals[self._next]
            self._next += 1
            self.after(one.at_s - self.now_s, lambda: self._arrive(one))

    def _arrive(self, one: Arrival) -> None:
        self._passed()
        self._requests += 1
        self._held.append(one)
        self._serve()
        self._reporter.arrived()
        self._arrive_next()

    def _serve(self) -> None:
        while self._held:
            pod = self._choose()
            if pod is None:
                return
            one = self._held.popleft()
            self.outcome.waits.append(self.now_s - one.at_s)
            self._running += 1
            pod.running += 1
            pod.served += 1
            self._offer(pod)
            self.after(one.takes_s, lambda pod=pod: self._finish(pod))  # type: ignore[misc]

    def _choose(self) -> Instance | None:
        """With a limit any pod that has a place; without one the better of two."""
        while self._free:
            if self._setting.concurrency:
                pod = self._free.pop()
            else:
                one, two = self._random.choice(self._free), self._random.choice(self._free)
                pod = one if one.running <= two.running else two
                self._free.remove(pod)
            pod.is_offered = False
            if not pod.is_leaving:
                return pod
        return None

    def _offer(self, pod: Instance) -> None:
        limit = self._setting.concurrency
        has_place = not limit or pod.running < limit
        if pod.is_ready and not pod.is_leaving and not pod.is_offered and has_place:
            pod.is_offered = True
            self._free.append(pod)

    def _finish(self, pod: Instance) -> None:
        self._passed()
        self._running -= 1
        pod.running -= 1
        self.outcome.ended_s = self.now_s
        if pod.is_leaving and pod.running == 0:
            self._end(pod)
        self._offer(pod)
        self._serve()

    def _passed(self) -> None:
        self._busy_s += (self.now_s - self._busy_at_s) * (self._running + len(self._held))
        self._busy_at_s = self.now_s

    # Pods

    def _start(self) -> None:
        self.outcome.pods += 1
        pod = Instance(self.outcome.pods, self.now_s)
        self._pods.append(pod)
        setting = self._setting
        takes_s = self._random.lognormvariate(log(setting.start_s), setting.start_spread)
        self.after(takes_s, lambda: self._started(pod))

    def _started(self, pod: Instance) -> None:
        if pod.is_leaving:
            return
        self._passed()
        pod.is_ready = True
        self._offer(pod)
        self._serve()
        self._observe()

    def _observe(self) -> None:
        """The watch tells of pods."""
        self._decider.observe((pod.seen for pod in self._here()), UNIX_S + self.now_s)
        if self._decider.ready != self._ready:
            self._ready = self._decider.ready
            self.outcome.ready.append((self.now_s, self._ready))
            self._reconcile()

    def _here(self) -> list[Instance]:
        return [pod for pod in self._pods if not pod.is_leaving]

    def _scale(self, pods: int) -> None:
        here = self._here()
        for _ in range(pods - len(here)):
            self._start()
        surplus = sorted(here, key=lambda pod: (pod.is_ready, pod.running, -pod.number))[: max(0, len(here) - pods)]
        for pod in surplus:
            pod.is_leaving = True
            if pod.running == 0:
                self._end(pod)
        self._observe()

    def _end(self, pod: Instance) -> None:
        self.outcome.pod_s += self.now_s - pod.made_s
        self.outcome.unused += pod.served == 0
        self._pods = [one for one in self._pods if one is not pod]

    # Decisions

    def _look(self) -> None:
        if self._decider.due_s <= UNIX_S + self.now_s + 1e-9:
            if self._setting.algorithm == PREDICTIVE:
                self._decider.silence(UNIX_S + self.now_s)
            self._decide()
        self.after(max(self._decider.due_s - UNIX_S - self.now_s, 1e-3), self._look)

    def _decide(self) -> None:
        before = self._decider.pods, self._decider.excess >= 0
        self._decider.decide(UNIX_S + self.now_s)
        if (self._decider.pods, self._decider.excess >= 0) != before:
            self._reconcile()

    def _reconcile(self) -> None:
        """As the reconciler of PodAutoscalers does it."""
        excess = self._decider.excess
        state = ScaleState(
            activity=self._activity,
            for_s=self.now_s - self._active_since_s,
            initialized=True,
            proxied_s=self.now_s - self._proxied_since_s if excess < 0 or self._wanted == 0 else 0.0,
            activator_confirmed=True,
        )
        want = bound(self._decider.pods, self._decider.wanted.limits, state)
        if want.pods == 0 and self._activity != ACTIVATING:
            self._become(INACTIVE)
        elif want.pods > 0:
            self._become(ACTIVE if self._ready else ACTIVATING)
        if want.pods > 0 and excess >= 0:
            self._proxied_since_s = self.now_s
        if want.write and want.pods != self._wanted:
            self._wanted = want.pods
            self.outcome.wanted.append((self.now_s, want.pods))
            self.after(self._setting.apply_s, lambda: self._scale(self._wanted))
        if want.again_s is not None:
            self.after(want.again_s + 1e-3, self._reconcile)

    def _become(self, activity: str) -> None:
        if activity == self._activity:
            return
        self._activity, self._active_since_s = activity, self.now_s
        self.after(1e-3, self._reconcile)  # the status is written, and seen

    def _second(self) -> None:
        self._passed()
        self.outcome.load.append((self.now_s, self._busy_s - self._busy_then_s))
        self._busy_then_s = self._busy_s
        self.after(1.0, self._second)


class _Reports:
    """What an activator of ours says: at once when something begins to move, then every 100 ms until nothing does."""

    def __init__(self, model: _Model) -> None:
        self._model = model
        self._sequence = 0
        self._said = Counts()
        self._is_moving = False

    def arrived(self) -> None:
        if not self._is_moving:
            self._is_moving = True
            self._say()

    def _say(self) -> None:
        counts = self._model.counts()
        self._sequence += 1
        now_s = self._model.now_s
        report = Report(sender="a", life="1", sequence=self._sequence, time_s=now_s, revisions={NAME: counts})
        self._is_moving = counts != self._said
        self._said = counts
        if self._is_moving:
            self._model.report(report)
            self._model.after(REPORT_S, self._say)


class _Records:
    """What upstream's activator and scraper say: the first request at once, then a record every second."""

    def __init__(self, model: _Model) -> None:
        self._model = model
        self._last = Counts()
        self._is_known = False
        self._ahead = 0.0
        model.after(STAT_S, self._tick)

    def arrived(self) -> None:
        if not self._is_known:
            self._is_known, self._ahead = True, 1.0
            self._model.record(Stat(average_concurrent_requests=1.0, request_count=1.0))

    def _tick(self) -> None:
        now = self._model.counts()
        concurrency = now.busy_s - self._last.busy_s
        requests = float(now.requests - self._last.requests)
        if self._is_known or self._model.has_pods:
            self._model.record(
                Stat(
                    average_concurrent_requests=max(0.0, concurrency - self._ahead),
                    request_count=max(0.0, requests - self._ahead),
                )
            )
        self._is_known = self._is_known and (concurrency > 0 or now.running + now.waiting > 0)
        self._last, self._ahead = now, 0.0
        self._model.after(STAT_S, self._tick)
