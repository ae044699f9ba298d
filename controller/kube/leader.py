"""Leader: one of several processes works, the one that holds a Lease (coordination.k8s.io).

Who waits watches the Lease, so it takes over as soon as the holder lets go,
and when the holder has not renewed for the time that the Lease says: by this
process's own clock, since nobody's clock can be compared with another's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import msgspec

from dataplane.kube.client import Client
from dataplane.kube.errors import AlreadyExists, Conflict, KubeError, NotFound
from dataplane.kube.resource import LEASES
from dataplane.kube.watch import Changed, Deleted, Replaced, watch

log = logging.getLogger("penstock.leader")


class LeadershipLost(Exception):
    """The Lease could not be renewed in time, or somebody else has taken it: this process may decide nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Times in seconds. Upstream's 60, 40 and 10 leave a cluster without controllers for over a minute."""

    lease_s: int = 15
    """After which a holder that says nothing is dead."""
    renew_s: float = 10.0
    """For which a holder goes on while it cannot renew; below lease_s."""
    retry_s: float = 2.0
    """Between two renewals."""


class LeaseMeta(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Of one Lease."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""


class LeaseSpec(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Who holds it, and since when."""

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int = 0


class Lease(msgspec.Struct, kw_only=True, rename="camel"):
    """The object."""

    api_version: str = "coordination.k8s.io/v1"
    kind: str = "Lease"
    metadata: LeaseMeta
    spec: LeaseSpec = msgspec.field(default_factory=LeaseSpec)


class Leader:
    """One candidate."""

    def __init__(self, client: Client, namespace: str, name: str, identity: str, rhythm: Rhythm | None = None) -> None:
        """identity: differs from that of every other process, also of this one's last life."""
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._rhythm = rhythm or Rhythm()
        self._seen: Lease | None = None
        self._seen_at_s = 0.0
        self._moved = asyncio.Event()

    async def lead(self, work: Callable[[], Awaitable[None]]) -> None:
        """Waits for the Lease, then works until the work ends or the caller cancels; lets go of the Lease at the end.

        Raises  LeadershipLost, after the work was cancelled
        """
        try:
            held = await self._acquired()
            log.info("%s leads: holds the lease %s/%s", self._identity, self._namespace, self._name)
            await self._hold(held, work)
        finally:
            # Also where the answer to the taking was not waited for.
            await self._release()

    async def _hold(self, held: Lease, work: Callable[[], Awaitable[None]]) -> None:
        renewing = asyncio.create_task(self._renew(held))
        working = asyncio.ensure_future(work())
        try:
            await asyncio.wait([renewing, working], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (renewing, working):
                task.cancel()
            await asyncio.gather(renewing, working, return_exceptions=True)
        for task in (working, renewing):
            if not task.cancelled():
                task.result()

    async def _acquired(self) -> Lease:
        watching = asyncio.create_task(self._follow())
        try:
            while True:
                self._moved.clear()
                taken = await self._try()
                if taken is not None:
                    return taken
                wait_s = self._dead_at_s() - time.monotonic() if self._seen is not None else self._rhythm.retry_s
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(wait_s, 0.01)):
                        await self._moved.wait()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _follow(self) -> None:
        def trouble(error: KubeError) -> None:
            log.error("the API server cannot be asked for the lease %s/%s: %s", self._namespace, self._name, error)

        fields = f"metadata.name={self._name}"
        async for event in watch(self._client, LEASES, Lease, self._namespace, fields=fields, on_trouble=trouble):
            if isinstance(event, Replaced):
                self._note(event.items[0] if event.items else None)
            elif isinstance(event, Changed):
                self._note(event.item)
            elif isinstance(event, Deleted):
                self._note(None)

    def _note(self, lease: Lease | None) -> None:
        """What the Lease says; the clock begins anew when it says something new."""
        if lease is None or self._seen is None or lease.spec != self._seen.spec:
            self._seen_at_s = time.monotonic()
        self._seen = lease
        self._moved.set()

    def _dead_at_s(self) -> float:
        seconds = self._seen.spec.lease_duration_seconds if self._seen is not None else 0
        return self._seen_at_s + (seconds or self._rhythm.lease_s)

    async def _try(self) -> Lease | None:
        """The Lease, when it is free and nobody was faster."""
        try:
            lease = await self._client.read(LEASES, self._namespace, self._name, Lease)
        except NotFound:
            lease = None
        except KubeError:
            return None  # the watch says why
        if lease is not None:
            if self._seen is None or lease.spec != self._seen.spec:
                self._note(lease)
            holder = lease.spec.holder_identity
            if holder not in ("", self._identity) and time.monotonic() < self._dead_at_s():
                return None
        try:
            return await self._take(lease)
        except (AlreadyExists, Conflict):
            return None
        except KubeError as error:
            log.error("the lease %s/%s cannot be taken: %s", self._namespace, self._name, error)
            return None

    async def _take(self, lease: Lease | None) -> Lease:
        now, seconds = _micro_time(), self._rhythm.lease_s
        if lease is None:
            spec = LeaseSpec(
                holder_identity=self._identity, lease_duration_seconds=seconds, acquire_time=now, renew_time=now
            )
            made = Lease(metadata=LeaseMeta(name=self._name, namespace=self._namespace), spec=spec)
            return await self._client.create(LEASES, self._namespace, made, Lease)
        spec = msgspec.structs.replace(
            lease.spec,
            holder_identity=self._identity,
            lease_duration_seconds=seconds,
            acquire_time=now,
            renew_time=now,
            lease_transitions=lease.spec.lease_transitions + 1,
        )
        return await self._put(msgspec.structs.replace(lease, spec=spec))

    async def _put(self, lease: Lease) -> Lease:
        return await self._client.replace(LEASES, self._namespace, self._name, lease, Lease)

    async def _renew(self, held: Lease) -> None:
        renewed_s = time.monotonic()
        while True:
            await asyncio.sleep(self._rhythm.retry_s)
            try:
                async with asyncio.timeout(self._rhythm.renew_s):
                    held = await self._renewed(held)
                renewed_s = time.monotonic()
            except (KubeError, TimeoutError) as error:
                log.warning("the lease %s/%s is not renewed: %s", self._namespace, self._name, error or "no answer")
                if time.monotonic() - renewed_s > self._rhythm.renew_s:
                    raise LeadershipLost(f"not renewed for {self._rhythm.renew_s:g} s") from error

    async def _renewed(self, held: Lease) -> Lease:
        spec = msgspec.structs.replace(held.spec, renew_time=_micro_time())
        try:
            return await self._put(msgspec.structs.replace(held, spec=spec))
        except (Conflict, NotFound):
            found = await self._client.read(LEASES, self._namespace, self._name, Lease)
            if found.spec.holder_identity != self._identity:
                raise LeadershipLost(f"{found.spec.holder_identity or 'nobody'} holds the lease") from None
            return found

    async def _release(self) -> None:
        """Whoever waits need not wait for the end of the Lease."""
        with suppress(KubeError, TimeoutError):
            async with asyncio.timeout(self._rhythm.retry_s):
                lease = await self._client.read(LEASES, self._namespace, self._name, Lease)
                if lease.spec.holder_identity == self._identity:
                    spec = LeaseSpec(lease_duration_seconds=1, lease_transitions=lease.spec.lease_transitions)
                    await self._put(msgspec.structs.replace(lease, spec=spec))


def _micro_time() -> str:
    seconds, rest_ns = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest_ns // 1000:06d}Z"
