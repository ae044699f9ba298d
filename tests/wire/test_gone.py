"""Callers that leave: before the head of the answer they are gone, after it the answer goes on (spec 8, H8)."""

from __future__ import annotations

import contextlib

import pytest

from tests.proxyfixture import request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@pytest.mark.spec("DP-078")
def test_half_close_before_the_answer_means_gone(proxy, app):
    p = proxy(running_max=1)
    caller = p.saying(request_bytes("GET /"))
    up = app.asked()
    caller.shut()
    assert caller.rest() == b""
    assert up.rest() == b""
    assert p.until(running=0, conns=0)["faults"] == {"caller_gone": 1}


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_half_close_after_the_head_of_the_answer_harms_nobody(proxy, app, framing):
    p = proxy()
    caller = p.saying(request_bytes("GET /"))
    up = app.asked()
    if framing == "length":
        up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
    else:
        up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")
    head = caller.head()
    caller.shut()
    p.until(load=1)
    up.send(b"done" if framing == "length" else b"4\r\ndone\r\n0\r\n\r\n")
    assert caller.body_of(head)[0] == b"halfdone"
    assert caller.rest() == b""


def test_half_close_with_a_body_still_unread_means_gone(proxy, app):
    p = proxy(running_max=1)
    caller = p.saying(request_bytes("POST /", body=b"whole"))
    caller.shut()
    app.accept()
    p.until(load=0, conns=0, running=0)


@pytest.mark.parametrize("way", ["close", "reset"])
def test_caller_that_leaves_during_the_answer_ends_the_call(proxy, app, way):
    p = proxy(running_max=1)
    caller = p.saying(request_bytes("GET /"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\nbegin")
    caller.head()
    getattr(caller, way)()
    with contextlib.suppress(OSError):  # the proxy hangs up in the middle of it
        while p.snapshot()["load"]:
            up.send(b"x" * 65536)
    p.until(running=0, load=0, conns=0)


def test_caller_that_leaves_a_kept_connection_is_let_go(proxy, origin):
    p = proxy()
    for way in ("close", "reset", "shut"):
        caller = p.saying(request_bytes("GET /"))
        caller.answer()
        getattr(caller, way)()
    now = p.until(conns=0)
    assert now["faults"] == {}
    assert now["conns_closed"] == {"main": 3}


def test_caller_that_connects_and_leaves_is_no_request(proxy, origin):
    p = proxy()
    for way in ("close", "reset"):
        getattr(p.connect(), way)()
    p.until(conns=0, conns_opened={"main": 2})
    assert p.snapshot()["requests"] == {}
