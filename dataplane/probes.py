"""Prober: answers "is the app ready?" by asking the app (1.16).

Calls that come while a round of probes runs share its result, and a call that
comes later begins a new one (DP-048); a caller that leaves changes nothing
(DP-054). A round runs on threads of its own that end with it, so an idle
prober costs nothing. What probes need is loaded with the first of them.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from time import monotonic_ns, sleep

from dataplane.contract.headers import PROBE_QUEUE
from dataplane.logs import ERROR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Protocol

    from dataplane.config.schema import App, Probe, Readiness
    from dataplane.probing.checks import Check

    class Call(Protocol):
        def answer(self, status: int, fields: bytes, body: bytes) -> None: ...


NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
INTERVAL_NS = 50 * NS_PER_MS
ATTEMPT_NS = 100 * NS_PER_MS
AGGRESSIVE_NS = 10 * NS_PER_S
"""Upstream's rhythm while nobody knows yet whether the app is up: probes are cheap, and every ms is a cold start's."""

WAITING_MAX = 1024
"""Calls that wait for one round; more are told 503 at once, as anybody on the network may send them."""

FAILED = "A readiness probe failed."


class Rhythm:
    """One probe: its check, and when it counts as passed.

    A round belongs to one thread at a time; the count of successes lives on to the next (DP-047).
    """

    __slots__ = ("_check", "_probe", "_success_count", "_tell")

    def __init__(self, probe: Probe, check: Check, tell: Callable[[int, str, dict[str, object]], None]) -> None:
        self._probe = probe
        self._check = check
        self._tell = tell
        self._success_count = 0

    def passes(self) -> bool:
        """One round. Says once why it failed, however many attempts did."""
        if self._probe.period_s or self._probe.kind == "none":
            why = self._attempt(self._probe.timeout_s * NS_PER_S)
        else:
            why = self._aggressive()
        if why:
            where = f"{self._probe.host}:{self._probe.port}"
            self._tell(ERROR, FAILED, {"kind": self._probe.kind, "app": where, "error": why})
        return not why

    def _aggressive(self) -> str:
        """Attempts until enough of them succeed in a row (DP-046), or the time is over (DP-041)."""
        end_ns = monotonic_ns() + AGGRESSIVE_NS
        failed_count = 0
        while True:
            began_ns = monotonic_ns()
            why = self._attempt(ATTEMPT_NS)
            if why:
                self._success_count = 0
                failed_count += 1
            else:
                self._success_count += 1
                if self._success_count >= self._probe.success_threshold:
                    return ""
            next_ns = max(began_ns + INTERVAL_NS, monotonic_ns())
            if next_ns >= end_ns:
                return f"{failed_count} failed attempts, the last: {why or 'too few successes in a row'}"
            sleep(max(0, next_ns - monotonic_ns()) / NS_PER_S)

    def _attempt(self, timeout_ns: int) -> str:
        """Why it failed; empty when it did not."""
        from dataplane.probing.conn import ProbeFailed

        try:
            self._check.attempt(timeout_ns)
        except ProbeFailed as wrong:
            return str(wrong)
        return ""


class Prober:
    """All probes of a sidecar; without any the app is always ready (DP-052).

    app   what is known of the app's protocol
    tell  takes a level, a message and its fields, as `Logger.log` does; from any thread
    """

    __slots__ = ("_app", "_lock", "_readiness", "_rhythms", "_tell", "_waiting")

    def __init__(self, readiness: Readiness, app: App, tell: Callable[[int, str, dict[str, object]], None]) -> None:
        self._readiness = readiness
        self._app = app
        self._tell = tell
        self._lock = allocate_lock()
        self._rhythms: tuple[Rhythm, ...] = ()
        self._waiting: list[Call] | None = None
        """Calls of the round that runs; None: none runs."""

    def ask(self, call: Call) -> None:
        """Answers the call, perhaps later and on another thread: 200 with `queue`, or 503 (DP-026, DP-027)."""
        if not self._readiness.probes:
            _answer([call], True)
            return
        with self._lock:
            begins = self._waiting is None
            if self._waiting is None:
                self._waiting = []
            joins = len(self._waiting) < WAITING_MAX
            if joins:
                self._waiting.append(call)
        if not joins:
            _answer([call], False)
        elif begins:
            self._begin()

    def _begin(self) -> None:
        try:
            start_new_thread(self._round, ())
        except RuntimeError as wrong:
            self._end(False, str(wrong))

    def _round(self) -> None:
        """On its own thread: probes, and answers everybody who has come by then."""
        ready = False
        why = ""
        try:
            ready = self._all_pass()
        except Exception as wrong:
            # A mistake of ours must not leave callers without an answer, nor end the process.
            why = repr(wrong)
        self._end(ready, why)

    def _end(self, ready: bool, why: str) -> None:
        with self._lock:
            calls, self._waiting = self._waiting or [], None
        if why:
            self._tell(ERROR, FAILED, {"error": why})
        _answer(calls, ready)

    def _all_pass(self) -> bool:
        """All probes in parallel, each to its end (DP-049)."""
        if not self._rhythms:
            from dataplane.probing.checks import check_of

            made = [(probe, check_of(probe, self._readiness, self._app)) for probe in self._readiness.probes]
            self._rhythms = tuple(Rhythm(probe, check, self._tell) for probe, check in made)
        others = [Beside(rhythm) for rhythm in self._rhythms[1:]]
        results = [self._rhythms[0].passes()]
        results += [other.passed() for other in others]
        return all(results)


class Beside:
    """A probe of a round that runs on a second thread."""

    __slots__ = ("_done", "_passed")

    def __init__(self, rhythm: Rhythm) -> None:
        self._passed = False
        self._done = allocate_lock()
        self._done.acquire()
        start_new_thread(self._run, (rhythm,))

    def _run(self, rhythm: Rhythm) -> None:
        try:
            self._passed = rhythm.passes()
        finally:
            self._done.release()

    def passed(self) -> bool:
        """Waits for it."""
        with self._done:
            return self._passed


def _answer(calls: Sequence[Call], ready: bool) -> None:
    for call in calls:
        if ready:
            call.answer(200, b"", PROBE_QUEUE.encode())
        else:
            call.answer(503, b"", b"")
