"""Faults at a gateway: what callers are told when whoever is behind it fails; statuses as NW spec 7.3 has them."""

from __future__ import annotations

import pytest

from tests.gatewayfixture import WISH, path, routes, to
from tests.targetfixture import refusing_port


@pytest.fixture
def g(gateway):
    """A gateway with a route to the target a."""
    made = gateway()
    made.serve(a=None)
    made.route({"one.example": routes(path("/", "a"))})
    return made


def told(answer):
    cause = answer.head.get("Proxy-Status").decode()
    assert cause.startswith("gateway; error=")
    return answer.status, cause.partition("details=")[2].strip('"')


def test_without_an_endpoint_it_is_unavailable(g):
    assert told(g.to("one.example")) == (503, "no endpoint is ready")


def test_a_target_that_no_plan_has_is_unavailable(g):
    g.route({"one.example": routes(path("/", "nobody"))})
    assert told(g.to("one.example")) == (503, "no endpoint is ready")


def test_refused_connections_are_503(g):
    taken, port = refusing_port()
    with taken:
        g.at("a", port)
        assert told(g.to("one.example")) == (503, "connection refused")


@pytest.mark.parametrize("hard", [True, False], ids=["reset", "closed"])
def test_a_connection_that_ends_before_the_answer_is_503(g, app, hard):
    g.at("a", app)
    line = g.connect()
    line.send(b"POST / HTTP/1.1\r\nHost: one.example\r\nContent-Length: 0\r\n\r\n")
    behind = app.accept()
    behind.head()
    if hard:
        behind.reset()
    else:
        behind.close()
    assert line.answer().status == 503


def test_an_answer_that_is_no_http_is_502(g, app):
    g.at("a", app)
    line = g.connect()
    line.send(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
    behind = app.accept()
    behind.head()
    behind.send(b"nonsense\r\n\r\n")
    assert line.answer().status == 502


@pytest.mark.spec("NW-079", "NW-080")
def test_an_answer_of_503_passes_and_is_not_asked_for_again(g, origin):
    origin.answers("/", b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nX-App: 1\r\n\r\nbusy")
    g.at("a", origin)
    answer = g.to("one.example")
    assert (answer.status, answer.body, answer.head.get("X-App")) == (503, b"busy", b"1")
    assert answer.head.get("Proxy-Status") is None
    assert len(origin.heads) == 1


def test_idle_before_the_head_is_408_and_after_it_a_cut(g, origin):
    g.serve(a=origin)
    g.engine.apply(g.plan_with({"a": {**WISH, "idle_ns": 50_000_000}}, {}))
    before = origin.holds("/before")
    after = origin.holds("/after", after="head")
    assert told(g.to("one.example", "/before")) == (408, "response made no progress in time")
    line = g.connect()
    line.send(b"GET /after HTTP/1.1\r\nHost: one.example\r\n\r\n")
    assert line.head().status == 200
    assert line.ending() in ("fin", "reset")
    before.finish()
    after.finish()


def test_after_the_head_an_end_is_a_cut(g, app):
    g.at("a", app)
    line = g.connect()
    line.send(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
    behind = app.accept()
    behind.head()
    behind.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    assert line.head().status == 200
    assert line.read(4) == b"half"
    behind.close()
    assert line.ending() in ("fin", "reset")


def test_a_head_that_is_too_large_is_431(gateway):
    g = gateway(head_max=4096)
    assert g.to("one.example", "/", "X: " + "a" * 5000).status == 431


def test_a_full_waiting_room_is_503_and_says_when_to_come_again(g):
    g.hold("held", waiting_max=1)
    g.route({"held.example": routes(path("/", to("held")))})
    first = g.connect()
    first.send(b"GET / HTTP/1.1\r\nHost: held.example\r\n\r\n")
    g.until(load=1)
    answer = g.to("held.example")
    assert told(answer) == (503, "pending request queue full")
    assert answer.head.get("Retry-After") == b"1"
