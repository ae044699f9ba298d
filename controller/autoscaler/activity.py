"""Activity: what activators of ours report of one revision, put together from counters that only grow."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dataplane.contract.reports import Counts

RECENT_S = 0.3
"""What "now" means: a few reports long."""

FIRST = 1
"""Sequence number of a sender's first report."""

NEWEST = 0.2
"""Weight of the newest report in the average duration of a request."""

SILENT_S = 5.0
"""An activator that said nothing for so long has nothing under way: it reports what moves."""


@dataclass(slots=True)
class _Sender:
    """One activator's last word."""

    life: str
    sequence: int
    at_s: float
    counts: Counts
    points: deque[tuple[float, float]] = field(default_factory=deque)
    """(sender's clock, busy_s), oldest first, for RECENT_S."""


class Activity:
    """All activators of one revision. Receiver's times are monotonic seconds."""

    def __init__(self) -> None:
        self._senders: dict[str, _Sender] = {}
        self.request_s = 0.0
        """How long a request takes at a pod, on average; 0: not known."""

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
        grown = (counts.busy_s - before.counts.busy_s, float(counts.requests - before.counts.requests))
        self._learn(before, counts, sent_s - before.points[-1][0], *grown)
        before.sequence, before.at_s, before.counts = sequence, now_s, counts
        before.points.append((sent_s, counts.busy_s))
        while len(before.points) > 2 and before.points[1][0] <= sent_s - RECENT_S:
            before.points.popleft()
        return grown

    def forget(self, sender: str) -> None:
        """It has gone."""
        self._senders.pop(sender, None)

    def running(self, now_s: float) -> int:
        """Requests at pods now."""
        return sum(one.counts.running for one in self._live(now_s))

    def waiting(self, now_s: float) -> int:
        """Requests that wait now."""
        return sum(one.counts.waiting for one in self._live(now_s))

    def recent(self, now_s: float) -> float:
        """Concurrency over the last reports; what is under way counts where there is only one report."""
        total = 0.0
        for one in self._live(now_s):
            (first_s, first), (last_s, last) = one.points[0], one.points[-1]
            under_way = one.counts.running + one.counts.waiting
            total += (last - first) / (last_s - first_s) if last_s > first_s else under_way
        return total

    def _learn(self, before: _Sender, counts: Counts, passed_s: float, busy_s: float, requests: float) -> None:
        """What was under way, less what only waited, by the number of requests."""
        if requests <= 0:
            return
        ran_s = max(0.0, busy_s - passed_s * (before.counts.waiting + counts.waiting) / 2)
        newest = ran_s / requests
        self.request_s = newest if self.request_s == 0 else self.request_s + NEWEST * (newest - self.request_s)

    def _live(self, now_s: float) -> list[_Sender]:
        return [
            one
            for one in self._senders.values()
            if now_s - one.at_s < SILENT_S or one.counts.running + one.counts.waiting
        ]
