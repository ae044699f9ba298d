"""Framing: how bodies begin and end, in both directions, in pieces of any size."""

from __future__ import annotations

import pytest

from tests.origin import Call
from tests.proxyfixture import request_bytes

HEAD_200 = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def test_body_with_a_length_reaches_the_app_whole(proxy, app):
    sent = proxy().send("POST /up", body=b"x" * 300_000)
    head, body = app.accept().request()
    assert head.get("Content-Length") == b"300000"
    assert body == b"x" * 300_000
    sent.leave()


def test_length_of_zero_is_kept(proxy, app):
    p = proxy()
    p.send("POST /none", "Content-Length: 0")
    assert app.accept().head().get("Content-Length") == b"0"


@pytest.mark.spec("DP-072")
def test_first_chunk_reaches_the_app_before_the_last_is_sent(proxy, app):
    p = proxy()
    caller = p.saying(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
    up = app.accept()
    assert up.head().get("Transfer-Encoding") == b"chunked"
    assert up.chunk() == b"first"
    caller.send(b"4\r\nlast\r\n0\r\n\r\n")
    assert up.chunks() == (b"last", [])
    up.send(HEAD_200 + b"hello")
    assert caller.answer().body == b"hello"


@pytest.mark.spec("DP-073")
def test_answer_without_length_is_delivered_as_it_is_made(proxy, app):
    caller = proxy().saying(request_bytes("GET /"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
    assert caller.head().get("Transfer-Encoding") == b"chunked"
    assert caller.chunk() == b"one"
    up.send(b"3\r\ntwo\r\n")
    assert caller.chunk() == b"two"
    up.send(b"0\r\n\r\n")
    assert caller.chunks() == (b"", [])


@pytest.mark.spec("DP-074")
def test_events_of_a_stream_pass_one_by_one(proxy, app):
    caller = proxy().saying(request_bytes("GET /events"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    caller.head()
    up.send(b"data: 1\n\n")
    assert caller.chunk() == b"data: 1\n\n"
    up.send(b"data: 2\n\n")
    assert caller.chunk() == b"data: 2\n\n"
    up.close()
    assert caller.chunks() == (b"", [])


def test_answer_that_ends_with_its_connection_becomes_chunked(proxy, app):
    caller = proxy().saying(request_bytes("GET /"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    up.close()
    answer = caller.answer()
    assert answer.body == b"until the end"
    caller.send(request_bytes("GET /again"))
    assert app.accept().head().target == b"/again"


@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_answer_in_small_pieces_is_whole(proxy, app, size):
    """Heads and bodies that come split at any byte are kept until they are complete."""
    p = proxy()
    caller = p.saying(request_bytes("GET /"))
    up = app.asked()
    data = b"HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 11\r\n\r\nhello world"
    for i in range(0, len(data), size):
        up.send(data[i : i + size])
        p.snapshot()
    answer = caller.answer()
    assert answer.body == b"hello world"
    assert answer.head.get("X-One") == b"1"


@pytest.mark.parametrize("size", [1, 3, 50])
def test_request_in_small_pieces_is_whole(proxy, app, size):
    p = proxy()
    caller = p.connect()
    data = request_bytes("POST /pieces", "X-Two: 2", body=b"some body of ours")
    for i in range(0, len(data), size):
        caller.send(data[i : i + size])
    head, body = app.accept().request()
    assert head.target == b"/pieces"
    assert head.get("X-Two") == b"2"
    assert body == b"some body of ours"


def test_many_small_chunks_at_once_arrive_whole(proxy, origin):
    """More than a queue's mark in pieces that are all gathered must not leave the answer paused."""
    chunk = b"400\r\n" + b"y" * 1024 + b"\r\n"

    def script(call: Call) -> None:
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 400 + b"0\r\n\r\n")

    origin.runs("/chunks", script)
    assert proxy().get("/chunks").body == b"y" * 1024 * 400


def test_many_small_chunks_of_a_request_arrive_whole(proxy, app):
    p = proxy()
    caller = p.connect()
    chunk = b"200\r\n" + b"z" * 512 + b"\r\n"
    caller.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 1000 + b"0\r\n\r\n")
    _, body = app.accept().request()
    assert body == b"z" * 512 * 1000


@pytest.mark.parametrize("mib", [1, 8])
def test_large_answer_arrives_whole(proxy, origin, mib):
    body = bytes(range(256)) * 4096 * mib
    origin.answers("/large", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert proxy().get("/large").body == body


@pytest.mark.spec("DP-077")
@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "e"\r\n\r\n'),
    ],
    ids=["head with length", "head of a chunked one", "204", "304"],
)
def test_answer_without_a_body_leaves_the_connection_usable(proxy, app, method, answer):
    caller = proxy().saying(request_bytes(f"{method} /first"))
    up = app.asked()
    up.send(answer)
    first = caller.head()
    assert first.line == answer.split(b"\r\n")[0]
    caller.send(request_bytes("GET /second"))
    assert up.head().target == b"/second"
    up.send(HEAD_200 + b"hello")
    assert caller.answer().body == b"hello"


def test_length_of_a_head_answer_is_passed_on(proxy, app):
    sent = proxy().send("HEAD /")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
    assert sent.head().get("Content-Length") == b"1234"


def test_bytes_behind_an_answer_end_the_apps_connection(proxy, app):
    """What they mean is anybody's guess; the next answer must not begin with them."""
    caller = proxy().saying(request_bytes("GET /first"))
    up = app.asked()
    up.send(HEAD_200 + b"hello" + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
    assert caller.answer().body == b"hello"
    caller.send(request_bytes("GET /second"))
    second = app.accept()
    assert second.head().target == b"/second"
    second.send(HEAD_200 + b"right")
    assert caller.answer().body == b"right"


def test_head_kept_from_pieces_is_not_read_as_the_next_answer(proxy, app):
    """A head in two pieces is kept; an answer that ends with its head must leave nothing of it behind."""
    p = proxy()
    caller = p.saying(request_bytes("GET /first"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nX-First: 1\r\n")
    p.until(upstream_conns_opened=1)
    up.send(b"Content-Length: 0\r\n\r\n")
    assert caller.answer().head.get("X-First") == b"1"
    caller.send(request_bytes("GET /second"))
    assert up.head().target == b"/second"
    up.send(HEAD_200 + b"hello")
    assert caller.answer().body == b"hello"
