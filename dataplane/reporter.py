"""Reporter: turns an activator's counters into the records that the autoscaler expects (2.5).

A revision that wakes up is reported at once, as one request; the first regular
record of it leaves that one out. One that was idle for a whole period is
reported with zeros, once, and then forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dataplane.contract.stat import Stat


@dataclass(frozen=True, slots=True)
class Seen:
    """Counters of one revision, which only grow, and what is under way."""

    requests: int
    busy_ns: int
    """Request-nanoseconds, waiting included."""
    pending: int
    """Requests that run or wait now."""
    waiting: int = 0
    """Those of them that wait."""


@dataclass(slots=True)
class _Entry:
    """What was reported last."""

    requests: int
    busy_ns: int
    since_ns: int
    first: int = 1


class Reporter:
    """Records of one activator. Times are of one monotonic clock."""

    def __init__(self, pod_name: str) -> None:
        self.pod_name = pod_name
        self._entries: dict[str, _Entry] = {}

    def wake(self, name: str, before: Seen, now_ns: int) -> Stat | None:
        """A request came for `name`; the record to send at once, or None when it is known to be busy.

        before  its counters without that request
        """
        if name in self._entries:
            return None
        self._entries[name] = _Entry(before.requests, before.busy_ns, now_ns)
        return Stat(pod_name=self.pod_name, average_concurrent_requests=1.0, request_count=1.0)

    def tick(self, seen: Mapping[str, Seen], now_ns: int) -> list[tuple[str, Stat]]:
        """The records of a period of one second that ends now. `seen` has every revision that was woken."""
        records = []
        for name, entry in list(self._entries.items()):
            now = seen[name]
            period_ns = max(now_ns - entry.since_ns, 1)
            concurrency = (now.busy_ns - entry.busy_ns) / period_ns
            count = now.requests - entry.requests
            stat = Stat(
                pod_name=self.pod_name,
                average_concurrent_requests=max(concurrency - entry.first, 0.0),
                request_count=float(count - entry.first),
            )
            records.append((name, stat))
            self._entries[name] = _Entry(now.requests, now.busy_ns, now_ns, first=0)
            if concurrency == 0 and now.pending == 0:
                del self._entries[name]
        return records
