"""Watcher: repeats the rounds of one revision until every known pod is healthy, then sleeps (2.7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .backends import Address, Backends, Found, Probes
from .prober import Prober

Publish = Callable[[Found], None]


class Watcher:
    """One revision's. A task runs only while there is something to find out.

    publish   told who serves, each time that it is somebody else
    period_s  between two rounds
    """

    def __init__(self, backends: Backends, prober: Prober, period_s: float, publish: Publish) -> None:
        self.backends = backends
        self.prober = prober
        self._period_s = period_s
        self._publish = publish
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """What is known has changed: a round begins now."""
        self._news.set()
        self._start()

    def announced(self, address: Address) -> None:
        """An instance says itself that it serves."""
        found = self.backends.announced(address)
        if found is not None:
            self._publish(found)

    def refused(self, address: Address) -> None:
        """A connection was refused: after a while it is asked."""
        self.backends.refused(address)
        self._start()

    def close(self) -> asyncio.Task[None] | None:
        """Nothing is published after this; what is still to end."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._period_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            await self._round()
            if not self._news.is_set() and not self.backends.unsettled:
                return

    async def _round(self) -> None:
        step = self.backends.begin()
        if isinstance(step, Probes) and step.pods:
            step = self.backends.pods_probed(await self.prober.round(step.pods))
        if isinstance(step, Probes) and step.service is not None:
            outcome = (await self.prober.round([step.service]))[step.service]
            step = self.backends.service_probed(outcome.is_healthy)
        if isinstance(step, Found):
            self._publish(step)
