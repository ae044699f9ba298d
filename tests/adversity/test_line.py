"""The line is cut, stalled, trickled or reset at every step of the exchange's chart, on both sides.

Afterwards: no slot is lost, no connection and no buffer is left, and the next
request is served. That no object is left is checked after each test.
"""

from __future__ import annotations

import pytest

from tests.line import Line
from tests.origin import Origin
from tests.proxyfixture import Proxy, request_bytes

UPLOAD = request_bytes("POST /", "Content-Length: 100000")
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
ASK = request_bytes("GET /ws", "Connection: Upgrade", "Upgrade: x")
AGREE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

WAYS = ("close", "reset", "shut")


class Scene:
    """An exchange that has come to a certain step; `up` is None before the app was reached."""

    def __init__(self, p: Proxy, app: Origin) -> None:
        self.p = p
        self.app = app
        self.caller = p.connect()
        self.up: Line | None = None

    def asks(self, data: bytes) -> Scene:
        self.caller.send(data)
        return self

    def reached(self) -> Scene:
        self.up = self.app.accept()
        self.up.head()
        return self

    def answers(self, data: bytes) -> Scene:
        self.up.send(data)
        return self

    def heard(self, n: int = 0) -> Scene:
        """The caller has seen the head, and n bytes behind it."""
        self.caller.head()
        self.caller.read(n)
        return self


STEPS = {
    "nothing sent": lambda s: s,
    "within the head": lambda s: s.asks(b"GET / HTTP/1.1\r\nHo"),
    "within the preface": lambda s: s.asks(b"PRI * HTTP/2.0\r\n"),
    "head sent": lambda s: s.asks(request_bytes("GET /")).reached(),
    "within the body": lambda s: s.asks(UPLOAD + b"x" * 1000).reached(),
    "within a chunk": lambda s: s.asks(CHUNKED + b"10\r\nabc").reached(),
    "within a chunk size": lambda s: s.asks(CHUNKED + b"1").reached(),
    "within request trailers": lambda s: s.asks(CHUNKED + b"0\r\nX-T: ").reached(),
    "request complete": lambda s: s.asks(UPLOAD + b"x" * 100_000).reached(),
    "waits for 100": lambda s: s.asks(request_bytes("POST /", "Expect: 100-continue", "Content-Length: 5")).reached(),
    "interim answer": lambda s: s.asks(request_bytes("GET /")).reached().answers(b"HTTP/1.1 103 E\r\n\r\n").heard(),
    "within the answer's head": lambda s: s.asks(request_bytes("GET /")).reached().answers(b"HTTP/1.1 200 OK\r\nX-"),
    "answer's head": lambda s: s.asks(request_bytes("GET /")).reached().answers(HEAD).heard(),
    "within the answer": lambda s: s.asks(request_bytes("GET /")).reached().answers(HEAD + b"y" * 999).heard(999),
    "within an answer's chunk": lambda s: (
        s.asks(request_bytes("GET /")).reached().answers(CHUNKED_HEAD + b"ff\r\nabc").heard(5)
    ),
    "within answer trailers": lambda s: (
        s.asks(request_bytes("GET /")).reached().answers(CHUNKED_HEAD + b"1\r\na\r\n0\r\nX-T").heard(6)
    ),
    "both ways at once": lambda s: s.asks(UPLOAD + b"x" * 999).reached().answers(HEAD + b"y" * 999).heard(999),
    "answered early": lambda s: s.asks(UPLOAD + b"x" * 999).reached().answers(OK).heard(2),
    "upgraded": lambda s: s.asks(ASK).reached().answers(AGREE).heard(),
    "upgraded, bytes under way": lambda s: s.asks(ASK + b"early").reached().answers(AGREE + b"raw").heard(3),
    "answered": lambda s: s.asks(request_bytes("GET /")).reached().answers(OK).heard(2),
}

APP_STEPS = {
    name: step for name, step in STEPS.items() if name not in ("nothing sent", "within the head", "within the preface")
}


def check_all_is_well(p: Proxy, app: Origin, *lines: Line | None) -> None:
    """Both ends close; every slot and buffer comes back, and a new request is served."""
    for line in lines:
        if line is not None:
            line.close()
    p.until(load=0, pending=0, conns=0, buffers=0)
    sent = p.send("GET /after")
    while True:
        up = app.accept()
        try:
            head = up.head()
        except (EOFError, OSError):
            continue
        if head.target == b"/after":
            break
        up.close()
    up.send(OK)
    assert sent.answer().body == b"ok"


@pytest.mark.spec("DP-093")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_caller_is_lost(proxy, app, step, way):
    p = proxy(running_max=1, waiting_max=1, linger_timeout_ns=200_000_000)
    scene = step(Scene(p, app))
    getattr(scene.caller, way)()
    check_all_is_well(p, app, scene.up, scene.caller)


