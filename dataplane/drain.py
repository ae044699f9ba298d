"""Drainer: decides how the process leaves, from the first sign to its exit status (1.17).

    SERVING ──TERM, or a call of the hook──► QUIET ──no new request for a while──► DRAINED
       ▲                                       │                                     │
       └─────── no TERM within a second of the hook's first call ◄──────────────────┤
                                                                                     │ TERM
                 OVER ◄──flushed── FLUSHING ◄──nobody in flight── CLOSING ◄──────────┘

In QUIET requests are served and probes are refused. A second TERM ends the
process from anywhere. Nothing here reads a clock, waits or acts: whoever owns
the drainer tells it what happens, looks, and obeys.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from dataplane.config.schema import Drain

    class Call(Protocol):
        def answer(self, status: int, fields: bytes, body: bytes) -> None: ...


NS_PER_MS = 1_000_000

RESET_NS = 1_000 * NS_PER_MS
"""How long a call of the hook waits for TERM: kubelet also calls it when it only restarts the app's container."""

UPGRADED_NS = 60_000 * NS_PER_MS
"""What upgraded connections get once all other requests have ended (DP-165)."""

FLUSH_NS = 10_000 * NS_PER_MS
"""For the last metrics and traces."""

WATCH_NS = 100 * NS_PER_MS
"""Between two looks at what is in flight: nothing announces its end, and it is over in a minute or so."""

DRAIN = "drain"
"""Refuse probes, and end connections after their answers."""
GO_ON = "go on"
"""Serve again as if nothing had been."""
CLOSE = "close"
"""Accept no more, on all listeners at once (W42) but the hook's, which answers to the end (DP-170)."""
FLUSH = "flush"
"""Send the last telemetry, and call flushed() when it is out."""
EXIT = "exit"

SERVING, QUIET, DRAINED, CLOSING, FLUSHING, OVER = range(6)


class Step:
    """What to do now, in this order.

    released  calls of the hook whose wait is over; they get 200 and no body
    orders    words of this module, each said once
    status    the exit status; None before EXIT
    look_ns   when to look again at the latest; None: after the next event
    """

    __slots__ = ("look_ns", "orders", "released", "status")

    def __init__(self, released: list[Call], orders: tuple[str, ...], status: int | None, look_ns: int | None) -> None:
        self.released = released
        self.orders = orders
        self.status = status
        self.look_ns = look_ns


class Drainer:
    """All times are of one monotonic clock, in nanoseconds. Look after every event."""

    __slots__ = (
        "_began_ns",
        "_flushed",
        "_idle_ns",
        "_longest_ns",
        "_orders",
        "_quiet_ns",
        "_released",
        "_state",
        "_terms",
        "_until_ns",
        "_waiting",
    )

    def __init__(self, drain: Drain) -> None:
        self._quiet_ns = drain.quiet_ms * NS_PER_MS
        self._longest_ns = drain.longest_ms * NS_PER_MS
        self._state = SERVING
        self._terms = 0
        self._began_ns = 0
        self._until_ns = 0
        """Of FLUSHING; before it, of the hook's wait for TERM."""
        self._idle_ns: int | None = None
        """When the last request ended that was no upgraded one."""
        self._flushed = False
        self._waiting: list[Call] = []
        self._released: list[Call] = []
        self._orders: list[str] = []

    def term(self, now_ns: int) -> None:
        """TERM or INT has come (DP-160, DP-171)."""
        self._terms += 1
        if self._state == SERVING:
            self._begin(now_ns)

    def hook(self, call: Call, now_ns: int) -> None:
        """`/wait-for-drain` was called (DP-166 to DP-170)."""
        if self._state == SERVING:
            self._begin(now_ns)
            self._until_ns = now_ns + RESET_NS
        if self._state == QUIET:
            self._waiting.append(call)
        else:
            self._released.append(call)

    def flushed(self) -> None:
        """The last telemetry is out."""
        self._flushed = True

    def look(self, now_ns: int, last_request_ns: int, running_count: int, upgraded_count: int) -> Step:
        """
        last_request_ns  when the newest request began that was no probe; 0: never
        running_count    requests in flight, upgraded ones left out: waited for as long as they may take
        upgraded_count   upgraded connections
        """
        look_ns = self._advance(now_ns, last_request_ns, running_count, upgraded_count)
        status = None
        if self._state == OVER:
            status = 1 if self._terms > 1 else 0
        step = Step(self._released, tuple(self._orders), status, look_ns)
        self._released, self._orders = [], []
        return step

    def _advance(self, now_ns: int, last_request_ns: int, running_count: int, upgraded_count: int) -> int | None:
        """Through every state that is over; gives the end of the one that is not."""
        if self._terms > 1:
            self._enter(OVER, EXIT)
        if self._state in (QUIET, DRAINED) and not self._terms and now_ns >= self._until_ns:
            self._enter(SERVING, GO_ON)
            self._release()
        if self._state == QUIET:
            end_ns = self._quiet_end_ns(last_request_ns)
            if now_ns < end_ns:
                return end_ns if self._terms else min(end_ns, self._until_ns)
            self._enter(DRAINED)
            self._release()
        if self._state == DRAINED:
            if not self._terms:
                return self._until_ns
            self._enter(CLOSING, CLOSE)
        if self._state == CLOSING:
            if self._is_busy(now_ns, running_count, upgraded_count):
                return now_ns + WATCH_NS
            self._enter(FLUSHING, FLUSH)
            self._until_ns = now_ns + FLUSH_NS
        if self._state == FLUSHING:
            if not self._flushed and now_ns < self._until_ns:
                return self._until_ns
            self._enter(OVER, EXIT)
        return None

    def _begin(self, now_ns: int) -> None:
        self._enter(QUIET, DRAIN)
        self._began_ns = now_ns

    def _enter(self, state: int, order: str = "") -> None:
        if order and self._state != state:
            self._orders.append(order)
        self._state = state

    def _release(self) -> None:
        """All callers of the hook together (DP-169)."""
        self._released += self._waiting
        self._waiting = []

    def _quiet_end_ns(self, last_request_ns: int) -> int:
        """Each new request puts it off (DP-162), but never past what the grace period leaves (W41)."""
        quiet_ns = max(self._began_ns, last_request_ns) + self._quiet_ns
        return min(quiet_ns, self._began_ns + self._longest_ns)

    def _is_busy(self, now_ns: int, running_count: int, upgraded_count: int) -> bool:
        """Something is in flight that may still have its time."""
        if running_count:
            return True
        if self._idle_ns is None:
            self._idle_ns = now_ns
        return bool(upgraded_count) and now_ns < self._idle_ns + UPGRADED_NS
