"""Path: whether activators answer for a revision: by their own word, or by a probe (1.6, contract.reports)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus

import httpx2

from .intake import Intake

log = logging.getLogger("penstock.autoscaler")

PROBE_S = 1.0
"""Between two probes of one revision, and what one may take."""

PROBED_S = 45.0
"""One series of probes; the next reconcile begins another."""

PROBE_HEADERS = {
    "K-Network-Probe": "activator",
    "User-Agent": "Knative-Autoscaling-Probe",
    "Connection": "close",  # a new connection each time: an old one may still lead to a pod
}
ACTIVATOR = "activator"
"""What an activator answers; a sidecar refuses the same question."""

OnConfirmed = Callable[[str], None]
"""Told of the revision, NAMESPACE/NAME, that a probe has found in the path, or gave up on."""


class AcknowledgedPath:
    """For activators of ours: each acknowledges which revisions go through it."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._wanted: set[str] = set()

    def wants(self, revision: str, address: str | None) -> None:
        """The revision, reached at `address`, should go through activators only; None: it need not any more."""
        if (address is not None) != (revision in self._wanted):
            self._wanted.symmetric_difference_update((revision,))
            self._intake.set_path(frozenset(self._wanted))

    def wanted(self) -> Iterable[str]:
        """Revisions that should go through activators only, as long as somebody waits for that."""
        return tuple(self._wanted)

    def is_confirmed(self, revision: str) -> bool:
        """Every activator has acknowledged it."""
        return self._intake.is_in_path(revision)

    def is_acknowledged(self, revision: str) -> bool:
        """The same: a word of theirs is certain, where a probe is not."""
        return self._intake.is_in_path(revision)

    async def run(self) -> None:
        """Has nothing to do on its own."""


class ProbedPath:
    """For activators of any origin: asks at the revision's own address until an activator answers there."""

    def __init__(self, http: httpx2.AsyncClient, on_confirmed: OnConfirmed) -> None:
        """http: keeps no connection alive, and follows no redirect."""
        self._http = http
        self._on_confirmed = on_confirmed
        self._confirmed: set[str] = set()
        self._addresses: dict[str, str] = {}
        self._added = asyncio.Event()

    def wants(self, revision: str, address: str | None) -> None:
        """The revision, reached at `address` (HOST:PORT), should go through activators only; None: not any more."""
        if address is None:
            self._confirmed.discard(revision)
            self._addresses.pop(revision, None)
        elif revision not in self._confirmed and revision not in self._addresses:
            self._addresses[revision] = address
            self._added.set()

    def is_confirmed(self, revision: str) -> bool:
        """An activator has answered for it."""
        return revision in self._confirmed

    def is_acknowledged(self, revision: str) -> bool:
        """Never: other activators may not know yet."""
        return False

    async def run(self) -> None:
        """Probes what is wanted, until cancelled."""
        under_way: set[str] = set()
        async with self._http, asyncio.TaskGroup() as group:
            while True:
                await self._added.wait()
                self._added.clear()
                for revision in self._addresses.keys() - under_way:
                    under_way.add(revision)
                    group.create_task(self._series(revision, self._addresses[revision], under_way))

    async def _series(self, revision: str, address: str, under_way: set[str]) -> None:
        try:
            async with asyncio.timeout(PROBED_S):
                while self._addresses.get(revision) == address and not await self._ask(address):
                    await asyncio.sleep(PROBE_S)
        except TimeoutError:
            log.info("%s: no activator answers at %s", revision, address)
            self._addresses.pop(revision, None)
        if self._addresses.get(revision) == address:
            self._confirmed.add(revision)
            del self._addresses[revision]
        under_way.discard(revision)
        self._added.set()  # another address may have come meanwhile
        self._on_confirmed(revision)

    async def _ask(self, address: str) -> bool:
        try:
            answer = await self._http.get(f"http://{address}/healthz", headers=PROBE_HEADERS, timeout=PROBE_S)
        except httpx2.HTTPError:
            return False
        return answer.status_code == HTTPStatus.OK and answer.text == ACTIVATOR


class EitherPath:
    """On a cluster: the word of activators of ours while any is connected, else a probe."""

    def __init__(self, intake: Intake, acknowledged: AcknowledgedPath, probed: ProbedPath) -> None:
        self._intake = intake
        self._acknowledged = acknowledged
        self._probed = probed

    def wants(self, revision: str, address: str | None) -> None:
        """Both are told, so that each may take over."""
        self._acknowledged.wants(revision, address)
        self._probed.wants(revision, None if self._intake.count else address)

    def wanted(self) -> Iterable[str]:
        """Revisions that should go through activators only."""
        return self._acknowledged.wanted()

    def is_confirmed(self, revision: str) -> bool:
        """By whoever can tell."""
        return self._acknowledged.is_confirmed(revision) or self._probed.is_confirmed(revision)

    def is_acknowledged(self, revision: str) -> bool:
        """By their own word only."""
        return self._acknowledged.is_acknowledged(revision)

    async def run(self) -> None:
        """Probes, until cancelled."""
        await self._probed.run()


def acknowledged(intake: Intake, _on_confirmed: OnConfirmed) -> AcknowledgedPath:
    """On one machine: all activators are ours."""
    return AcknowledgedPath(intake)


def either(intake: Intake, on_confirmed: OnConfirmed) -> EitherPath:
    """On a cluster: activators may be of any origin."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    http = httpx2.AsyncClient(limits=limits, trust_env=False)
    return EitherPath(intake, AcknowledgedPath(intake), ProbedPath(http, on_confirmed))
