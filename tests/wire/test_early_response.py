"""Early answers: the app answers before the request has ended; and full duplex."""

from __future__ import annotations

import contextlib

import pytest

from tests.origin import Call
from tests.proxyfixture import request_bytes

TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n"


def test_early_answer_reaches_a_caller_that_still_sends(proxy, app):
    caller = proxy().saying(request_bytes("POST /", "Content-Length: 10000000") + b"x" * 1000)
    up = app.asked()
    up.send(TOO_LARGE)
    up.close()
    answer = caller.answer()
    assert (answer.status, answer.body) == (413, b"no\n")


def test_early_answer_outlives_an_unread_upload(proxy, app):
    """A close over unread bytes would make the kernel send a reset, which may destroy the answer."""
    p = proxy()
    caller = p.saying(request_bytes("POST /", "Content-Length: 4000000"))
    up = app.asked()
    up.send(TOO_LARGE)
    up.close()
    p.until(load=0)
    sent = 0
    caller.sock.settimeout(5)
    with contextlib.suppress(OSError):  # it may well be refused by now
        while sent < 4_000_000:
            sent += caller.sock.send(b"x" * 65536)
    assert caller.head().status == 413
    assert caller.read(3) == b"no\n"


def test_connection_goes_on_after_a_short_rest_was_drained(proxy, app):
    caller = proxy().saying(request_bytes("POST /", "Content-Length: 1000") + b"x" * 100)
    up = app.asked()
    up.send(TOO_LARGE)
    assert caller.answer().status == 413
    caller.send(b"x" * 900 + request_bytes("GET /next"))
    assert app.accept().head().target == b"/next"


@pytest.mark.spec("DP-117")
def test_connection_closes_when_too_much_is_left_unread(proxy, app):
    p = proxy(drain_max=10_000)
    caller = p.saying(request_bytes("POST /", "Content-Length: 1000000") + b"x" * 100)
    up = app.asked()
    up.send(TOO_LARGE)
    assert caller.answer().status == 413
    with contextlib.suppress(OSError):  # closed while we sent
        caller.send(b"x" * 999_900)
    assert caller.ending() in ("fin", "reset")
    p.until(conns=0)


def test_stalled_rest_of_an_upload_ends_the_connection(proxy, app):
    p = proxy(linger_timeout_ns=100_000_000)
    caller = p.saying(request_bytes("POST /", "Content-Length: 1000") + b"x" * 100)
    up = app.asked()
    up.send(TOO_LARGE)
    assert caller.answer().status == 413
    assert caller.rest() == b""
    p.until(conns=0)


@pytest.mark.spec("DP-118")
def test_app_that_echoes_while_it_reads_streams(proxy, origin):
    def echo(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while data := call.line.chunk():
            call.send(b"%x\r\n" % len(data) + data + b"\r\n")
        call.line.until(b"\r\n")
        call.finish(b"0\r\n\r\n")

    origin.runs("/echo", echo)
    caller = proxy().saying(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert caller.head().status == 200
    for i in range(20):
        word = b"word %d" % i
        caller.send(b"%x\r\n" % len(word) + word + b"\r\n")
        assert caller.chunk() == word
    caller.send(b"0\r\n\r\n")
    assert caller.chunks() == (b"", [])
    caller.send(request_bytes("GET /next"))
    assert caller.answer().body == b"hello"


def test_answer_that_ends_first_does_not_reuse_the_apps_connection(proxy, app):
    """The app still waits for the rest of the upload: the next request must not be taken for it."""
    caller = proxy().saying(request_bytes("POST /", "Content-Length: 1000") + b"x" * 100)
    up = app.asked()
    assert up.read(100) == b"x" * 100
    up.send(TOO_LARGE)
    assert caller.answer().status == 413
    assert up.rest() == b""


def test_app_that_stops_reading_but_answers_is_heard(proxy, app):
    """A failed write upstream is no fault as long as an answer is there."""
    caller = proxy().saying(request_bytes("POST /", "Content-Length: 3000000"))
    up = app.asked()
    up.send(TOO_LARGE)
    up.reset()
    status = caller.head().status
    assert status in (413, 502)
