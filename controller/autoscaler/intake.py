"""Intake: the WebSocket to which activators push what they see (2.11); ours get announcements back.

Upstream's activators send binary frames of records. Ours ask for the
subprotocol of `contract.reports`, and say more, more often.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from dataplane.contract.document import DocumentError, document
from dataplane.contract.record import Record
from dataplane.contract.reports import SUBPROTOCOL, Path, Ready, Report, read_message
from dataplane.contract.stat import Stat
from dataplane.contract.stat_batch import decode_batch

log = logging.getLogger("penstock.intake")

RESTARTING = 1012
KUBELET = "kube-probe/"

OnStat = Callable[[str, Stat], None]
"""Told the revision, NAMESPACE/NAME, and its record."""
OnReport = Callable[[Report], None]


class Intake:
    """Serves activators, all of one autoscaler."""

    def __init__(self, on_stat: OnStat, on_report: OnReport) -> None:
        self._on_stat = on_stat
        self._on_report = on_report
        self._ours: dict[ServerConnection, int] = {}
        self._path = Path(version=0)
        self.moved = asyncio.Event()
        """Set when an activator has come, gone, or acknowledged; whoever waits for it clears it."""

    async def run(self, host: str, port: int, bound: asyncio.Future[int] | None = None) -> None:
        """Listens until cancelled; `bound` gets the port."""
        async with serve(
            self._serve,
            host,
            port,
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            select_subprotocol=_chosen,
            process_request=_answer_probe,
            max_size=None,
        ) as server:
            if bound is not None:
                bound.set_result(next(iter(server.sockets)).getsockname()[1])
            try:
                await asyncio.Event().wait()
            finally:
                server.close(code=RESTARTING, reason="Restarting")

    @property
    def count(self) -> int:
        """Activators of ours that are connected."""
        return len(self._ours)

    def announce(self, ready: Ready) -> None:
        """An instance serves: who holds requests for it sends them now."""
        self._broadcast("ready", ready)

    def set_path(self, revisions: frozenset[str]) -> None:
        """These revisions go through activators only. Acknowledged by `is_in_path`."""
        wanted = tuple(sorted(revisions))
        if wanted != self._path.revisions:
            self._path = Path(version=self._path.version + 1, revisions=wanted)
            self._broadcast("path", self._path)

    def is_in_path(self, revision: str) -> bool:
        """Every activator has acknowledged that it answers for the revision, and there is one."""
        return (
            revision in self._path.revisions
            and bool(self._ours)
            and all(version >= self._path.version for version in self._ours.values())
        )

    async def _serve(self, connection: ServerConnection) -> None:
        is_ours = connection.subprotocol == SUBPROTOCOL
        if is_ours:
            self._ours[connection] = -1
            await connection.send(encode("path", self._path))
            self.moved.set()
        try:
            async for frame in connection:
                try:
                    self._heard(connection, frame)
                except (DocumentError, ValueError) as error:
                    log.warning("a frame of %s is left out: %s", connection.remote_address, error)
        except ConnectionClosed:
            pass
        finally:
            if self._ours.pop(connection, None) is not None:
                self.moved.set()

    def _heard(self, connection: ServerConnection, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            for namespace, name, stat in decode_batch(frame):
                self._on_stat(f"{namespace}/{name}", stat)
            return
        if connection not in self._ours:
            return
        name, content = read_message(json.loads(frame))
        if isinstance(content, Report):
            self._on_report(content)
        elif isinstance(content, Path) and name == "in_path":
            self._ours[connection] = content.version
            self.moved.set()

    def _broadcast(self, name: str, content: Record) -> None:
        broadcast(self._ours, encode(name, content))


def encode(name: str, content: Record) -> str:
    """One text frame."""
    return json.dumps({name: document(content)}, separators=(",", ":"))


def _chosen(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours where it is asked for; upstream's activators ask for none."""
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None


def _answer_probe(connection: ServerConnection, request: Request) -> Response | None:
    if request.headers.get("User-Agent", "").startswith(KUBELET):
        return connection.respond(HTTPStatus.OK, "")
    return None
