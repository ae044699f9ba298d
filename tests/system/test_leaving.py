"""Leaving: TERM under load, with streams, uploads and WebSockets open; nothing is cut, and the status is 0."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from websockets.sync.client import connect

from tests.sidecarfixture import Sidecar
from tests.system.socketapp import SocketApp
from tests.system.test_drain import draining, is_closed
from tests.system.tools import GoApp, go_tool
from tests.waiting import until

Make = Callable[..., Sidecar]

QUIET_MS = 1500


@pytest.fixture
def socket_app() -> Iterator[SocketApp]:
    made = SocketApp()
    yield made
    made.close()


@pytest.mark.spec("DP-161", "DP-162", "DP-164", "DP-172")
def test_no_request_and_no_stream_is_cut_over_either_protocol(sidecar: Make, go_app: GoApp) -> None:
    started = sidecar(go_app.port, PENSTOCK_QUIET_MS=QUIET_MS, CONTAINER_CONCURRENCY=50)
    command = [go_tool("gopeer"), "load", started.url("")]
    load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert load.stdout is not None
    try:
        assert load.stdout.readline() == "begun\n"
        draining(started)
        time.sleep(2 * QUIET_MS / 1000)  # nothing is to happen: the load keeps it beyond its quiet time
        assert started.get().body == b"hello"
        said, _ = load.communicate(timeout=60)
    finally:
        load.kill()
        load.wait()
    assert ", 0 failed" in said, said
    assert started.status(patience_s=30) == 0


@pytest.mark.spec("DP-164", "DP-165", "DP-172")
def test_sockets_and_uploads_end_by_themselves(sidecar: Make, socket_app: SocketApp) -> None:
    started = sidecar(socket_app.port, PENSTOCK_QUIET_MS=200)
    url = started.url("/socket", scheme="ws")
    with connect(url, proxy=None) as one, connect(url, proxy=None) as two:
        for each in (one, two):
            each.send("before")
            assert each.recv(10) == "before"
        draining(started)
        until(lambda: is_closed(started, started.port), "the main port closes")
        for each in (one, two):
            each.send("after")
            assert each.recv(10) == "after"
    assert started.status() == 0
    assert [code for code, _ in socket_app.closes] == [1000, 1000]


@pytest.mark.spec("DP-164")
def test_an_upload_that_has_begun_goes_on(sidecar: Make, go_app: GoApp) -> None:
    started = sidecar(go_app.port, PENSTOCK_QUIET_MS=200)
    line = started.connect()
    line.send(b"POST /size HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(1_000_000))
    draining(started)
    until(lambda: is_closed(started, started.port), "the main port closes")
    line.send(bytes(2_000_000))
    assert line.answer().body == b"3000000"
    assert started.status() == 0


def test_idle_connections_do_not_hold_it(sidecar: Make, go_app: GoApp) -> None:
    started = sidecar(go_app.port, PENSTOCK_QUIET_MS=200)
    kept = [started.connect() for _ in range(20)]
    for line in kept[:10]:
        line.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert line.answer().body == b"hello"
    h2 = started.connect()
    h2.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
    began = time.monotonic()
    started.term()
    assert started.status() == 0
    assert time.monotonic() - began < 8
    frames = h2.rest()
    assert any(frames[at : at + 5] == b"\0\0\x08\7\0" for at in range(len(frames))), "no GOAWAY came"
