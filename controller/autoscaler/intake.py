"""Intake: the WebSocket to which activators push what they see (2.11); ours get announcements back.

Upstream's activators send binary frames of records. Ours ask for the
subprotocol of `contract.reports`, and say more, more often. Whoever comes
without a WebSocket may read pages: the decisions, for one.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
OnGone = Callable[[str], None]
"""Told the sender of reports that come no more."""
Pages = Callable[[str], str | None]
"""The JSON text of a path that is asked for with GET; None where there is no such page."""

FRAME_BYTES_MAX = 16 << 20
"""Ten thousand revisions in one report fit; whoever sends more is no activator."""

WAITING_MAX = 1 << 20
"""Bytes of announcements that wait for one activator; one that reads nothing more is cut off, and comes again."""


@dataclass(slots=True)
class _Activator:
    """One of ours."""

    acknowledged: int = -1
    """Version of the path that it uses."""
    sender: str = ""


class Intake:
    """Serves activators, all of one autoscaler."""

    def __init__(
        self,
        on_stat: OnStat,
        on_report: OnReport,
        on_gone: OnGone = lambda _sender: None,
        pages: Pages = lambda _path: None,
    ) -> None:
        self._on_stat = on_stat
        self._on_report = on_report
        self._on_gone = on_gone
        self._pages = pages
        self._ours: dict[ServerConnection, _Activator] = {}
        self._path = Path(version=0)
        self._since: dict[str, int] = {}
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
            process_request=self._answer_page,
            max_size=FRAME_BYTES_MAX,
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
        if revisions == self._since.keys():
            return
        version = self._path.version + 1
        self._since = {revision: self._since.get(revision, version) for revision in revisions}
        self._path = Path(version=version, revisions=tuple(sorted(revisions)))
        self._broadcast("path", self._path)

    def is_in_path(self, revision: str) -> bool:
        """Every activator has acknowledged that it answers for the revision, and there is one."""
        since = self._since.get(revision)
        return (
            since is not None
            and bool(self._ours)
            and all(activator.acknowledged >= since for activator in self._ours.values())
        )

    async def _serve(self, connection: ServerConnection) -> None:
        if connection.subprotocol == SUBPROTOCOL:
            self._ours[connection] = _Activator()
            self.moved.set()
        try:
            if connection in self._ours:
                await connection.send(encode("path", self._path))
            async for frame in connection:
                try:
                    self._heard(connection, frame)
                except (DocumentError, ValueError, RecursionError) as error:
                    log.warning("a frame of %s is left out: %s", connection.remote_address, error)
        except ConnectionClosed:
            pass
        finally:
            self._left(connection)

    def _left(self, connection: ServerConnection) -> None:
        activator = self._ours.pop(connection, None)
        if activator is None:
            return
        # The same activator may be back on another connection before this one is seen to be dead.
        if activator.sender and all(other.sender != activator.sender for other in self._ours.values()):
            self._on_gone(activator.sender)
        self.moved.set()

    def _heard(self, connection: ServerConnection, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            for namespace, name, stat in decode_batch(frame):
                self._on_stat(f"{namespace}/{name}", stat)
            return
        activator = self._ours.get(connection)
        if activator is None:
            return
        name, content = read_message(json.loads(frame))
        if isinstance(content, Report):
            activator.sender = content.sender
            self._on_report(content)
        elif isinstance(content, Path) and name == "in_path":
            activator.acknowledged = content.version
            self.moved.set()

    def _broadcast(self, name: str, content: Record) -> None:
        for connection in self._ours:
            if connection.transport.get_write_buffer_size() > WAITING_MAX:
                connection.transport.abort()
        broadcast(self._ours, encode(name, content))

    def _answer_page(self, connection: ServerConnection, request: Request) -> Response | None:
        """Who asks for no WebSocket: a kubelet that probes, or somebody who reads a page."""
        if request.headers.get("User-Agent", "").startswith(KUBELET):
            return connection.respond(HTTPStatus.OK, "")
        if "Upgrade" in request.headers:
            return None
        text = self._pages(request.path.partition("?")[0])
        if text is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "nothing is known of this\n")
        answer = connection.respond(HTTPStatus.OK, text)
        del answer.headers["Content-Type"]
        answer.headers["Content-Type"] = "application/json"
        return answer


def encode(name: str, content: Record) -> str:
    """One text frame."""
    return json.dumps({name: document(content)}, separators=(",", ":"))


def _chosen(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Ours where it is asked for; upstream's activators ask for none."""
    return Subprotocol(SUBPROTOCOL) if SUBPROTOCOL in offered else None
