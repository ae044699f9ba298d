"""Reconcile: the shape of every controller: observe, decide, apply, and again when something changes.

A controller is a queue of keys and one coroutine that makes the world fit the
object of that key. It reads caches, asks a pure function what should be, and
applies the difference. It never remembers anything between two calls that it
could not lose.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from dataplane.kube.errors import AlreadyExists, Conflict, KubeError

from .kube.cache import Key
from .kube.work import WorkQueue

log = logging.getLogger("penstock.controller")

WORKERS = 4
"""Objects of one kind that are worked on at once: what waits for the API server holds nobody else up."""

RECONCILE_S = 30.0
"""For one object (SC 0.2)."""

Reconciler = Callable[[Key], Awaitable[float | None]]
"""Works on one object; returns the seconds after which to look again, or None."""


class Controller:
    """Runs one reconciler. Keys come in through `queue.add`, usually by listeners of caches."""

    def __init__(self, name: str, reconcile: Reconciler) -> None:
        self.name = name
        self.queue: WorkQueue[Key] = WorkQueue()
        self._reconcile = reconcile

    async def run(self) -> None:
        """Until cancelled. One object's failure is logged, and tried again; it ends nothing."""
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        try:
            while True:
                await self._one(await self.queue.take())
        finally:
            self.queue.close()

    async def _one(self, key: Key) -> None:
        again_s: float | None = None
        try:
            async with asyncio.timeout(RECONCILE_S):
                again_s = await self._reconcile(key)
        except (Conflict, AlreadyExists):
            # Somebody else was faster: the watch brings what they wrote.
            self.queue.failed(key)
            return
        except (KubeError, TimeoutError) as error:
            pause_s = self.queue.failed(key)
            log.warning("%s %s/%s: %s; again in %g s", self.name, *key, error or "timed out", pause_s)
            return
        except Exception:
            pause_s = self.queue.failed(key)
            log.exception("%s %s/%s: a defect; again in %g s", self.name, *key, pause_s)
            return
        self.queue.done(key)
        if again_s is not None:
            self.queue.add_after(key, again_s)


async def run_all(*coroutines: Awaitable[None]) -> None:
    """All of them until one fails or the caller cancels; then none is left behind."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):
                await task
