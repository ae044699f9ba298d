"""Activity: what activators of ours report of one revision, put together from counters that only grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from dataplane.contract.reports import REPORT_S, Counts

from .predict import NEVER_S

RECENT_S = 0.3
"""What "now" means: a few reports long."""

FLOW_POINTS = 5
"""Points of one sender between which arrivals are counted: four reports. Only the two that say least count, since a
burst stands in one report, or in two neighbours, and is no flow."""

FLOW_S = (FLOW_POINTS - 1) * REPORT_S
"""What they span."""

FLOW_BIAS = 0.66
"""Standard deviations by which the mean of the two smallest of four counts is below that of all (normal order
statistics: 1.03 and 0.30)."""

CLOSE_S = REPORT_S / 2
"""Reports that are closer are one point: those that were sent at once."""

FIRST = 1
"""Sequence number of a sender's first report."""

LEARNED_MAX = 300.0
"""Requests that ended, on which the average duration rests. With fewer it sinks after a step: the short ones among
the new requests end first."""

STARTS_MAX = 600
"""Points in which the starts of requests are remembered: a minute, and longer requests count as such of a minute."""


class Growth(NamedTuple):
    """What came since the last report."""

    busy_s: float
    """Request-seconds, waiting included."""
    waited_s: float
    """The waiting of it, as far as two reports can tell."""
    requests: float


@dataclass(slots=True)
class _Sender:
    """One activator's last word."""

    life: str
    sequence: int
    at_s: float
    counts: Counts
    points: deque[tuple[float, float]] = field(default_factory=deque)
    """(sender's clock, busy_s), oldest first, for RECENT_S."""
    flow: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=FLOW_POINTS))
    """(sender's clock, requests), oldest first."""

    starts: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=STARTS_MAX))
    """(sender's clock, requests that pods were given by then), oldest first, back to those that run still."""

    def started_s(self, number: float) -> float | None:
        """When a pod was given the request of this number; None where that is too long ago."""
        before_s, before = self.starts[0]
        for now_s, now in self.starts:
            if now >= number:
                share = (number - before) / (now - before) if now > before else 0.0
                return before_s + share * (now_s - before_s) if number >= before else None
            before_s, before = now_s, now
        return None

    def arriving(self) -> float:
        """Requests in the time of one report."""
        points = list(self.flow)
        counts = sorted(
            (now - before) * REPORT_S / (now_s - before_s) for (before_s, before), (now_s, now) in pairwise(points)
        )
        if len(counts) < FLOW_POINTS - 1:
            return 0.0
        least = (counts[0] + counts[1]) / 2
        return least + FLOW_BIAS * sqrt(least)

    @property
    def under_way(self) -> int:
        return self.counts.running + self.counts.waiting


class Activity:
    """All activators of one revision. Receiver's times are seconds of a clock that never steps."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}
        self._seen_s = -NEVER_S
        self._learned = 0.0
        self.request_s = 0.0
        """How long a request takes at a pod, on average; 0: not known."""

    def take(self, sender: str, life: str, sequence: int, sent_s: float, counts: Counts, now_s: float) -> Growth | None:
        """What it adds since the one before; None for one that is not newer."""
        before = self._senders.get(sender)
        if before is None or counts != before.counts:
            self._seen_s = now_s
        if before is None or before.life != life:
            made = _Sender(life, sequence, now_s, counts, deque([(sent_s, counts.busy_s)]))
            if sequence == FIRST:
                made.starts.append((sent_s, 0))
            made.starts.append((sent_s, counts.requests - counts.waiting))
            self._senders[sender] = made
            # A sender that counted before we listened: what it had by then is of no time that we know.
            return Growth(counts.busy_s, 0.0, float(counts.requests)) if sequence == FIRST else Growth(0.0, 0.0, 0.0)
        if sequence <= before.sequence:
            return None
        passed_s = sent_s - before.points[-1][0]
        busy_s = max(0.0, counts.busy_s - before.counts.busy_s)
        waited_s = min(busy_s, passed_s * (before.counts.waiting + counts.waiting) / 2)
        requests = max(0.0, float(counts.requests - before.counts.requests))
        self._learn(before, counts, sent_s, passed_s)
        if passed_s > RECENT_S:
            before.points.clear()
        before.sequence, before.at_s, before.counts = sequence, now_s, counts
        before.points.append((sent_s, counts.busy_s))
        if not before.flow or sent_s - before.flow[-1][0] >= CLOSE_S:
            before.flow.append((sent_s, counts.requests))
        while len(before.points) > 2 and before.points[1][0] <= sent_s - RECENT_S:
            before.points.popleft()
        return Growth(busy_s, waited_s, requests)

    def forget(self, sender: str) -> bool:
        """It has gone, and its requests with it; True when it was known."""
        return self._senders.pop(sender, None) is not None

    def idle_s(self, now_s: float) -> float:
        """Since a request was seen last; 0 while there is one."""
        return 0.0 if self.running() or self.waiting() else min(now_s - self._seen_s, NEVER_S)

    def running(self) -> int:
        """Requests at pods now."""
        return sum(one.counts.running for one in self._senders.values())

    def waiting(self) -> int:
        """Requests that wait now."""
        return sum(one.counts.waiting for one in self._senders.values())

    def recent(self, now_s: float) -> float:
        """Concurrency over the last reports; since the last one, what was under way then counts."""
        total = 0.0
        for one in self._senders.values():
            (first_s, first), (last_s, last) = one.points[0], one.points[-1]
            silent_s = max(0.0, now_s - one.at_s)
            covered_s = last_s - first_s + silent_s
            if silent_s >= RECENT_S or covered_s <= 0:
                total += one.under_way
            else:
                # Two workers read their clocks apart: what has grown by next to nothing may look smaller.
                total += max(0.0, last - first + one.under_way * silent_s) / covered_s
        return total

    def arriving(self, now_s: float) -> tuple[float, int]:
        """Requests per second that go on arriving, and how many were counted for that."""
        per_report = sum(one.arriving() for one in self._senders.values() if now_s - one.at_s < RECENT_S)
        return per_report / REPORT_S, round(2 * per_report)

    def _learn(self, sender: _Sender, counts: Counts, sent_s: float, passed_s: float) -> None:
        """Requests end in the order in which they began, more or less: how long ago did this one begin?

        What runs still counts too, once it has run for longer than that: a duration that grows shows at once.
        """
        before, started = sender.counts.requests - sender.counts.waiting, counts.requests - counts.waiting
        if passed_s > RECENT_S:
            sender.starts.append((sent_s - REPORT_S, before))
        sender.starts.append((sent_s, started))
        ended, ended_before = started - counts.running, before - sender.counts.running
        began_s = sender.started_s((ended + ended_before + 1) / 2)
        while len(sender.starts) > 1 and sender.starts[1][1] <= ended:
            sender.starts.popleft()
        if began_s is None:
            return
        if ended > ended_before:
            took_s = max(0.0, sent_s - min(passed_s, REPORT_S) / 2 - began_s)
            count = ended - ended_before
            self.request_s += count / (count + self._learned) * (took_s - self.request_s)
            self._learned = min(self._learned + count, LEARNED_MAX)
        elif counts.running and self.request_s:
            self.request_s = max(self.request_s, sent_s - began_s)
