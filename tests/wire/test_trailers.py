"""Trailers: both ways, announced or not."""

from __future__ import annotations

import pytest

from tests.proxyfixture import request_bytes


@pytest.mark.spec("DP-075")
@pytest.mark.parametrize("body", [b"", b"4\r\nbody\r\n"], ids=["no body", "body"])
def test_trailers_of_an_answer_reach_the_caller(proxy, app, body):
    caller = proxy().saying(request_bytes("GET /", "TE: trailers"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body + b"0\r\nX-Sum: 1\r\nx-two: 2\r\n\r\n")
    answer = caller.answer()
    assert answer.trailers == [(b"X-Sum", b"1"), (b"x-two", b"2")]
    caller.send(request_bytes("GET /next"))
    assert up.head().target == b"/next"


def test_trailers_of_a_request_reach_the_app(proxy, app):
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX-Sum: 9\r\n\r\n"
    proxy().saying(data)
    up = app.asked()
    assert up.chunks() == (b"ab", [(b"X-Sum", b"9")])


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host"])
def test_trailer_that_frames_or_routes_is_refused(proxy, app, name):
    caller = proxy().saying(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
    up = app.asked()
    caller.send(b"0\r\n%s: 1\r\n\r\n" % name.encode())
    assert caller.answer().status == 400
    assert caller.rest() == b""
    assert up.rest().endswith(b"ab\r\n")


@pytest.mark.parametrize("name", ["Connection", "Authorization", "Keep-Alive"])
def test_trailer_that_means_nothing_behind_a_body_is_left_out(proxy, app, name):
    sent = proxy().send("GET /")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s: a\r\nX-B: b\r\n\r\n" % name.encode())
    assert sent.line.answer().trailers == [(b"X-B", b"b")]


def test_trailers_are_dropped_for_http_1_0(proxy, app):
    caller = proxy().saying(b"GET / HTTP/1.0\r\n\r\n")
    up = app.asked()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
    up.send(head + b"4\r\nbody\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert caller.head().get("Trailer") is None
    assert caller.rest() == b"body"


def test_endless_trailers_are_bounded(proxy, app):
    p = proxy(head_max=4096)
    caller = p.saying(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
    up = app.asked()
    caller.send(b"X-Long: " + b"y" * 5000)
    assert caller.head().status == 431
    assert up.ending() in ("fin", "reset")


def test_endless_trailers_of_an_answer_are_bounded(proxy, app):
    p = proxy(response_head_max=4096)
    sent = p.send("GET /")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Long: " + b"y" * 5000)
    assert sent.head().status == 200
    assert sent.line.rest() == b""
    assert p.snapshot()["faults"] == {"response_trailer_too_large": 1}
