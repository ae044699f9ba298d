"""Slow: callers that write and read a little at a time."""

from __future__ import annotations

from urllib.parse import urlsplit

import gevent  # type: ignore[import-untyped]
from gevent import socket
from locust import User, between, task

from loadtests.users.timed import timed

MIB = 1 << 20
PAUSE_S = 0.05


class SlowUser(User):
    """Trickles a head, trickles a body, or drains a large answer slowly."""

    wait_time = between(0.1, 0.5)

    def _connect(self) -> socket.socket:
        target = urlsplit(self.host)
        return socket.create_connection((target.hostname, target.port), 30)

    @task
    def trickle_head(self) -> None:
        """A head in pieces of eight bytes."""
        request = b"GET / HTTP/1.1\r\nHost: load.local\r\nConnection: close\r\n\r\n"
        with timed(self.environment, "SLOW", "head in pieces") as outcome, self._connect() as connection:
            for at in range(0, len(request), 8):
                connection.sendall(request[at : at + 8])
                gevent.sleep(PAUSE_S)
            outcome.length_bytes = _read_all(connection, 0)

    @task
    def trickle_body(self) -> None:
        """A body of 4 KiB in pieces of 256 bytes."""
        head = b"POST /upload HTTP/1.1\r\nHost: load.local\r\nConnection: close\r\nContent-Length: 4096\r\n\r\n"
        with timed(self.environment, "SLOW", "body in pieces") as outcome, self._connect() as connection:
            connection.sendall(head)
            for _ in range(16):
                connection.sendall(b"x" * 256)
                gevent.sleep(PAUSE_S)
            outcome.length_bytes = _read_all(connection, 0)

    @task
    def sip(self) -> None:
        """1 MiB read in sips, so that the proxy has to hold the app back."""
        with timed(self.environment, "SLOW", "1 MiB in sips") as outcome, self._connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: load.local\r\nConnection: close\r\n\r\n")
            outcome.length_bytes = _read_all(connection, 0.005)
            if outcome.length_bytes < MIB:
                raise ConnectionError(f"{outcome.length_bytes} bytes came")


def _read_all(connection: socket.socket, pause_s: float) -> int:
    """Reads to the end. Returns the bytes read; raises ConnectionError unless it is a 200."""
    seen = connection.recv(16384)
    if not seen.startswith(b"HTTP/1.1 200"):
        raise ConnectionError(f"answered with {seen[:40]!r}")
    length = len(seen)
    while more := connection.recv(16384):
        length += len(more)
        if pause_s:
            gevent.sleep(pause_s)
    return length
