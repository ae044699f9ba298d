"""Streaming: server-sent events, each of which must come when it was sent."""

from __future__ import annotations

from urllib.parse import urlsplit

from gevent import socket  # type: ignore[import-untyped]
from locust import User, between, task

from loadtests.users.timed import timed

EVENTS = 20


class StreamUser(User):
    """Reads twenty events that the app sends 20 ms apart."""

    wait_time = between(0.1, 0.5)

    @task
    def events(self) -> None:
        """One stream; a proxy that buffers makes the first event late, which shows as a slow first event."""
        target = urlsplit(self.host)
        request = f"GET /events/{EVENTS} HTTP/1.1\r\nHost: load.local\r\nConnection: close\r\n\r\n".encode()
        with socket.create_connection((target.hostname, target.port), 30) as connection:
            with timed(self.environment, "SSE", "first event"):
                connection.sendall(request)
                seen = _read_until(connection, b"", b"data: 0\n\n")
            with timed(self.environment, "SSE", f"{EVENTS} events") as outcome:
                seen = _read_until(connection, seen, f"data: {EVENTS - 1}\n\n".encode())
                outcome.length_bytes = len(seen)


def _read_until(connection: socket.socket, seen: bytes, end: bytes) -> bytes:
    while end not in seen:
        more = connection.recv(16384)
        if not more:
            raise ConnectionError(f"the stream ended before {end!r}")
        seen += more
    return seen
