"""Upgrades: 101 and after; the slot is held until both sides have closed."""

from __future__ import annotations

import pytest

from tests.line import Line
from tests.proxyfixture import Proxy, request_bytes

ASK = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: k")
AGREE = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: a\r\n\r\n"
)


def upgraded(p: Proxy, app, early: bytes = b"") -> tuple[Line, Line]:
    """Both ends of a connection that has turned raw."""
    caller = p.saying(request_bytes("GET /ws", *ASK) + early)
    up = app.accept()
    head = up.head()
    assert head.get("Connection") == b"Upgrade"
    assert head.get("Upgrade") == b"websocket"
    assert head.get("Sec-WebSocket-Key") == b"k"
    up.send(AGREE)
    answer = caller.head()
    assert answer.status == 101
    assert answer.get("Connection") == b"Upgrade"
    assert answer.get("Upgrade") == b"WebSocket"
    assert answer.get("Sec-WebSocket-Accept") == b"a"
    return caller, up


@pytest.mark.spec("DP-112", "DP-113")
def test_bytes_pass_both_ways(proxy, app):
    caller, up = upgraded(proxy(), app)
    caller.send(b"\x81\x05hello")
    assert up.read(7) == b"\x81\x05hello"
    up.send(b"\x00\xff" * 500_000)
    assert caller.read(1_000_000) == b"\x00\xff" * 500_000


def test_bytes_that_came_with_the_request_follow_the_101(proxy, app):
    _, up = upgraded(proxy(), app, early=b"early bytes")
    assert up.read(11) == b"early bytes"


def test_bytes_that_came_with_the_101_follow_it(proxy, app):
    caller = proxy().saying(request_bytes("GET /ws", *ASK))
    up = app.asked()
    up.send(AGREE + b"at once")
    caller.head()
    assert caller.read(7) == b"at once"


@pytest.mark.spec("DP-114")
@pytest.mark.parametrize("first", ["caller", "app"])
def test_half_close_is_passed_on_and_the_other_way_goes_on(proxy, app, first):
    p = proxy()
    ends = dict(zip(("caller", "app"), upgraded(p, app), strict=True))
    near, far = ends.pop(first), ends.popitem()[1]
    near.send(b"last words")
    near.shut()
    assert far.rest() == b"last words"
    far.send(b"answer to them" * 50_000)
    far.shut()
    assert near.rest() == b"answer to them" * 50_000
    p.until(load=0, conns=0)


@pytest.mark.spec("DP-093", "DP-094")
def test_upgraded_connection_holds_its_slot_until_it_ends(proxy, app):
    p = proxy(running_max=1, waiting_max=1)
    caller, up = upgraded(p, app)
    waiting = p.send("GET /next")
    p.until(waiting=1)
    caller.close()
    assert up.rest() == b""
    up.close()
    second = app.asked()
    second.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert waiting.answer().status == 200
    p.until(running=0)


@pytest.mark.parametrize("who", ["caller", "app"])
def test_reset_of_one_side_ends_the_other(proxy, app, who):
    p = proxy(running_max=1)
    ends = dict(zip(("caller", "app"), upgraded(p, app), strict=True))
    ends.pop(who).reset()
    assert ends.popitem()[1].ending() in ("fin", "reset")
    p.until(running=0, conns=0)


@pytest.mark.spec("DP-109", "DP-110")
def test_only_idling_ends_an_upgraded_connection(proxy, app):
    """W4: raw bytes count as life, whichever side moves; the other two limits no longer apply."""
    p = proxy(request_s=0.4, start_s=0.4, idle_s=0.8)
    caller, up = upgraded(p, app)
    for _ in range(6):
        caller.send(b"x")
        assert up.read(1) == b"x"
        up.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            up.sock.recv(1)
    up.sock.settimeout(20)
    assert caller.ending() in ("fin", "reset")
    assert p.until(load=0)["faults"] == {"idle_timed_out": 1}


def test_upgrade_answered_with_another_protocol_is_502(proxy, app):
    sent = proxy().send("GET /", *ASK)
    up = app.asked()
    up.send(AGREE.replace(b"WebSocket\r\n", b"other\r\n"))
    answer = sent.answer()
    assert answer.status == 502
    assert b"error=http_upgrade_failed" in answer.head.get("Proxy-Status")


def test_upgrade_that_nobody_asked_for_is_502(proxy, app):
    sent = proxy().send("GET /")
    up = app.asked()
    up.send(AGREE)
    assert sent.answer().status == 502
    assert up.rest() == b""


def test_app_may_refuse_an_upgrade(proxy, app):
    caller = proxy().saying(request_bytes("GET /ws", *ASK))
    up = app.asked()
    up.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    assert caller.answer().status == 403
    caller.send(request_bytes("GET /next"))
    assert up.head().target == b"/next"


def test_upgrade_without_the_connection_option_is_not_passed_on(proxy, app):
    p = proxy()
    p.send("GET /", "Upgrade: websocket")
    assert app.accept().head().get("Upgrade") is None


@pytest.mark.parametrize("settings", ["", "!!!"], ids=["missing", "bad"])
def test_h2c_upgrade_with_useless_settings_is_ignored(proxy, app, settings):
    p = proxy()
    fields = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"]
    sent = p.send("GET /", *fields, *([f"HTTP2-Settings: {settings}"] if settings else []))
    up = app.accept()
    head = up.head()
    assert head.get("Upgrade") is None
    assert head.get("HTTP2-Settings") is None
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert sent.body() == b"ok"


def test_slow_reader_of_raw_bytes_pauses_their_sender(proxy, app):
    p = proxy()
    caller, up = upgraded(p, app)
    sent = up.fill_up()
    assert sent < 64 << 20
    assert p.snapshot()["buffers"] < 1 << 20
    assert caller.read(sent) == b"u" * sent
