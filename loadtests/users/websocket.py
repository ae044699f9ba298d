"""WebSocket: connections that stay and echo messages of several sizes."""

from __future__ import annotations

from typing import Any

import websocket
from locust import User, between, task

from loadtests.users.timed import timed

SIZES_BYTES = (16, 1024, 65536)


class WebSocketUser(User):
    """Keeps one socket open; every message must come back unchanged."""

    wait_time = between(0.01, 0.1)
    socket: Any = None

    def on_start(self) -> None:
        """Opens the socket; a failure is counted and tried again by the first message."""
        self._connect()

    def _connect(self) -> None:
        with timed(self.environment, "WS", "connect"):
            address = str(self.host).replace("http://", "ws://", 1) + "/socket"
            self.socket = websocket.create_connection(address, timeout=30)

    @task
    def echo(self) -> None:
        """One message of each size, there and back."""
        if self.socket is None:
            self._connect()
            return
        for size in SIZES_BYTES:
            with timed(self.environment, "WS", f"echo {size} bytes") as outcome:
                try:
                    self.socket.send_binary(b"x" * size)
                    seen = self.socket.recv()
                except Exception:
                    self.socket = None
                    raise
                outcome.length_bytes = len(seen)
                if len(seen) != size:
                    raise ConnectionError(f"{len(seen)} of {size} bytes came back")
            if self.socket is None:
                return

    def on_stop(self) -> None:
        """Closes with a close frame."""
        if self.socket is not None:
            self.socket.close()
