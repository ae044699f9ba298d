"""StatWindow: turns what the engine has counted into the autoscaler's record, second by second (1.13)."""

from __future__ import annotations

from dataplane.contract.stat import Stat

TICK_S = 1
"""Counts are divided by it even when a tick came late, as upstream (H14)."""

NS_PER_S = 1_000_000_000


class StatWindow:
    """The last completed window of one pod.

    Everything given to it only grows: integrals in request-nanoseconds, counts
    in requests; totals include what came through an activator. A figure or a
    clock that steps back counts as one that stood still (DP-133).
    """

    __slots__ = ("_arrivals", "_began_ns", "_integral_ns", "_last_ns", "_proxied_arrivals", "_proxied_ns", "_stat")

    def __init__(self, pod_name: str, now_ns: int) -> None:
        self._stat = Stat(pod_name=pod_name)
        self._began_ns = now_ns
        self._last_ns = now_ns
        self._integral_ns = 0
        self._proxied_ns = 0
        self._arrivals = 0
        self._proxied_arrivals = 0

    @property
    def stat(self) -> Stat:
        """What a scrape sees: the same until the next tick (DP-131), only the pod's name before the first (DP-120)."""
        return self._stat

    def tick(
        self, now_ns: int, integral_ns: int, proxied_integral_ns: int, arrivals: int, proxied_arrivals: int
    ) -> Stat:
        """Closes a window: averages over the time since the last tick, requests since then, and the uptime now."""
        window_ns = max(0, now_ns - self._last_ns)
        stat = Stat(
            pod_name=self._stat.pod_name,
            average_concurrent_requests=_average(integral_ns - self._integral_ns, window_ns),
            average_proxied_concurrent_requests=_average(proxied_integral_ns - self._proxied_ns, window_ns),
            request_count=max(0, arrivals - self._arrivals) / TICK_S,
            proxied_request_count=max(0, proxied_arrivals - self._proxied_arrivals) / TICK_S,
            process_uptime=max(0, now_ns - self._began_ns) / NS_PER_S,
        )
        self._last_ns = max(self._last_ns, now_ns)
        self._integral_ns = max(self._integral_ns, integral_ns)
        self._proxied_ns = max(self._proxied_ns, proxied_integral_ns)
        self._arrivals = max(self._arrivals, arrivals)
        self._proxied_arrivals = max(self._proxied_arrivals, proxied_arrivals)
        self._stat = stat
        return stat


def _average(integral_ns: int, window_ns: int) -> float:
    """Requests in flight over a window; 0 if no time has passed."""
    return max(0, integral_ns) / window_ns if window_ns else 0.0
