"""Work: the keys that wait to be looked at, each once, with pauses that grow after failures.

A key that is added while somebody works on it comes again afterwards; so one
object is in one pair of hands, and the newest state is always looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

PAUSE_MIN_S = 0.005
PAUSE_MAX_S = 60.0
"""Upstream waits up to 1,000 s, which nobody who watches a terminal understands."""


class WorkQueue(Generic[K]):
    """A queue of one event loop."""

    def __init__(self) -> None:
        self._ready: asyncio.Queue[K] = asyncio.Queue()
        self._queued: set[K] = set()
        self._busy: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[K, tuple[float, asyncio.Handle]] = {}
        """When they ring, and how to stop them: uvloop's handles do not always tell the first."""
        self._rest: asyncio.Future[None] | None = None

    def add(self, key: K) -> None:
        """The key is looked at soon; once, however often it is added."""
        if key in self._busy:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: K, seconds: float) -> None:
        """The key is looked at in `seconds` at the latest; the earlier of two wishes counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        timer = self._timers.get(key)
        if timer is not None:
            if timer[0] <= due:
                return
            timer[1].cancel()
        self._timers[key] = (due, loop.call_at(due, self._ring, key))

    async def take(self) -> K:
        """The next key. Whoever takes it says `done` or `failed` afterwards."""
        key = await self._ready.get()
        self._queued.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: K) -> None:
        """It went well: the next failure begins with the shortest pause again."""
        self._failures.pop(key, None)
        self._let_go(key)

    def failed(self, key: K) -> float:
        """It comes again after the pause that is returned, in seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        pause_s = min(PAUSE_MIN_S * 2.0**count, PAUSE_MAX_S)
        self._let_go(key)
        self.add_after(key, pause_s)
        return pause_s

    def close(self) -> None:
        """No timer rings any more."""
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def idle(self) -> None:
        """Returns when nothing waits and nobody works; timers may be set."""
        while self._queued or self._busy:
            self._rest = asyncio.get_running_loop().create_future()
            await self._rest

    def _ring(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    def _let_go(self, key: K) -> None:
        self._busy.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)
        if self._rest is not None and not self._rest.done() and not self._queued and not self._busy:
            self._rest.set_result(None)
