"""Pipelining: requests that do not wait for answers get them in their order."""

from __future__ import annotations

from tests.origin import Call
from tests.proxyfixture import request_bytes


def test_answers_come_in_the_order_of_the_requests(proxy, app):
    p = proxy()
    caller = p.saying(request_bytes("GET /1") + request_bytes("POST /2", body=b"two") + request_bytes("GET /3"))
    up = app.accept()
    for path, body in ((b"/1", b""), (b"/2", b"two"), (b"/3", b"")):
        head, got = up.request()
        assert (head.target, got) == (path, body)
        assert up.is_silent()
        up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + path)
    assert [caller.answer().body for _ in range(3)] == [b"/1", b"/2", b"/3"]


def test_a_thousand_pipelined_requests_are_all_answered(proxy, origin):
    def script(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")

    origin.runs("/many", script)
    p = proxy()
    caller = p.saying(request_bytes("GET /many") * 1000)
    assert [caller.answer().body for _ in range(1000)] == [b"yes"] * 1000
    assert p.snapshot()["upstream_conns_opened"] == 1


def test_bytes_behind_a_chunked_body_are_the_next_request(proxy, app):
    p = proxy()
    caller = p.connect()
    chunked = b"POST /1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    caller.send(chunked + request_bytes("GET /2"))
    up = app.accept()
    assert up.request()[1] == b"abc"
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert up.head().target == b"/2"
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert [caller.answer().status for _ in range(2)] == [200, 200]


def test_request_behind_a_refused_one_is_not_read(proxy, origin):
    caller = proxy().saying(b"GET / HTTP/1.1\r\nBad Name: x\r\nHost: a\r\n\r\n" + request_bytes("GET /never"))
    assert caller.answer().status == 400
    assert caller.rest() == b""
    assert origin.heads == []


def test_empty_lines_before_a_request_are_skipped(proxy, origin):
    """Old clients send one behind a body (RFC 9112 2.2)."""
    caller = proxy().saying(request_bytes("GET /one") + b"\r\n" + request_bytes("GET /two"))
    assert [caller.answer().body for _ in range(2)] == [b"hello", b"hello"]
