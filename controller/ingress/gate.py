"""Gate: one WebSocket to each gateway: changes down, acknowledgements up (contract.routes).

A change is live when every gateway that is connected has acknowledged it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from dataplane.contract.document import document
from dataplane.contract.routes import SUBPROTOCOL, Delta

from .state import GateState

log = logging.getLogger("penstock.gate")


@dataclass(eq=False)
class _Gateway:
    """One connection."""

    name: str
    known: int
    """The last version that was sent."""
    applied: int
    """The last one that it uses."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Gate:
    """Serves the routes to gateways."""

    def __init__(self, state: GateState) -> None:
        self.state = state
        self._gateways: set[_Gateway] = set()
        self._acknowledged = asyncio.Condition()
        self.moved = asyncio.Event()
        """Set when a gateway comes, goes, or acknowledges; whoever waits for it clears it."""

    async def run(self, host: str, port: int, bound: asyncio.Future[int] | None = None) -> None:
        """Listens until cancelled; `bound` gets the port."""
        async with serve(self._serve, host, port, subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None) as server:
            if bound is not None:
                bound.set_result(next(iter(server.sockets)).getsockname()[1])
            await asyncio.Event().wait()

    def publish(self) -> None:
        """Tells all gateways of what has changed in the state."""
        for gateway in self._gateways:
            gateway.wake.set()

    async def applied(self, version: int) -> None:
        """Returns once at least one gateway is there, and all that are use that version."""
        async with self._acknowledged:
            await self._acknowledged.wait_for(lambda: self.is_applied(version))

    def is_applied(self, version: int) -> bool:
        """Every gateway uses that version, and there is one."""
        return bool(self._gateways) and all(gateway.applied >= version for gateway in self._gateways)

    @property
    def count(self) -> int:
        """Gateways that are connected."""
        return len(self._gateways)

    async def _serve(self, connection: ServerConnection) -> None:
        try:
            hello = json.loads(await connection.recv())["hello"]
            gateway = _Gateway(str(hello["gateway"]), int(hello["version"]), int(hello["version"]))
        except (ConnectionClosed, KeyError, TypeError, ValueError):
            await connection.close(1002, "a gateway says hello first")
            return
        self._gateways.add(gateway)
        log.info("gateway %s connected with version %d", gateway.name, gateway.known)
        gateway.wake.set()
        await self._notify()
        sender = asyncio.create_task(self._send(connection, gateway))
        try:
            async for text in connection:
                await self._heard(gateway, json.loads(text))
        except (ConnectionClosed, ValueError) as error:
            log.info("gateway %s: %s", gateway.name, error)
        finally:
            sender.cancel()
            self._gateways.discard(gateway)
            await self._notify()

    async def _send(self, connection: ServerConnection, gateway: _Gateway) -> None:
        while True:
            await gateway.wake.wait()
            gateway.wake.clear()
            for delta in self.state.since(gateway.known):
                await connection.send(encode(delta))
                gateway.known = delta.version

    async def _heard(self, gateway: _Gateway, message: dict[str, Any]) -> None:
        if "applied" in message:
            gateway.applied = max(gateway.applied, int(message["applied"]["version"]))
            await self._notify()
        elif "hello" in message:
            gateway.known = int(message["hello"]["version"])
            gateway.wake.set()
        elif "refused" in message:
            problems = "; ".join(message["refused"]["problems"])
            log.error("gateway %s refuses version %s: %s", gateway.name, message["refused"]["version"], problems)

    async def _notify(self) -> None:
        self.moved.set()
        async with self._acknowledged:
            self._acknowledged.notify_all()


def encode(delta: Delta) -> str:
    """One frame: the same bytes for the same content, in whatever order it came together."""
    return json.dumps({"delta": document(delta)}, separators=(",", ":"), sort_keys=True)
