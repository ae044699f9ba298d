"""Activity: what activators of ours report of one revision, put together from counters that only grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dataplane.contract.reports import Counts

RECENT_S = 0.3
"""What "now" means: a few reports long."""

FIRST = 1
"""Sequence number of a sender's first report."""

LEARNED_MAX = 50
"""Finished requests that the average duration rests on; then the older half of their weight goes."""


@dataclass(slots=True)
class _Sender:
    """One activator's last word."""

    life: str
    sequence: int
    at_s: float
    counts: Counts
    points: deque[tuple[float, float]] = field(default_factory=deque)
    """(sender's clock, busy_s), oldest first, for RECENT_S."""

    @property
    def under_way(self) -> int:
        return self.counts.running + self.counts.waiting


class Activity:
    """All activators of one revision. Receiver's times are seconds of a clock that never steps."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}
        self._ran_s = 0.0
        self._finished = 0.0

    @property
    def request_s(self) -> float:
        """How long a request takes at a pod, on average; 0: not known."""
        return self._ran_s / self._finished if self._finished else 0.0

    def take(
        self, sender: str, life: str, sequence: int, sent_s: float, counts: Counts, now_s: float
    ) -> tuple[float, float] | None:
        """What it adds since the one before: (request-seconds, requests). None for one that is not newer."""
        before = self._senders.get(sender)
        if before is None or before.life != life:
            made = _Sender(life, sequence, now_s, counts, deque([(sent_s, counts.busy_s)]))
            self._senders[sender] = made
            # A sender that counted before we listened: what it had by then is of no time that we know.
            return (counts.busy_s, float(counts.requests)) if sequence == FIRST else (0.0, 0.0)
        if sequence <= before.sequence:
            return None
        passed_s = sent_s - before.points[-1][0]
        busy_s = max(0.0, counts.busy_s - before.counts.busy_s)
        requests = max(0.0, float(counts.requests - before.counts.requests))
        self._learn(before, counts, passed_s, busy_s, requests)
        if passed_s > RECENT_S:
            before.points.clear()
        before.sequence, before.at_s, before.counts = sequence, now_s, counts
        before.points.append((sent_s, counts.busy_s))
        while len(before.points) > 2 and before.points[1][0] <= sent_s - RECENT_S:
            before.points.popleft()
        return busy_s, requests

    def forget(self, sender: str) -> bool:
        """It has gone, and its requests with it; True when it was known."""
        return self._senders.pop(sender, None) is not None

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
                total += (last - first + one.under_way * silent_s) / covered_s
        return total

    def _learn(self, before: _Sender, counts: Counts, passed_s: float, busy_s: float, requests: float) -> None:
        """By Little's law: the time that requests spent at pods, by those that ended.

        Time of what still runs counts at once, so that a duration that grows shows before the first one ends.
        """
        self._ran_s += max(0.0, busy_s - passed_s * (before.counts.waiting + counts.waiting) / 2)
        self._finished += max(0.0, requests - (counts.running + counts.waiting - before.under_way))
        if self._finished > LEARNED_MAX:
            self._ran_s /= 2
            self._finished /= 2
