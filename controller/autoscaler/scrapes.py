"""Scrapes: the revisions whose sidecars are asked, each once in a second, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import httpx2

from controller.api.core import Pod
from dataplane.contract.stat import Stat

from .scrape import NoEndpoints, ScrapeError, Scraper

SCRAPE_S = 1.0
TOGETHER = 64
"""Connections at once, of all revisions: a slow pod holds up nobody else, and no burst of them goes out."""

COLLECTED, NO_ENDPOINTS, NO_STAT, FAILED = "", "NoEndpoints", "DidNotReceiveStat", "CollectionFailed"
"""Reasons of the Metric's condition Ready; the first is none: all is well."""

OnStat = Callable[[str, Stat], None]
OnChange = Callable[[str], None]
PodsOf = Callable[[str], Iterable[Pod]]


@dataclass(slots=True)
class _Target:
    """One revision that is asked."""

    service: str
    window_s: float
    scraper: Scraper
    in_path: bool = False
    """An activator sees every request now."""
    reason: str = NO_STAT
    message: str = "nothing was reported yet"
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Scrapes:
    """All revisions of one autoscaler."""

    def __init__(self, on_stat: OnStat, on_change: OnChange, pods_of: PodsOf, is_listening: Callable[[], bool]) -> None:
        """Told of records, and of revisions whose outcome is another than before.

        is_listening  activators of ours report what they see: what is in their path need not be asked
        """
        self._is_listening = is_listening
        self._on_stat = on_stat
        self._on_change = on_change
        self._pods_of = pods_of
        self._targets: dict[str, _Target] = {}
        limits = httpx2.Limits(max_connections=TOGETHER, max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(limits=limits, trust_env=False)

    def keep(self, name: str, service: str, window_s: float, in_path: bool) -> None:
        """The revision's pods are asked from now on; its service's host stands in where they cannot be."""
        target = self._targets.get(name)
        if target is None or (target.service, target.window_s) != (service, window_s):
            self.forget(name)
            target = self._targets[name] = _Target(service, window_s, Scraper(self._http))
        target.in_path = in_path

    def forget(self, name: str) -> None:
        """Nobody is asked any more."""
        target = self._targets.pop(name, None)
        if target is not None and target.task is not None:
            target.task.cancel()

    def outcome(self, name: str) -> tuple[str, str] | None:
        """Reason and message of the last scrape; None for a revision that is not asked."""
        target = self._targets.get(name)
        return (target.reason, target.message) if target is not None else None

    async def run(self) -> None:
        """Asks in rhythm, until cancelled. A revision whose pods are slow is asked again when they have answered."""
        async with self._http, asyncio.TaskGroup() as group:
            while True:
                is_listening = self._is_listening()
                for name, target in self._targets.items():
                    if target.in_path and is_listening:
                        continue
                    if target.task is None or target.task.done():
                        target.task = group.create_task(self._scrape(name, target))
                await asyncio.sleep(SCRAPE_S)

    async def _scrape(self, name: str, target: _Target) -> None:
        before = target.reason
        try:
            stat = await target.scraper.scrape(self._pods_of(name), target.service, target.window_s, time.time())
        except NoEndpoints as error:
            target.reason, target.message = NO_ENDPOINTS, str(error)
        except ScrapeError as error:
            target.reason, target.message = FAILED, f"Failed to reconcile metric collection: {error}"
        else:
            target.reason, target.message = COLLECTED, ""
            self._on_stat(name, stat)
        if target.reason != before:
            self._on_change(name)
