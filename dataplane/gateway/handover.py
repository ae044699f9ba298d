"""Handover: listening sockets that outlive a gateway, and word to whoever keeps them that it leaves.

One side is the process that started the gateway and holds the same sockets. When
that one is gone, its successor asks by a Unix socket, and gets the sockets,
where they lead to, and the same word.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

from dataplane.contract.handover import LEAVING


class Handover:
    """The gateway's side."""

    def __init__(self, sockets: tuple[int, ...], notice_fd: int, path: Path | None, about: dict[str, Any]) -> None:
        """
        sockets    handed to whoever asks at `path`; None: nobody may ask
        notice_fd  a connection to whoever started this; -1: none
        about      what a successor has to know, as JSON
        """
        self._sockets = sockets
        self._path = path
        self._about = json.dumps(about | {"pid": os.getpid()}).encode()
        self._door: socket.socket | None = None
        self._keepers = [socket.socket(fileno=notice_fd)] if notice_fd >= 0 else []

    def begin(self) -> None:
        """Raises  OSError when nobody could ask at the path."""
        if self._path is None or not self._sockets:
            return
        self._path.unlink(missing_ok=True)
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._door.bind(os.fspath(self._path))
        self._path.chmod(0o600)
        self._door.listen()
        asyncio.get_running_loop().add_reader(self._door, self._asked)

    def leave(self) -> None:
        """Tells all who keep the sockets; nobody may ask any more."""
        self._close_door()
        for keeper in self._keepers:
            try:
                keeper.send(LEAVING)
            except OSError:
                continue
            finally:
                keeper.close()
        self._keepers.clear()

    def _asked(self) -> None:
        assert self._door is not None
        try:
            keeper, _ = self._door.accept()
            socket.send_fds(keeper, [self._about], self._sockets)
        except OSError:
            return
        self._keepers.append(keeper)

    def _close_door(self) -> None:
        """The path may be a successor's by now, so it stays."""
        if self._door is not None:
            asyncio.get_running_loop().remove_reader(self._door)
            self._door.close()
            self._door = None
