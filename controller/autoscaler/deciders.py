"""Deciders: one for each revision, fed by reports, and asked again in rhythm or when something is urgent."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from controller.api.core import Pod
from dataplane.contract.reports import Report
from dataplane.contract.stat import Stat

from .bounds import UNKNOWN
from .decider import Decider
from .policy import RevisionPolicy

log = logging.getLogger("penstock.autoscaler")

ROUND_S = 0.5
"""Between two rounds over the revisions that are awake; each is looked at when its own time has come."""

OnChange = Callable[[str], None]
"""Told of a revision, NAMESPACE/NAME, whose number of pods or whose mode should change."""

_BEGAN_S = time.time() - time.monotonic()


def steady() -> float:
    """Unix seconds as they were at the start of the process, and on from there: somebody may set the clock."""
    return _BEGAN_S + time.monotonic()


class Deciders:
    """All revisions of one autoscaler. Those that are idle cost nothing until something is reported of them."""

    def __init__(
        self, on_change: OnChange, is_listening: Callable[[], bool], clock: Callable[[], float] = steady
    ) -> None:
        """is_listening: somebody reports, so that silence means that there is no load."""
        self._on_change = on_change
        self._is_listening = is_listening
        self._clock = clock
        self._listened = False
        self._deciders: dict[str, Decider] = {}
        self._awake: set[str] = set()

    def keep(self, name: str, wanted: RevisionPolicy, pods: Iterable[Pod]) -> Decider:
        """The decider of a revision, made when there is none, with what is wanted and there now."""
        decider = self._deciders.get(name)
        if decider is None:
            decider = self._deciders[name] = Decider(wanted, pods, self._clock())
            self._awake.add(name)
            return decider
        if decider.wanted != wanted:
            decider.change(wanted)
            self._awake.add(name)
        if decider.observe(pods, self._clock()):
            self._awake.add(name)
        return decider

    def forget(self, name: str) -> None:
        """The revision has gone."""
        self._deciders.pop(name, None)
        self._awake.discard(name)

    def pods(self, name: str) -> int:
        """What was decided last; UNKNOWN before."""
        decider = self._deciders.get(name)
        return decider.pods if decider is not None else UNKNOWN

    def age_s(self, decider: Decider) -> float:
        """Since somebody asked for what was decided."""
        return self._clock() - decider.changed_s

    def find(self, name: str) -> Decider | None:
        """The decider of a revision, where there is one."""
        return self._deciders.get(name)

    def all(self) -> Iterable[tuple[str, Decider]]:
        """Every revision and its decider."""
        return self._deciders.items()

    def stat(self, name: str, stat: Stat) -> None:
        """A record of upstream's kind."""
        decider = self._deciders.get(name)
        if decider is None:
            return
        now_s = self._clock()
        age_s = max(0.0, time.time() - stat.timestamp) if stat.timestamp else 0.0
        self._awake.add(name)
        if decider.record(stat, now_s - age_s):
            self._decide(name, decider, now_s)

    def report(self, report: Report) -> None:
        """A report of ours; what is urgent is decided on before this returns."""
        now_s = self._clock()
        for name in report.revisions:
            decider = self._deciders.get(name)
            if decider is None:
                continue
            self._awake.add(name)
            if decider.report(name, report, now_s):
                self._decide(name, decider, now_s)

    def gone(self, sender: str) -> None:
        """An activator has left: nothing of what it had under way is known any more."""
        for name, decider in self._deciders.items():
            if decider.activity.forget(sender):
                self._awake.add(name)

    async def run(self) -> None:
        """Decides in rhythm, until cancelled."""
        while True:
            await asyncio.sleep(ROUND_S)
            self.look()

    def look(self) -> None:
        """One round: everything that is awake, and whose time has come."""
        now_s, is_listening = self._clock(), self._is_listening()
        if is_listening and not self._listened:
            self._awake.update(self._deciders)
        self._listened = is_listening
        for name in tuple(self._awake):
            decider = self._deciders[name]
            if decider.due_s > now_s:
                continue
            if is_listening:
                decider.silence(now_s)
            has_data = self._decide(name, decider, now_s)
            if decider.is_idle(now_s) if has_data else not is_listening:
                self._awake.discard(name)

    def _decide(self, name: str, decider: Decider, now_s: float) -> bool:
        """False without data."""
        before = decider.pods, decider.excess >= 0
        decision = decider.decide(now_s)
        if decision is None:
            return False
        if (decider.pods, decider.excess >= 0) != before:
            log.info("%s: %d pods: %s", name, decision.pods, decision.reason)
            decider.changed_s = now_s
            self._on_change(name)
        return True
