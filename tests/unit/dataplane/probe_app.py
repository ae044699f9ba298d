"""probe_app: apps to be probed, each a real server on a port of its own on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc
import h2.config
import h2.connection
import h2.events
import h2.exceptions
from grpc_health.v1 import health, health_pb2_grpc

WAIT_S = 20


class Call:
    """A health request, as the engine hands it over."""

    def __init__(self) -> None:
        self.said: tuple[int, bytes, bytes] | None = None
        self.done = threading.Event()

    def answer(self, status: int, fields: bytes, body: bytes) -> None:
        assert self.said is None
        self.said = (status, fields, body)
        self.done.set()

    def status(self) -> int:
        assert self.done.wait(WAIT_S), "the call was never answered"
        assert self.said is not None
        return self.said[0]


class App:
    """Accepts connections; `serve` is given each of them, and what it appends to `seen` is kept."""

    def __init__(self, serve: Callable[[App, socket.socket], None], context: ssl.SSLContext | None = None) -> None:
        self.seen: list[dict[str, str]] = []
        self.seen_one = threading.Event()
        self.connections = 0
        self._serve = serve
        self._context = context
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._door.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._handle, args=(sock,))
            self._threads.append(thread)
            thread.start()

    def _handle(self, sock: socket.socket) -> None:
        sock.settimeout(WAIT_S)
        with contextlib.suppress(OSError):
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            with sock:
                self._serve(self, sock)

    def saw(self, request: dict[str, str]) -> None:
        self.seen.append(request)
        self.seen_one.set()

    def close(self) -> None:
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()


@contextlib.contextmanager
def app(serve: Callable[[App, socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[App]:
    running = App(serve, context)
    try:
        yield running
    finally:
        running.close()


def read_head(sock: socket.socket) -> bytes:
    """Up to the empty line, or to what there was before the connection ended."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = sock.recv(65536)
        if not more:
            break
        head += more
    return head


def http1(*answers: bytes) -> Callable[[App, socket.socket], None]:
    """Speaks HTTP/1.1 only: the nth request gets the nth answer, further ones the last."""

    def serve(app: App, sock: socket.socket) -> None:
        head = read_head(sock).decode("latin-1")
        lines = head.split("\r\n")
        if not lines[0].endswith(" HTTP/1.1"):
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            return
        request = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        request["line"] = lines[0]
        app.saw(request)
        sock.sendall(answers[min(len(app.seen), len(answers)) - 1])
        # Until the prober has closed: what it left unread would be seen as a reset.
        sock.recv(1)

    return serve


def said(status: int, body: bytes = b"", *fields: str) -> bytes:
    """An answer with a length."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *fields]
    return "".join(line + "\r\n" for line in (*lines, "")).encode() + body


def h2c(*answers: tuple[int, bytes, dict[str, str]]) -> Callable[[App, socket.socket], None]:
    """Speaks HTTP/2 only, by prior knowledge."""

    def serve(app: App, sock: socket.socket) -> None:
        conn = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        conn.initiate_connection()
        sock.sendall(conn.data_to_send())
        while True:
            read = sock.recv(65536)
            if not read:
                return
            try:
                events = conn.receive_data(read)
            except h2.exceptions.ProtocolError:
                return
            for event in events:
                if isinstance(event, h2.events.RequestReceived):
                    app.saw(dict(event.headers))
                    status, body, fields = answers[min(len(app.seen), len(answers)) - 1]
                    conn.send_headers(event.stream_id, [(":status", str(status)), *fields.items()])
                    conn.send_data(event.stream_id, body, end_stream=True)
            sock.sendall(conn.data_to_send())

    return serve


@contextlib.contextmanager
def grpc_app(with_health: bool = True) -> Iterator[tuple[int, health.HealthServicer]]:
    """A real gRPC server, with or without the health service."""
    servicer = health.HealthServicer()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    if with_health:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port, servicer
    finally:
        server.stop(None).wait(WAIT_S)
