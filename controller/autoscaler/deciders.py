"""Deciders: one for each revision, fed by reports, and asked again every two seconds or when something is urgent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from dataplane.contract.reports import Report
from dataplane.contract.stat import Stat

from .bounds import UNKNOWN
from .decide import Decision
from .decider import Decider, Made
from .policy import RevisionPolicy

log = logging.getLogger("penstock.autoscaler")

TICK_S = 2.0

OnChange = Callable[[str], None]
"""Told of a revision, NAMESPACE/NAME, whose number of pods or whose mode should change."""


class Deciders:
    """All revisions of one autoscaler."""

    def __init__(self, on_change: OnChange, is_listening: Callable[[], bool]) -> None:
        """is_listening: somebody reports, so that silence means that there is no load."""
        self._on_change = on_change
        self._is_listening = is_listening
        self._deciders: dict[str, Decider] = {}
        self._ready: dict[str, int] = {}

    def keep(self, name: str, wanted: RevisionPolicy, ready: int) -> Decider:
        """The decider of a revision, made when there is none, with what is wanted and ready now."""
        decider = self._deciders.get(name)
        if decider is None:
            decider = self._deciders[name] = Decider(wanted, ready, time.time())
        elif decider.wanted != wanted:
            decider.change(wanted)
        self._ready[name] = ready
        return decider

    def forget(self, name: str) -> None:
        """The revision has gone."""
        self._deciders.pop(name, None)
        self._ready.pop(name, None)

    def pods(self, name: str) -> int:
        """What was decided last; UNKNOWN before."""
        decider = self._deciders.get(name)
        return decider.pods if decider is not None else UNKNOWN

    def made(self, name: str) -> list[Made]:
        """The last decisions, oldest first."""
        decider = self._deciders.get(name)
        return list(decider.made) if decider is not None else []

    def stat(self, name: str, stat: Stat) -> None:
        """A record of upstream's kind."""
        decider = self._deciders.get(name)
        if decider is not None and decider.record(stat, float(stat.timestamp) or time.time()):
            self._decide(name, decider)

    def report(self, report: Report) -> None:
        """A report of ours; what is urgent is decided on before this returns."""
        for name in report.revisions:
            decider = self._deciders.get(name)
            if decider is not None and decider.report(name, report, time.time()):
                self._decide(name, decider)

    async def run(self) -> None:
        """Decides in rhythm, until cancelled."""
        while True:
            await asyncio.sleep(TICK_S)
            for name, decider in list(self._deciders.items()):
                if self._is_listening():
                    decider.silence(time.time())
                self._decide(name, decider)

    def _decide(self, name: str, decider: Decider) -> None:
        before = decider.pods, decider.excess >= 0
        decision: Decision | None = decider.decide(self._ready[name], time.time())
        if decision is None or (decider.pods, decider.excess >= 0) == before:
            return
        log.info("%s: %d pods: %s", name, decision.pods, decision.reason)
        self._on_change(name)
