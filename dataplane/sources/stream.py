"""Stream: routes pushed by the controller, acknowledged once they are used; the last state kept in a file.

A gateway that starts without its controller serves what the file says. One
that loses it goes on with what it has, and says hello again until somebody
answers.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path as File
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from dataplane.contract.document import DocumentError
from dataplane.contract.routes import SUBPROTOCOL, Delta, read_delta

from .state import RouteState, read_kept

PAUSE_MIN_S, PAUSE_MAX_S = 0.05, 3.0
"""Between two tries to reach the controller; doubled each time, less a random half."""

SETTLED_S = 0.2
"""A controller that has sent nothing for so long after a hello has nothing newer to say."""

SAVE_S = 1.0
"""After a change, before the file is written: a storm of changes is one write."""

Use = Callable[[Delta], Awaitable[list[str]]]
"""Makes every worker use a delta, and returns when they do: what is wrong with hosts that it left out."""

Tell = Callable[[str], None]
"""One line for the log."""


class RouteStream:
    """Keeps the engine at what the controller says."""

    def __init__(self, address: str, gateway: str, use: Use, tell: Tell, kept: File | None = None) -> None:
        """
        address  of the controller, as ws://HOST:PORT
        kept     where the last state is written, and read at the start; None: nowhere
        """
        self.state = RouteState()
        self._address = address
        self._gateway = gateway
        self._use = use
        self._tell = tell
        self._kept = kept
        self._saving: asyncio.TimerHandle | None = None
        self.current = asyncio.Event()
        """Once: the controller has said what it had to say."""

    async def restore(self) -> bool:
        """Uses what the file says; False when there is none that can be read."""
        if self._kept is None or not self._kept.exists():
            return False
        try:
            delta = read_kept(json.loads(self._kept.read_text()))
        except (OSError, ValueError) as error:
            self._tell(f"{self._kept} cannot be used, and is left out: {error}")
            return False
        await self._use(delta)
        self.state.take(delta)
        return True

    async def run(self) -> None:
        """Until cancelled."""
        pause_s = PAUSE_MIN_S
        try:
            while True:
                try:
                    async with connect(
                        self._address, subprotocols=[Subprotocol(SUBPROTOCOL)], max_size=None, proxy=None
                    ) as socket:
                        pause_s = PAUSE_MIN_S
                        await self._follow(socket)
                        self._tell("the controller has closed the stream of routes")
                except (OSError, WebSocketException, TimeoutError) as error:
                    if pause_s == PAUSE_MIN_S:
                        self._tell(f"the controller at {self._address} cannot be reached: {error}")
                await asyncio.sleep(pause_s * random.uniform(0.5, 1))
                pause_s = min(pause_s * 2, PAUSE_MAX_S)
        finally:
            self.save()

    def save(self) -> None:
        """Now, if there is anything that the file does not say."""
        if self._saving is not None:
            self._saving.cancel()
            self._save()

    async def _follow(self, socket: ClientConnection) -> None:
        await _say(socket, "hello", {"gateway": self._gateway, "version": self.state.version})
        asyncio.get_running_loop().call_later(SETTLED_S, self.current.set)
        async for text in socket:
            try:
                delta = read_delta(json.loads(text)["delta"])
            except (DocumentError, KeyError, TypeError, ValueError) as error:
                await _say(socket, "refused", {"version": 0, "problems": [str(error)]})
                continue
            if delta.since not in (0, self.state.version):
                await _say(socket, "hello", {"gateway": self._gateway, "version": 0})
                continue
            problems = await self._use(self.state.whole(delta))
            self.state.take(delta)
            self.current.set()
            if problems:
                await _say(socket, "refused", {"version": delta.version, "problems": problems})
            await _say(socket, "applied", {"version": delta.version})
            self._save_soon()

    def _save_soon(self) -> None:
        if self._kept is not None and self._saving is None:
            self._saving = asyncio.get_running_loop().call_later(SAVE_S, self._save)

    def _save(self) -> None:
        """Whole or not at all: a new file takes the place of the old one."""
        self._saving = None
        if self._kept is None:
            return
        fresh = self._kept.with_suffix(f".{os.getpid()}")
        try:
            self._kept.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w") as file:
                json.dump(self.state.document(), file, separators=(",", ":"))
            fresh.replace(self._kept)
        except OSError as error:
            self._tell(f"{self._kept} cannot be written: {error.strerror}; the routes are served all the same")


async def _say(socket: ClientConnection, name: str, content: dict[str, Any]) -> None:
    await socket.send(json.dumps({name: content}, separators=(",", ":")))
