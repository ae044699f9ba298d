"""Socket app: a WebSocket server that echoes, by the websockets library."""

from __future__ import annotations

import threading

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.line import PATIENCE_S

MESSAGE_MAX = 4 << 20


class SocketApp:
    """Echoes; "leave" makes it close with 4001. Remembers how its callers have closed."""

    def __init__(self) -> None:
        self.closes: list[tuple[int | None, str]] = []
        self.headers: dict[str, str] = {}
        self.server: Server = serve(self.talk, "127.0.0.1", 0, max_size=MESSAGE_MAX, compression=None)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def talk(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.headers = dict(socket.request.headers.raw_items())
        try:
            while True:
                message = socket.recv()
                if message == "leave":
                    socket.close(4001, "app leaves")
                socket.send(message)
        except ConnectionClosed:
            self.closes.append((socket.close_code, socket.close_reason or ""))

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join(PATIENCE_S)
