"""Answers of ours: status, body, Proxy-Status and what becomes of the connection."""

from __future__ import annotations

import pytest

from tests.proxyfixture import request_bytes


def test_head_that_is_too_large_is_431(proxy, origin):
    p = proxy(head_max=4096)
    caller = p.saying(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 8000 + b"\r\n\r\n")
    answer = caller.answer()
    assert answer.status == 431
    assert answer.head.get("Connection") == b"close"
    assert caller.ending() in ("fin", "reset")
    assert origin.heads == []
    assert p.snapshot()["bounds_hit"] == {"head_bytes": 1}


def test_head_that_never_ends_is_431_at_its_bound(proxy, origin):
    caller = proxy(head_max=65536).connect()
    caller.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 70_000)
    assert caller.answer().status == 431


def test_too_many_fields_are_431(proxy, origin):
    caller = proxy(fields_max=50).connect()
    caller.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 50 + b"\r\n")
    assert caller.answer().status == 431


def test_head_of_nearly_a_mebibyte_passes(proxy, app):
    sent = proxy().send("GET /", "X-Large: " + "h" * 1_000_000)
    up = app.accept()
    assert len(up.head().get("X-Large")) == 1_000_000
    up.send(b"HTTP/1.1 200 OK\r\nX-Large: " + b"r" * 2_000_000 + b"\r\nContent-Length: 0\r\n\r\n")
    assert len(sent.head().get("X-Large")) == 2_000_000


def test_head_of_an_answer_that_is_too_large_is_502(proxy, app):
    sent = proxy(response_head_max=65536).send("GET /")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000)
    answer = sent.answer()
    assert answer.status == 502
    assert b"error=http_response_header_section_size" in answer.head.get("Proxy-Status")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_status_of_the_app_is_not_ours(proxy, app, status):
    sent = proxy().send("GET /")
    up = app.asked()
    up.send(b"HTTP/1.1 %d Own\r\nContent-Length: 3\r\n\r\nown" % status)
    answer = sent.answer()
    assert (answer.status, answer.body) == (status, b"own")
    assert answer.head.get("Proxy-Status") is None


def test_answer_of_ours_to_head_has_no_body(proxy, app):
    app.listener.close()
    caller = proxy().saying(request_bytes("HEAD /one") + request_bytes("GET /two"))
    assert int(caller.answer("HEAD").head.get("Content-Length")) > 0
    assert b"connection refused" in caller.answer().body


def test_answer_of_ours_has_a_date(proxy, app):
    app.listener.close()
    assert proxy().get("/").head.get("Date") is not None


@pytest.mark.spec("DP-082")
def test_http_1_goes_to_the_app_as_http_1(proxy, app):
    p = proxy()
    p.send("GET /")
    assert app.accept().head().line == b"GET / HTTP/1.1"


def test_grpc_caller_gets_a_grpc_status(proxy, app):
    app.listener.close()
    answer = proxy().get("/", "Content-Type: application/grpc")
    assert answer.status == 502
    assert answer.head.get("grpc-status") == b"14"
    assert answer.head.get("grpc-message") == b"connection refused"


def test_other_callers_get_no_grpc_status(proxy, app):
    app.listener.close()
    assert proxy().get("/", "Content-Type: text/plain").head.get("grpc-status") is None