@pytest.mark.spec("DP-093", "DP-107")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("step", APP_STEPS.values(), ids=APP_STEPS.keys())
def test_app_is_lost(proxy, app, step, way):
    p = proxy(running_max=1, waiting_max=1, linger_timeout_ns=200_000_000)
    scene = step(Scene(p, app))
    getattr(scene.up, way)()
    if way == "shut":
        scene.up.sock.close()
    check_all_is_well(p, app, scene.caller)


@pytest.mark.spec("DP-093")
@pytest.mark.parametrize("step", APP_STEPS.values(), ids=APP_STEPS.keys())
def test_both_sides_stall(proxy, app, step):
    """Nobody moves any more: the timeouts end it, whatever the step."""
    p = proxy(
        running_max=1, waiting_max=1, request_s=0.3, idle_s=0.3, linger_timeout_ns=200_000_000,
        head_timeout_ns=300_000_000, idle_timeout_ns=300_000_000,
    )  # fmt: skip
    scene = step(Scene(p, app))
    p.until(load=0, pending=0, conns=0, buffers=0)
    check_all_is_well(p, app, scene.caller, scene.up)


@pytest.mark.parametrize("size", [1, 5])
def test_everything_is_trickled(proxy, app, size):
    """Whole conversations a few bytes at a time, both ways."""
    p = proxy(running_max=1)
    caller = p.connect()
    request = CHUNKED + b"5;ext=1\r\nhello\r\n3\r\nyou\r\n0\r\nX-T: 1\r\n\r\n"
    for i in range(0, len(request), size):
        caller.send(request[i : i + size])
        p.snapshot()
    up = app.asked()
    assert up.chunks() == (b"helloyou", [(b"X-T", b"1")])
    answer = b"HTTP/1.1 103 E\r\nLink: a\r\n\r\n" + CHUNKED_HEAD + b"3\r\nyes\r\n1\r\n!\r\n0\r\nX-U: 2\r\n\r\n"
    for i in range(0, len(answer), size):
        up.send(answer[i : i + size])
        p.snapshot()
    assert caller.head().status == 103
    got = caller.answer()
    assert (got.body, got.trailers) == (b"yes!", [(b"X-U", b"2")])
    check_all_is_well(p, app, caller, up)


@pytest.mark.spec("DP-093")
@pytest.mark.parametrize("way", WAYS)
def test_parked_caller_is_lost(proxy, app, way):
    p = proxy(running_max=1, waiting_max=1)
    first = p.saying(request_bytes("GET /"))
    up = app.asked()
    second = p.saying(request_bytes("POST /", body=b"x" * 1000))
    p.until(waiting=1)
    getattr(second, way)()
    p.until(waiting=0)
    check_all_is_well(p, app, first, second, up)


@pytest.mark.parametrize("way", WAYS)
def test_slow_reader_is_lost(proxy, app, way):
    """Bytes wait for him in our queue."""
    p = proxy(running_max=1, linger_timeout_ns=200_000_000)
    caller = p.connect(receive_bytes=4096)
    caller.send(request_bytes("GET /"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    up.fill_up()
    p.until(buffers=lambda n: n > 0)
    getattr(caller, way)()
    check_all_is_well(p, app, up, caller)


@pytest.mark.parametrize("way", WAYS)
def test_app_that_reads_slowly_is_lost(proxy, app, way):
    p = proxy(running_max=1, linger_timeout_ns=200_000_000)
    caller = p.saying(request_bytes("POST /", "Content-Length: 1000000000"))
    up = app.asked()
    caller.fill_up()
    p.until(buffers=lambda n: n > 0)
    getattr(up, way)()
    check_all_is_well(p, app, caller, up)


@pytest.mark.parametrize("step", APP_STEPS.values(), ids=APP_STEPS.keys())
def test_engine_stops(proxy, app, step):
    """Both sides hear of it, and nothing is left."""
    p = proxy(running_max=1)
    scene = step(Scene(p, app))
    p.engine.stop()
    assert scene.caller.ending() in ("fin", "reset")
    assert scene.up.ending() in ("fin", "reset")


@pytest.mark.parametrize("workers", [1, 2])
def test_many_callers_are_lost_at_once(proxy, origin, workers):
    """Hundreds wait for one slot and leave in every way; the one that stays is served."""
    held = origin.holds("/first")
    p = proxy(running_max=1, waiting_max=1000, workers=workers)
    first = p.send("GET /first")
    held.until_reached()
    callers = [p.connect() for _ in range(300)]
    for caller in callers:
        caller.send(request_bytes("GET /many"))
    p.until(waiting=300)
    last = p.send("GET /last")
    p.until(waiting=301)
    for i, caller in enumerate(callers):
        getattr(caller, WAYS[i % 3])()
    p.until(waiting=1)
    held.finish()
    assert first.answer().body == b"done"
    assert last.answer().body == b"hello"
    p.until(load=0, pending=0)
    assert origin.seen("/many") == 0
