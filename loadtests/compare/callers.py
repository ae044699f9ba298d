"""Callers: plain sockets that ask, wait, or hold a connection open."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator

from loadtests.compare.load import LoadError


def raise_file_limit() -> None:
    """Lets this process, and what it starts, open as many files as the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def ask(connection: socket.socket, path: str) -> None:
    """Sends a GET for `path` without waiting for the answer."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench.local\r\n\r\n".encode())


def read_answer(connection: socket.socket) -> bytes:
    """Reads one answer with Content-Length to its last byte; returns it whole.

    Raises  LoadError when it is not a 200, or the connection ends early.
    """
    answer = b""
    while True:
        head, sign, body = answer.partition(b"\r\n\r\n")
        if sign:
            if b" 200 " not in head[:16]:
                raise LoadError(f"answered with {head.splitlines()[0].decode(errors='replace')}")
            length = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
            if length and len(body) >= int(length[0]):
                return answer
        more = connection.recv(65536)
        if not more:
            raise LoadError(f"the connection ended after {len(answer)} bytes of an answer")
        answer += more


def get(address: str, port: int, path: str = "/") -> bytes:
    """One GET on a connection of its own; the whole answer."""
    with socket.create_connection((address, port), 10) as connection:
        ask(connection, path)
        return read_answer(connection)


@contextlib.contextmanager
def connected(address: str, port: int, count: int) -> Iterator[list[socket.socket]]:
    """`count` open connections, closed at the end of the block."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection((address, port), 10)) for _ in range(count)]
