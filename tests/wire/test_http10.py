"""HTTP/1.0 callers: no chunks, no interim answers, bodies that end with the connection."""

from __future__ import annotations


def test_chunked_answer_ends_with_the_connection(proxy, app):
    caller = proxy().saying(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    up = app.accept()
    assert up.head().line == b"GET / HTTP/1.1"
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
    head = caller.head()
    assert head.line == b"HTTP/1.0 200 OK"
    assert head.get("Transfer-Encoding") is None
    assert head.get("Connection") == b"close"
    assert caller.rest() == b"body"


def test_connection_ends_after_an_answer_unless_asked(proxy, origin):
    caller = proxy().saying(b"GET / HTTP/1.0\r\n\r\n")
    assert caller.answer().body == b"hello"
    assert caller.rest() == b""


def test_connection_is_kept_when_asked_and_the_length_is_known(proxy, origin):
    caller = proxy().connect()
    for _ in range(2):
        caller.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = caller.answer()
        assert answer.head.line == b"HTTP/1.0 200 OK"
        assert answer.head.get("Connection") == b"keep-alive"
        assert answer.body == b"hello"


def test_upgrade_is_not_passed_on(proxy, app):
    proxy().saying(b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    head = app.accept().head()
    assert head.get("Upgrade") is None
    assert head.get("Connection") is None


def test_fault_is_answered_in_its_version(proxy, app):
    app.listener.close()
    caller = proxy().saying(b"GET / HTTP/1.0\r\n\r\n")
    assert caller.answer().head.line == b"HTTP/1.0 502 Bad Gateway"
    assert caller.rest() == b""
