"""Drain: what runs is finished, what comes is served, connections end after their answer."""

from __future__ import annotations

import pytest

from tests.proxyfixture import MAIN, request_bytes


def test_answers_close_their_connections_while_draining(proxy, origin):
    """W40."""
    p = proxy()
    caller = p.saying(request_bytes("GET /before"))
    assert caller.answer().head.get("Connection") is None
    p.engine.drain(True)
    caller.send(request_bytes("GET /during"))
    answer = caller.answer()
    assert answer.body == b"hello"
    assert answer.head.get("Connection") == b"close"
    assert caller.rest() == b""


@pytest.mark.spec("DP-164")
def test_request_that_runs_is_finished(proxy, origin):
    held = origin.holds("/slow")
    p = proxy()
    sent = p.send("GET /slow")
    held.until_reached()
    p.engine.drain(True)
    p.engine.close(MAIN)
    with pytest.raises(ConnectionRefusedError):
        p.connect()
    held.finish()
    assert sent.answer().body == b"done"
    p.until(conns=0)


def test_waiting_requests_are_served(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=5)
    sent = [p.send("GET /slow") for _ in range(4)]
    p.until(waiting=3)
    p.engine.drain(True)
    p.engine.close(MAIN)
    held.finish()
    assert [s.answer().body for s in sent] == [b"done"] * 4


def test_upgraded_connection_goes_on(proxy, app):
    p = proxy()
    caller = p.saying(request_bytes("GET /ws", "Connection: Upgrade", "Upgrade: x"))
    up = app.asked()
    up.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    caller.head()
    p.engine.drain(True)
    caller.send(b"still here")
    assert up.read(10) == b"still here"


def test_end_of_a_drain_lets_connections_live_again(proxy, origin):
    p = proxy()
    p.engine.drain(True)
    p.engine.drain(False)
    caller = p.saying(request_bytes("GET /"))
    assert caller.answer().head.get("Connection") is None


def test_stop_cuts_what_still_runs(proxy, origin):
    held = origin.holds("/slow", after="head")
    p = proxy(running_max=2)
    running = p.send("GET /slow")
    running.head()
    idle = p.saying(request_bytes("GET /"))
    idle.answer()
    half = p.saying(b"GET / HT")
    p.until(conns=3)
    p.engine.stop()
    assert [line.ending() for line in (running.line, idle, half)] == ["fin"] * 3
    held.finish()


def test_stop_answers_what_waits_for_a_slot(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=5)
    p.send("GET /slow")
    held.until_reached()
    waiting = p.send("GET /waits")
    p.until(waiting=1)
    p.engine.stop()
    assert waiting.answer().status == 503
    held.finish()
