"""Supervisor: owns the engine of an activator: its listeners, its plans, and who serves which revision."""

from __future__ import annotations

import os
from dataclasses import dataclass
from posix import strerror
from typing import Any

from dataplane.config.activator import ActivatorSettings
from dataplane.errors import ConfigError, Problem
from dataplane.reporter import Seen
from ext.engine import Engine

from .backends import Address, Found
from .plan import H2C, HTTP1, METRICS, Terms, activator_bounds, next_plan
from .subset import UNKNOWN, Share, assigned, service_capacity

NOBODY = Found()


@dataclass(slots=True)
class _Entry:
    """One revision, as the engine has it."""

    terms: Terms
    concurrency: int
    uid: str
    found: Found = NOBODY
    share: Share = UNKNOWN


class ActivatorSupervisor:
    """Engine, plans and listeners of an activator."""

    def __init__(self, settings: ActivatorSettings) -> None:
        self.settings = settings
        workers = settings.workers or len(os.sched_getaffinity(0))
        self.engine = Engine(workers, activator_bounds())
        self._entries: dict[str, _Entry] = {}
        self._plan = next_plan(self.engine.live, settings, None)
        self.engine.apply(self._plan)
        self._serves_metrics = False
        self._is_logging = False

    def listen(self) -> None:
        """Binds the ports for requests, then lets the workers run.

        Raises  ConfigError that names each port which cannot be bound.
        """
        problems = []
        for listener, port in ((H2C, self.settings.h2c_port), (HTTP1, self.settings.http1_port)):
            try:
                self.engine.listen(listener, self.settings.address, port, None)
            except OSError as error:
                problems.append(_unbound(self.settings.address, port, error))
        if problems:
            raise ConfigError(problems)
        self.engine.start(self._plan)

    def serve_metrics(self, is_wanted: bool) -> None:
        """Opens or closes the port of the metrics. Raises ConfigError when it cannot be bound."""
        address, port = self.settings.metrics_address, self.settings.metrics_port
        if is_wanted and not self._serves_metrics:
            try:
                self.engine.listen(METRICS, address, port, None)
            except OSError as error:
                raise ConfigError([_unbound(address, port, error)]) from error
        elif not is_wanted and self._serves_metrics:
            self.engine.close(METRICS)
        self._serves_metrics = is_wanted

    def keep_exchanges(self, is_wanted: bool) -> None:
        """Whether finished exchanges are kept for the request log from now on."""
        if is_wanted != self._is_logging:
            self._is_logging = is_wanted
            self._apply()

    def finished(self, bytes_max: int) -> list[tuple[Any, ...]]:
        """Finished exchanges that nobody has read, about `bytes_max` of each worker (JOURNAL_FIELDS)."""
        records: list[tuple[Any, ...]] = self.engine.finished(bytes_max)
        return records

    def use(self, name: str, uid: str, concurrency: int, terms: Terms) -> bool:
        """These are a revision's limits from now on; True when it is new, or another one of that name."""
        entry = self._entries.get(name)
        is_new = entry is None or entry.uid != uid or (entry.concurrency == 0) != (concurrency == 0)
        if entry is not None and is_new:
            self.forget(name)
        if entry is None or is_new:
            self._entries[name] = entry = _Entry(terms, concurrency, uid)
            self._apply({name: terms})
        else:
            if entry.terms != terms:
                entry.terms = terms
                self._apply({name: terms})
            if entry.concurrency != concurrency:
                entry.concurrency = concurrency
                self._arrange(name, entry)
        return is_new

    def forget(self, name: str) -> None:
        """The revision is gone: 404 for who comes, and who waits there keeps waiting until its time is up."""
        if self._entries.pop(name, None) is not None:
            self._apply(without=(name,))
            self.engine.forget(name)

    def serve(self, name: str, found: Found) -> None:
        """Who serves a revision. Raises ValueError for addresses that are none; then nothing has changed."""
        entry = self._entries.get(name)
        if entry is not None:
            entry.found = found
            self._arrange(name, entry)

    def divide(self, name: str, share: Share) -> None:
        """How much of a revision is ours. Raises as serve."""
        entry = self._entries.get(name)
        if entry is not None and entry.share != share:
            entry.share = share
            self._arrange(name, entry)

    def report(self) -> dict[str, Seen]:
        """Revisions that were active since the last call, or are."""
        _now_ns, found = self.engine.report()
        return {
            name: Seen(requests, busy_ns, running + waiting, waiting)
            for name, (requests, busy_ns, running, waiting, _refused) in found.items()
        }

    def gate(self, name: str) -> tuple[int, int, int]:
        """Requests that a revision may run at once, that run, and that wait; zeros for one that is not there."""
        if name not in self._entries:
            return 0, 0, 0
        gate: tuple[int, int, int] = self.engine.live.gate(name)
        return gate

    def refused(self) -> list[tuple[str, Address]]:
        """Revisions and pods that have refused a connection; what else was told is that somebody is wanted."""
        return [(name, where) for name, what, where in self.engine.take_events() if what == "refused"]

    def in_flight(self) -> tuple[int, int, int]:
        """For the drain: when the newest request began (ns), requests that wait or run, and upgraded connections."""
        newest = running = upgraded = 0
        for worker in self.engine.snapshot():
            counters: dict[str, Any] = worker["counters"]
            newest = max(newest, counters["last_request_start_ns"])
            open_now = counters["upgrades"] - counters["upgrades_ended"]
            upgraded += open_now
            running += worker["in_flight"] - open_now
        return newest, max(0, running), upgraded

    def connections(self) -> int:
        """Of callers, open now."""
        return sum(worker["conns"] for worker in self.engine.snapshot())

    def stop(self) -> None:
        """Ends the workers; what still runs is cut off."""
        self.engine.stop()

    def _apply(self, terms: dict[str, Terms] | None = None, without: tuple[str, ...] = ()) -> None:
        plan = next_plan(self.engine.live, self.settings, self._plan, terms, without, self._is_logging)
        self.engine.apply(plan)
        self._plan = plan

    def _arrange(self, name: str, entry: _Entry) -> None:
        """Engine and books agree again (2.6). What was set aside comes back."""
        each = entry.concurrency
        found = entry.found
        if found.service is not None:
            capacity = service_capacity(each, found.ready, entry.share) if each else found.ready
            endpoints = [(*found.service, capacity)] if capacity else []
        else:
            pods = assigned(found.pods, entry.share) if each else found.pods
            endpoints = [(*pod, max(each, 1)) for pod in pods]
        self.engine.endpoints(name, endpoints, unlimited=each == 0)


def _unbound(address: str, port: int, error: OSError) -> Problem:
    what = f"port {port} of {address} cannot be bound: {strerror(error.errno or 0)}"
    return Problem(where=f"port {port}", what=what)
