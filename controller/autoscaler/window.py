"""Window: the average of what was reported during the last seconds, in buckets of one second (1.3).

Values that arrive within the same second add up, since they come from
different reporters of one revision. A window that is not full yet divides by
the time that it covers; silence shrinks it, and does not count as zeros.
"""

from __future__ import annotations

from math import ceil, copysign, floor

LINEAR, WEIGHTED_EXPONENTIAL = "linear", "weighted-exponential"

_COVERED = 0.9999
"""Share of all weight that the buckets of a window carry together."""
_WEIGHT_MIN = 0.2
"""Of the newest second: a long window does not forget more slowly than this."""


class Window:
    """One quantity of one revision. Times are Unix seconds, with fractions; they need not ascend."""

    __slots__ = ("_began_s", "_buckets", "_first", "_last", "length_s", "weighting")

    def __init__(self, length_s: float, weighting: str = LINEAR) -> None:
        self.length_s = length_s
        self.weighting = weighting
        self._buckets = [0.0] * ceil(length_s)
        self._first = 0
        self._last: int | None = None
        self._began_s = 0.0

    def record(self, now_s: float, value: float) -> None:
        """Adds what was reported at `now_s`; what is older than the window is ignored."""
        at, size = floor(now_s), len(self._buckets)
        if value and not any(self._buckets):
            self._began_s = now_s
        if self._last is None or at - self._last >= size:
            self._buckets = [0.0] * size
            self._first = self._last = at
        elif at > self._last:
            for second in range(self._last + 1, at + 1):
                self._buckets[second % size] = 0.0
            self._last = at
        elif at <= self._last - size:
            return
        else:
            self._first = min(self._first, at)
        self._buckets[at % size] += value

    def average(self, now_s: float) -> float:
        """Per second, or requests at once: the unit of what was recorded. 0 after a whole window of silence."""
        if self._last is None:
            return 0.0
        if self.weighting == WEIGHTED_EXPONENTIAL:
            return self._weighted(floor(now_s))
        size = len(self._buckets)
        silent = max(0, floor(now_s) - self._last)
        if silent >= size:
            return 0.0
        oldest = self._last - size
        gone = sum(self._buckets[(oldest + i) % size] for i in range(1, silent + 1))
        covered = min(self._last - self._first + 1, size - silent)
        return _rounded((sum(self._buckets) - gone) / covered)

    def mean(self, now_s: float, least_s: float) -> float:
        """Since the load began, over the window at most and `least_s` at least; silence counts as zeros.

        For reports that come many times in a second: the newest second counts as far as it has passed, and one
        bucket more than the window's length is wanted, so that it is never cut short.
        """
        size, now = len(self._buckets), floor(now_s)
        if self._last is None or now - self._last >= size:
            return 0.0
        # Slots that silence has used up since, whose content is a window old.
        total = sum(self._buckets) - sum(self._buckets[second % size] for second in range(self._last + 1, now + 1))
        covered_s = min(now_s - self._began_s, size - 1 + now_s - now)
        return max(0.0, total) / max(covered_s, least_s)

    def is_empty(self, now_s: float) -> bool:
        """Nothing was recorded for longer than the window."""
        return self._last is None or floor(now_s) - self._last > self.length_s

    def resized(self, length_s: float) -> Window:
        """A window of another length with the newest of the same seconds."""
        made = Window(length_s, self.weighting)
        if self._last is None:
            return made
        size = len(self._buckets)
        kept = min(size, len(made._buckets), self._last - self._first + 1)
        for second in range(self._last - kept + 1, self._last + 1):
            made.record(second, self._buckets[second % size])
        made._began_s = self._began_s
        return made

    def _weighted(self, now: int) -> float:
        size = len(self._buckets)
        share = max(1 - (1 - _COVERED) ** (1 / size), _WEIGHT_MIN)
        last = self._last if self._last is not None else now
        total = 0.0
        for age in range(size):
            second = now - age
            if last - size < second <= last and second >= self._first:
                total += self._buckets[second % size] * share * (1 - share) ** age
        return total


def panic_length(stable_s: float, percent: float) -> float:
    """Seconds of the panic window: a share of the stable one in whole seconds, at least one (1.3)."""
    return max(1.0, float(floor(stable_s * percent / 100 + 0.5)))


def _rounded(value: float) -> float:
    """To six decimals, half away from zero."""
    return copysign(floor(abs(value) * 1e6 + 0.5) / 1e6, value)
