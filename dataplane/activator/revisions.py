"""Revisions: joins what the API server says of each revision, and hands the engine what follows from it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from dataplane.config.activator import ActivatorSettings
from dataplane.config.network import Network, read_network
from dataplane.contract.reports import Ready
from dataplane.metrics.activator import Labels
from dataplane.sources.kube import (
    CONFIGURATION_LABEL,
    NETWORK_MAP,
    SERVICE_LABEL,
    TIMEOUT_S,
    Endpoints,
    Revision,
    Service,
)

from .backends import Backends
from .plan import Terms
from .prober import Prober
from .subset import UNKNOWN, Share, share_of
from .supervisor import ActivatorSupervisor
from .watcher import Watcher


@dataclass(slots=True)
class _Row:
    """What is known of one revision; parts may come in any order."""

    revision: Revision | None = None
    private: Endpoints | None = None
    service: Service | None = None
    activators: tuple[str, ...] = ()
    share: Share = UNKNOWN
    watcher: Watcher | None = None


class Revisions:
    """The sink of dataplane.sources.kube.

    tell     one line for the log
    observe  told what the map of observability says
    forget   told of a revision that is gone
    """

    def __init__(
        self,
        settings: ActivatorSettings,
        supervisor: ActivatorSupervisor,
        tell: Callable[[str], None],
        observe: Callable[[dict[str, str]], None],
        forget: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._tell = tell
        self._observe = observe
        self._forget = forget
        self._network = Network()
        self._rows: dict[str, _Row] = {}
        self._own: Endpoints | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def revision(self, name: str, item: Revision | None) -> None:
        row = self._row(name)
        if item is None:
            self._supervisor.forget(name)
            self._forget(name)
            self._drop_watcher(row)
        else:
            self._use(name, row, item)
        row.revision = item
        self._tidy(name, row)

    def private(self, name: str, item: Endpoints | None) -> None:
        row = self._row(name)
        before, row.private = row.private, item
        if row.revision is not None and (before is None) != (item is None):
            self._use(name, row, row.revision)  # a mesh wants the name of the Service
        self._look(name, row)
        self._tidy(name, row)

    def public(self, name: str, item: Endpoints | None) -> None:
        row = self._row(name)
        row.activators = tuple(address for address, _ in item.ready()) if item is not None else ()
        row.share = share_of(self._settings.pod_address, row.activators, row.share)
        self._guarded(name, lambda: self._supervisor.divide(name, row.share))
        self._tidy(name, row)

    def service(self, name: str, item: Service | None) -> None:
        row = self._row(name)
        row.service = item
        if row.watcher is not None:
            row.watcher.backends.service = item.address() if item is not None else None
        self._tidy(name, row)

    def activators(self, item: Endpoints | None) -> None:
        self._own = item

    def settings(self, name: str, data: dict[str, str]) -> None:
        if name != NETWORK_MAP:
            self._observe(data)
            return
        network, problems = read_network(data)
        for problem in problems:
            self._tell(f"{NETWORK_MAP}: {problem}")
        if network != self._network:
            self._network = network
            for revision, row in self._rows.items():
                self._drop_watcher(row)
                if row.revision is not None:
                    self._use(revision, row, row.revision)
                self._look(revision, row)

    def is_wanted(self) -> bool:
        """Some endpoints still send requests here."""
        own = self._settings.pod_address
        if self._own is not None and self._own.has(own):
            return True
        return any(own in row.activators for row in self._rows.values())

    def announced(self, ready: Ready) -> None:
        """An instance says itself that it serves; its endpoints will say the same a little later."""
        row = self._rows.get(ready.revision)
        if row is not None and row.revision is not None:
            self._watcher(ready.revision, row).announced((ready.address, ready.port))

    def refused(self) -> None:
        """Takes the engine's events: a pod that refuses is asked before it is used again."""
        for name, address in self._supervisor.refused():
            row = self._rows.get(name)
            if row is not None and row.watcher is not None:
                row.watcher.refused(address)

    def labels(self, name: str) -> Labels:
        """Service, configuration, revision and namespace, as metrics have them."""
        row = self._rows.get(name)
        namespace, _, revision = name.partition("/")
        if row is None or row.revision is None:
            return "", "", revision, namespace
        meta = row.revision.metadata
        return meta.label(SERVICE_LABEL), meta.label(CONFIGURATION_LABEL), revision, namespace

    async def close(self) -> None:
        """No probe runs after this."""
        for row in self._rows.values():
            self._drop_watcher(row)
        await asyncio.gather(*self._closing, return_exceptions=True)

    def _row(self, name: str) -> _Row:
        return self._rows.setdefault(name, _Row())

    def _tidy(self, name: str, row: _Row) -> None:
        if row.revision is None and row.private is None and row.service is None and not row.activators:
            self._rows.pop(name, None)

    def _use(self, name: str, row: _Row, item: Revision) -> None:
        spec = item.spec
        terms = Terms(
            request_s=TIMEOUT_S if spec.timeout_seconds is None else max(0, spec.timeout_seconds),
            start_s=spec.response_start_timeout_seconds,
            idle_s=spec.idle_timeout_seconds,
            host=self._passes_as(row),
        )
        row.revision = item
        if row.watcher is not None:
            row.watcher.backends.optimised = item.is_optimised
            row.watcher.prober.passes_as = terms.host
        if self._supervisor.use(name, item.metadata.uid, max(0, spec.container_concurrency or 0), terms):
            self._drop_watcher(row)
            self._guarded(name, lambda: self._supervisor.divide(name, row.share))
            self._look(name, row)

    def _passes_as(self, row: _Row) -> str:
        if not self._network.addressable or row.private is None:
            return ""
        return f"{row.private.metadata.name}.{row.private.metadata.namespace}"

    def _look(self, name: str, row: _Row) -> None:
        if row.revision is None or (row.private is None and row.watcher is None):
            return
        watcher = self._watcher(name, row)
        if row.private is None:
            watcher.backends.set_addresses(frozenset(), frozenset())
        else:
            watcher.backends.set_addresses(row.private.ready(), row.private.not_ready())
        watcher.look()

    def _watcher(self, name: str, row: _Row) -> Watcher:
        if row.watcher is None:
            assert row.revision is not None
            backends = Backends(
                network=self._network,
                optimised=row.revision.is_optimised,
                service=row.service.address() if row.service is not None else None,
            )
            prober = Prober(self._settings.probe_timeout_s, self._passes_as(row))
            row.watcher = Watcher(
                backends,
                prober,
                self._settings.probe_period_s,
                lambda found: self._guarded(name, lambda: self._supervisor.serve(name, found)),
            )
        return row.watcher

    def _drop_watcher(self, row: _Row) -> None:
        """What was found stays with the engine until somebody finds something else."""
        if row.watcher is not None:
            task = row.watcher.close()
            if task is not None and not task.done():
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
            row.watcher = None

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        """Addresses come from a cluster: what cannot be used is told, and changes nothing."""
        try:
            work()
        except ValueError as error:
            self._tell(f"{name}: {error}")
