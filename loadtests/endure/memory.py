"""Memory: the resident set of a process over a long load, and whether it is flat."""

from __future__ import annotations

import statistics
import threading
from typing import Protocol

MIB = 1 << 20
# pages that an allocator touches late, not a leak: 600 s at one request's worth of leak each would be far above it
ALLOWED_MIB = 1.0


class Grown(Exception):
    """The resident set kept growing."""


class Resident(Protocol):
    """Something that has memory."""

    def rss_bytes(self) -> int:
        """Raises OSError when it has ended."""


class Watch(threading.Thread):
    """Reads the resident set of `process` every `every_s` seconds until `stop` is set."""

    def __init__(self, process: Resident, stop: threading.Event, every_s: float) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._stop_event = stop
        self._every_s = every_s
        self.seen_mib: list[float] = []
        self.start()

    def run(self) -> None:
        """Until stopped. A process that has ended has no memory to read."""
        while not self._stop_event.wait(self._every_s):
            try:
                self.seen_mib.append(self._process.rss_bytes() / MIB)
            except OSError:
                return

    def _quarter(self, number: int) -> float:
        size = max(1, len(self.seen_mib) // 4)
        return statistics.median(self.seen_mib[number * size : (number + 1) * size])

    def growth_mib(self) -> float:
        """Median of the last quarter less that of the second; the first is warm-up."""
        return self._quarter(3) - self._quarter(1)

    def summary(self) -> str:
        """Start, middle, end and largest, in MiB."""
        if len(self.seen_mib) < 8:
            return "too short to say"
        middle = self.seen_mib[len(self.seen_mib) // 2]
        ends = f"first {self.seen_mib[0]:.1f}, middle {middle:.1f}, last {self.seen_mib[-1]:.1f}"
        return f"{ends}, largest {max(self.seen_mib):.1f} MiB; second to last quarter {self.growth_mib():+.2f} MiB"

    def judge(self) -> None:
        """Raises Grown when it grew by more than 1 MiB between the second and the last quarter."""
        if len(self.seen_mib) >= 8 and self.growth_mib() > ALLOWED_MIB:
            raise Grown(f"the resident set grew by {self.growth_mib():.2f} MiB from the second to the last quarter")
