"""Keep-alive: when a connection goes on after its answer, and when not."""

from __future__ import annotations

import pytest

from tests.proxyfixture import request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_two_requests_share_both_connections(warm):
    p, caller, up = warm
    caller.send(request_bytes("GET /two"))
    assert up.head().target == b"/two"
    up.send(OK)
    assert caller.answer().body == b"ok"
    now = p.until(conns=1)
    assert now["conns_opened"] == {"main": 1}
    assert now["upstream_conns_opened"] == 1
    assert now["pool_hits"] == 1


def test_close_asked_by_the_caller_is_obeyed(proxy, origin):
    caller = proxy().saying(request_bytes("GET /", "Connection: close"))
    answer = caller.answer()
    assert answer.head.get("Connection") == b"close"
    assert caller.rest() == b""


def test_close_of_the_app_does_not_close_the_caller(proxy, app):
    caller = proxy().saying(request_bytes("GET /one"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    assert caller.answer().head.get("Connection") is None
    assert up.rest() == b""
    caller.send(request_bytes("GET /two"))
    assert app.accept().head().target == b"/two"


def test_answer_of_an_http_1_0_app_ends_its_connection(proxy, app):
    caller = proxy().saying(request_bytes("GET /one"))
    up = app.asked()
    up.send(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")
    answer = caller.answer()
    assert answer.head.line == b"HTTP/1.1 200 OK"
    assert up.rest() == b""


def test_http_1_0_app_may_keep_its_connection(proxy, app):
    caller = proxy().saying(request_bytes("GET /one"))
    up = app.asked()
    up.send(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
    caller.answer()
    caller.send(request_bytes("GET /two"))
    assert up.head().target == b"/two"


@pytest.mark.spec("DP-025")
def test_idle_connection_stays_after_the_head_time(proxy, origin):
    """The time for a head runs from its first byte once a request has been served."""
    p = proxy(head_timeout_ns=200_000_000)
    caller = p.saying(request_bytes("GET /one"))
    caller.answer()
    silent = p.connect()
    assert silent.rest() == b""
    caller.send(request_bytes("GET /two"))
    assert caller.answer().body == b"hello"


@pytest.mark.spec("DP-024")
@pytest.mark.parametrize(
    "beginning", [b"", b"GET / HTTP/1.1\r\nHost: a\r\n", b"PRI * HT"], ids=["nothing", "a part", "h2"]
)
def test_head_that_does_not_come_in_time_ends_the_connection(proxy, origin, beginning):
    p = proxy(head_timeout_ns=100_000_000)
    caller = p.saying(beginning)
    assert caller.rest() == b""
    assert p.until(conns=0)["bounds_hit"] == {"head_time": 1}


@pytest.mark.spec("DP-024")
def test_trickled_head_is_not_given_more_time(proxy, origin):
    """A byte now and then must not keep a connection for ever."""
    p = proxy(head_timeout_ns=300_000_000)
    caller = p.saying(b"GET / HTTP/1.1\r\nHost: a\r\n")
    p.until(conns=1)
    for _ in range(1000):
        try:
            caller.send(b"x")
        except OSError:
            break
        if p.snapshot()["conns"] == 0:
            break
    p.until(conns=0)


def test_second_head_has_its_time_from_its_first_byte(proxy, origin):
    caller = proxy(head_timeout_ns=100_000_000).saying(request_bytes("GET /one"))
    caller.answer()
    caller.send(b"GET /two HTTP/1.1\r\n")
    assert caller.rest() == b""


def test_idle_limit_closes_a_connection_between_requests(proxy, origin):
    p = proxy(idle_timeout_ns=100_000_000)
    caller = p.saying(request_bytes("GET /one"))
    caller.answer()
    assert caller.rest() == b""
    assert p.until(conns=0)["bounds_hit"] == {"idle_time": 1}


@pytest.mark.spec("DP-083")
def test_no_more_idle_connections_are_kept_than_allowed(proxy, origin):
    p = proxy(idle_max=2)
    hold = origin.holds("/all")
    sent = [p.send("GET /all") for _ in range(5)]
    for _ in sent:
        hold.until_reached()
    hold.finish()
    assert [s.answer().body for s in sent] == [b"done"] * 5
    p.until(upstream_conns_opened=5, upstream_conns_closed=3)


def test_idle_connection_that_the_app_closes_is_let_go(warm, app):
    p, caller, up = warm
    up.close()
    p.until(upstream_conns_closed=1, pool_closed_by_peer=1)
    caller.send(request_bytes("GET /two"))
    assert app.accept().head().target == b"/two"


def test_bytes_on_an_idle_connection_of_the_app_end_it(warm, app):
    """Nobody asked for them, so they must not become somebody's answer."""
    p, caller, up = warm
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong")
    p.until(upstream_conns_closed=1)
    caller.send(request_bytes("GET /two"))
    second = app.asked()
    second.send(OK)
    assert caller.answer().body == b"ok"
