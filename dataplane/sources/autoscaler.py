"""Autoscaler: what an activator reports to it, and what it announces back (contract.reports, 2.11).

Reports go out every tenth of a second while something moves, and at once when
a revision is wanted. An autoscaler that does not know the subprotocol gets
upstream's records, once a second.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from dataplane.contract.document import DocumentError, document
from dataplane.contract.reports import REPORT_S, SUBPROTOCOL, Counts, Path, Ready, Report, read_message
from dataplane.contract.stat import Stat
from dataplane.contract.stat_batch import Entry, encode_batch
from dataplane.reporter import Reporter, Seen

PING_S = 10 / 3
PONG_S = 10.0
"""As upstream's client (DP-224)."""

PAUSE_S, PAUSE_FACTOR, PAUSE_TRIES = 0.1, 1.3, 19
TICK_S = 1.0
NS_PER_S = 1_000_000_000

Read = Callable[[], Mapping[str, Seen]]
"""Counters of the revisions that were active since the last call, or are; by NAMESPACE/NAME."""


class AutoscalerLink:
    """One activator's connection to the autoscaler."""

    def __init__(
        self,
        address: str,
        pod_name: str,
        read: Read,
        on_ready: Callable[[Ready], None],
        tell: Callable[[str], None],
        on_connected: Callable[[], None] | None = None,
    ) -> None:
        self._on_connected = on_connected
        self._address = address
        self._pod_name = pod_name
        self._read = read
        self._on_ready = on_ready
        self._tell = tell
        self._life = os.urandom(8).hex()
        self._sequence = 0
        self._wanted = asyncio.Event()
        self.is_connected = False
        self.losses = 0

    def wanted(self) -> None:
        """A revision needs an instance: report now."""
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        tries = 0
        while True:
            try:
                async with connect(
                    self._address,
                    subprotocols=[Subprotocol(SUBPROTOCOL)],
                    ping_interval=PING_S,
                    ping_timeout=PONG_S,
                    compression=None,
                    proxy=None,
                ) as socket:
                    tries = 0
                    self.is_connected = True
                    if self._on_connected is not None:
                        self._on_connected()
                    await self._talk(socket)
            except (OSError, WebSocketException, TimeoutError) as error:
                if tries == 0:
                    self._tell(f"the autoscaler at {self._address} cannot be reached: {error}")
            finally:
                self.losses += self.is_connected
                self.is_connected = False
            await asyncio.sleep(PAUSE_S)
            # Somebody who needs an instance does not wait for the next try.
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S * (PAUSE_FACTOR**tries * random.uniform(1, 1.5) - 1)):
                    await self._wanted.wait()
            self._wanted.clear()
            tries = min(tries + 1, PAUSE_TRIES)

    async def _talk(self, socket: ClientConnection) -> None:
        """Reports until the connection ends."""
        if socket.subprotocol == SUBPROTOCOL:
            sending = asyncio.create_task(self._report(socket))
        else:
            sending = asyncio.create_task(self._push(socket))
        try:
            async for frame in socket:
                if isinstance(frame, str):
                    await self._heard(socket, frame)
        finally:
            sending.cancel()

    async def _report(self, socket: ClientConnection) -> None:
        """Ours: counters that only grow."""
        moved = True
        while True:
            try:
                async with asyncio.timeout(REPORT_S if moved else None):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            seen = self._read()
            moved = bool(seen)
            if not seen:
                continue
            self._sequence += 1
            report = Report(
                sender=self._pod_name,
                life=self._life,
                sequence=self._sequence,
                time_s=time.monotonic(),
                revisions={
                    name: Counts(
                        requests=one.requests,
                        busy_s=one.busy_ns / NS_PER_S,
                        running=one.pending - one.waiting,
                        waiting=one.waiting,
                    )
                    for name, one in seen.items()
                },
            )
            await socket.send(json.dumps({"report": document(report)}, separators=(",", ":")))

    async def _push(self, socket: ClientConnection) -> None:
        """Upstream's: records of each second, and of each first request."""
        reporter = Reporter(self._pod_name)
        known: dict[str, Seen] = {}
        next_s = time.monotonic() + TICK_S
        while True:
            try:
                async with asyncio.timeout(max(0.0, next_s - time.monotonic())):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            now_ns = time.monotonic_ns()
            records = []
            for name, one in self._read().items():
                stat = reporter.wake(name, known.get(name, Seen(0, 0, 0)), now_ns)
                known[name] = one
                if stat is not None:
                    records.append((name, stat))
            if time.monotonic() >= next_s:
                next_s += TICK_S
                records += reporter.tick(known, now_ns)
            if records:
                await socket.send(encode_batch(_entry(name, stat) for name, stat in records))

    async def _heard(self, socket: ClientConnection, frame: str) -> None:
        try:
            name, content = read_message(json.loads(frame))
        except (DocumentError, ValueError) as error:
            self._tell(f"a message of the autoscaler is left out: {error}")
            return
        if isinstance(content, Ready):
            self._on_ready(content)
        elif isinstance(content, Path) and name == "path":
            try:
                await socket.send(json.dumps({"in_path": document(content)}, separators=(",", ":")))
            except ConnectionClosed:
                return


def _entry(revision: str, stat: Stat) -> Entry:
    namespace, _, name = revision.partition("/")
    return namespace, name, stat
