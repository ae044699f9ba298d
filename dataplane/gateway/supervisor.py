"""Supervisor: owns the engine of a gateway: its listeners, its plans, and who serves which target."""

from __future__ import annotations

import os
from posix import strerror
from typing import Any

from dataplane.config.gateway import GatewaySettings
from dataplane.contract.reports import Ready
from dataplane.contract.routes import Delta, Target
from dataplane.errors import ConfigError, Problem
from dataplane.plan import NS_PER_S
from dataplane.reporter import Seen
from ext.base.faults import fault_names
from ext.engine import Engine
from ext.live import REFUSED
from ext.stats.histogram import DURATION_BOUNDS_NS

from .plan import ADMIN, PRIVATE, PUBLIC, first_plan, gateway_bounds, next_plan

UNLIMITED = 0
"""Concurrency of a target whose endpoints run any number of requests."""


class GatewaySupervisor:
    """Engine, plans and listeners of a gateway."""

    duration_bounds_ns = DURATION_BOUNDS_NS
    faults = fault_names()

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        workers = settings.workers or len(os.sched_getaffinity(0))
        self.engine = Engine(workers, gateway_bounds(settings))
        self._targets: dict[str, Target] = {}
        self._endpoints: dict[str, tuple[tuple[str, int], ...]] = {}
        self._plan = first_plan(self.engine.live, settings)
        self.engine.apply(self._plan)

    def start(self) -> None:
        """Binds every port, but for sockets that it was given, then lets the workers run.

        Raises  ConfigError that names each port which cannot be bound.
        """
        if not self.settings.sockets:
            self._bind()
        self.engine.start(self._plan)

    def _bind(self) -> None:
        settings = self.settings
        problems = []
        for listener, port in (
            (ADMIN, settings.admin_port),
            (PRIVATE, settings.private_port),
            (PUBLIC, settings.public_port),
        ):
            try:
                self.engine.listen(listener, settings.address, port, None)
            except OSError as error:
                what = f"port {port} of {settings.address} cannot be bound: {strerror(error.errno or 0)}"
                problems.append(Problem(where=f"port {port}", what=what))
        if problems:
            raise ConfigError(problems)

    def adopt(self) -> None:
        """Accepts from the sockets that it was given: nobody has been refused, so there is time to know the routes.

        Raises  ConfigError.
        """
        for listener, descriptor in zip((PUBLIC, PRIVATE, ADMIN), self.settings.sockets, strict=True):
            try:
                self.engine.adopt(listener, descriptor)
            except OSError as error:
                what = f"descriptor {descriptor} cannot be listened on: {strerror(error.errno or 0)}"
                raise ConfigError([Problem(where="PENSTOCK_LISTEN_FDS", what=what)]) from error

    def leave(self) -> None:
        """No new connection where somebody else goes on listening; those that are open close after their answers."""
        if self.settings.sockets:
            for listener in (PUBLIC, PRIVATE, ADMIN):
                self.engine.close(listener)
        self.engine.drain(True)

    def use(self, delta: Delta) -> list[str]:
        """Every worker uses the delta when this returns: what is wrong with hosts that were left out.

        Endpoints alone need no plan.
        """
        problems: list[str] = []
        if delta.hosts or delta.targets:
            plan, problems = next_plan(self.engine.live, self.settings, self._plan, delta)
            self.engine.apply(plan)
            self._plan = plan
        for name, target in delta.targets.items():
            if target is None:
                if self._targets.pop(name, None) is not None:
                    self._endpoints.pop(name, None)
                    self.engine.forget(name)
            else:
                before = self._targets.get(name)
                self._targets[name] = target
                if before is not None and before.concurrency != target.concurrency and name not in delta.endpoints:
                    self._serve(name, self._endpoints.get(name, ()))
        for name, endpoints in delta.endpoints.items():
            if name in self._targets:
                self._serve(name, tuple((one.address, one.port) for one in endpoints))
        return problems

    def add(self, ready: Ready) -> None:
        """An instance that is said to serve; the controller will say the same a little later."""
        if ready.revision not in self._targets:
            return
        known = self._endpoints.get(ready.revision, ())
        new = (ready.address, ready.port)
        phases = (ready.decided_s, ready.created_s, ready.started_s, ready.ready_s)
        start = tuple(int(seconds * NS_PER_S) for seconds in phases) if any(phases) else None
        self._serve(ready.revision, known if new in known else (*known, new), start)

    def take_events(self) -> tuple[set[str], set[str]]:
        """Targets that want an instance, and those of which an endpoint refuses connections."""
        events = self.engine.take_events()
        refusing = {name for name, what, _where in events if what == REFUSED}
        return {name for name, what, _where in events if what != REFUSED}, refusing

    def again(self, name: str) -> None:
        """Endpoints that were set aside come back."""
        if name in self._targets:
            self._serve(name, self._endpoints.get(name, ()))

    def report(self) -> dict[str, Seen]:
        """Targets that were active since the last call, or are."""
        _now_ns, found = self.engine.report()
        return {
            name: Seen(requests, busy_ns, running + waiting, waiting)
            for name, (requests, busy_ns, running, waiting, _refused) in found.items()
        }

    def finished(self, bytes_max: int) -> list[tuple[Any, ...]]:
        """Finished exchanges that nobody has read, about `bytes_max` of each worker (JOURNAL_FIELDS)."""
        records: list[tuple[Any, ...]] = self.engine.finished(bytes_max)
        return records

    def _serve(self, name: str, endpoints: tuple[tuple[str, int], ...], start: tuple[int, ...] | None = None) -> None:
        limit = self._targets[name].concurrency
        self._endpoints[name] = endpoints
        self.engine.endpoints(
            name, [(host, port, limit or 1) for host, port in endpoints], unlimited=limit == UNLIMITED, start=start
        )

    def connections(self) -> int:
        """Of callers, open now."""
        return sum(worker["conns"] for worker in self.engine.snapshot())

    def stop(self) -> None:
        """Ends the workers; what still runs is cut off."""
        self.engine.stop()
