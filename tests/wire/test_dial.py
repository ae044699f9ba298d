"""Dialing: attempts that grow, up to the time for all of them (spec 1.11)."""

from __future__ import annotations

import socket
import time

import pytest

from tests.line import Line
from tests.origin import Origin
from tests.proxyfixture import request_bytes


class Deaf(Origin):
    """An app whose queue of connections is full: a SYN gets no answer until it listens."""

    def __init__(self) -> None:
        super().__init__(by_hand=True, backlog=0)
        self.queue = []
        for _ in range(8):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", self.port))
            self.queue.append(sock)

    def listens(self) -> None:
        """Those in the queue leave it."""
        for sock in self.queue:
            sock.close()

    def accept_first_with_bytes(self) -> Line:
        while True:
            line = self.accept()
            if line.sock.recv(1, socket.MSG_PEEK):
                return line


@pytest.fixture
def app():
    with Deaf() as deaf:
        yield deaf
        deaf.listens()


def test_app_that_never_answers_a_syn_is_given_up(proxy, app):
    p = proxy(connect_timeout_ns=400_000_000, running_max=1)
    began = time.monotonic()
    answer = p.get("/")
    took = time.monotonic() - began
    assert answer.status == 502
    assert answer.body.startswith(b"timed out dialing 127.0.0.1:%d after 0." % app.port)
    assert answer.body.endswith(b"s\n")
    assert b"error=connection_timeout" in answer.head.get("Proxy-Status")
    assert took >= 0.4
    assert p.until(running=0)["faults"] == {"connect_timed_out": 1}


def test_missed_syn_is_sent_again_soon(proxy, app):
    p = proxy()
    sent = p.send("POST /", body=b"once")
    p.until(upstream_conns_opened=1)
    app.listens()
    up = app.accept_first_with_bytes()
    assert up.request()[1] == b"once"
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert sent.answer().status == 200


@pytest.mark.parametrize("way", ["close", "reset"])
def test_caller_that_leaves_ends_the_dialing(proxy, app, way):
    p = proxy(running_max=1)
    caller = p.saying(request_bytes("GET /"))
    p.until(load=1)
    getattr(caller, way)()
    p.until(load=0, running=0, conns=0, upstream_conns_closed=1)


def test_request_that_takes_too_long_ends_the_dialing(proxy, app):
    p = proxy(request_s=0.2)
    assert p.get("/").status == 504
    p.until(load=0, upstream_conns_closed=1)


def test_stop_ends_the_dialing(proxy, app):
    p = proxy()
    sent = p.send("GET /")
    p.until(load=1)
    p.engine.stop()
    assert sent.answer().status == 503
