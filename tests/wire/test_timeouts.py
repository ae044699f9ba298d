"""Timeouts: the whole request, the start of the answer, and idling (spec 1.8)."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.proxyfixture import request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def check_504(answer):
    assert (answer.status, answer.body) == (504, b"request timeout")
    assert answer.head.get("Content-Length") == b"15"
    assert answer.head.get("Content-Type") == b"text/plain; charset=utf-8"
    assert b"error=http_response_timeout" in answer.head.get("Proxy-Status")


@pytest.mark.spec("DP-098", "DP-101", "DP-105", "DP-106")
@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"request_s": 0.2}, "request_timed_out"),
        ({"start_s": 0.2}, "start_timed_out"),
        ({"idle_s": 0.2}, "idle_timed_out"),
    ],
    ids=["whole", "start", "idle"],
)
def test_silent_app_gives_504_and_its_call_is_cancelled(proxy, app, settings, fault):
    p = proxy(running_max=1, **settings)
    began = time.monotonic()
    sent = p.send("GET /")
    up = app.asked()
    check_504(sent.answer())
    assert time.monotonic() - began >= 0.2
    assert up.rest() == b""
    assert p.until(running=0)["faults"] == {fault: 1}


def test_connection_goes_on_after_a_504(proxy, app):
    caller = proxy(request_s=0.2).saying(request_bytes("GET /one"))
    app.accept().head()
    check_504(caller.answer())
    caller.send(request_bytes("GET /two"))
    up = app.asked()
    up.send(OK)
    assert caller.answer().body == b"ok"


def test_timeout_of_zero_fires_at_once(proxy, origin):
    check_504(proxy(request_s=0).get("/"))
    assert origin.heads == []


@pytest.mark.spec("DP-091")
def test_waiting_request_runs_out_of_time(proxy, app):
    p = proxy(running_max=1, waiting_max=1, request_s=0.3)
    caller = p.saying(request_bytes("GET /ws", "Connection: Upgrade", "Upgrade: x"))
    up = app.asked()
    up.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    caller.head()
    check_504(p.get("/waits"))
    assert p.until(waiting=0)["running"] == 1
    assert up.is_silent()


@pytest.mark.spec("DP-099", "DP-100")
@pytest.mark.parametrize(
    "framing",
    [b"Transfer-Encoding: chunked\r\n\r\n4\r\npart\r\n", b"Content-Length: 100\r\n\r\npart"],
    ids=["chunked", "length"],
)
@pytest.mark.parametrize("settings", [{"request_s": 0.3}, {"idle_s": 0.3}], ids=["whole", "idle"])
def test_answer_that_has_begun_is_cut_off(proxy, app, framing, settings):
    """W3: no text of ours in a body that looks whole."""
    sent = proxy(**settings).send("GET /")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\n" + framing)
    assert sent.head().status == 200
    rest = sent.line.rest()
    assert rest in (b"4\r\npart\r\n", b"part")
    assert up.rest() == b""


def test_answer_that_ends_with_its_connection_is_reset_when_cut(proxy, app):
    """To HTTP/1.0 a FIN would look like the end of the body."""
    caller = proxy(request_s=0.3).saying(b"GET / HTTP/1.0\r\n\r\n")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n")
    assert caller.head().status == 200
    assert caller.read(4) == b"part"
    assert caller.ending() == "reset"


@pytest.mark.spec("DP-102")
def test_answer_that_starts_in_time_may_take_longer(proxy, app):
    sent = proxy(start_s=0.3).send("GET /")
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
    began = time.monotonic()
    sent.head()
    up.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        up.sock.recv(1)
    assert time.monotonic() - began > 0.3
    up.send(b"late")
    assert sent.body() == b"late"


def test_interim_answer_does_not_count_as_the_start(proxy, app):
    sent = proxy(start_s=0.3).send("GET /")
    up = app.asked()
    up.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
    check_504(sent.answer())


@pytest.mark.spec("DP-103")
def test_answer_that_keeps_moving_is_not_idle(proxy, origin):
    def script(call):
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(8):
            time.sleep(0.1)  # the pace is what is tested: each pause is short, all together are too long
            call.send(b"1\r\nx\r\n")
        call.finish(b"0\r\n\r\n")

    origin.runs("/moves", script)
    p = proxy(idle_s=0.5)
    began = time.monotonic()
    assert p.get("/moves").body == b"x" * 8
    assert time.monotonic() - began > 0.5


@pytest.mark.spec("DP-108")
def test_limits_of_zero_do_not_apply(proxy, app):
    p = proxy(start_s=0, idle_s=0)
    sent = p.send("GET /")
    up = app.asked()
    p.until(load=1)
    up.send(OK)
    assert sent.body() == b"ok"


@pytest.mark.spec("DP-098", "DP-101", "DP-105")
@pytest.mark.parametrize(
    "settings", [{"request_s": 0.2}, {"start_s": 0.2}, {"idle_s": 0.2}], ids=["whole", "start", "idle"]
)
def test_stalled_upload_hears_its_504_on_time(proxy, app, settings):
    """The answer does not wait for the rest of the body (spec 8)."""
    caller = proxy(**settings).saying(request_bytes("POST /", "Content-Length: 1000000") + b"x" * 1000)
    app.asked()
    check_504(caller.answer())


def test_slow_reader_is_cut_off_when_the_request_takes_too_long(proxy, origin):
    body = b"x" * (16 << 20)
    origin.answers("/large", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    p = proxy(request_s=0.5, running_max=1)
    caller = p.connect(receive_bytes=4096)
    caller.send(request_bytes("GET /large"))
    assert caller.head().status == 200
    p.until(running=0)
    assert p.snapshot()["faults"] == {"request_timed_out": 1}
    with contextlib.suppress(ConnectionResetError):  # a reset tells the same
        assert len(caller.rest()) < len(body)


def test_grpc_call_that_runs_out_of_time_hears_its_status(proxy, app):
    p = proxy(request_s=0.3)
    answer = p.get("/", "Content-Type: application/grpc+proto")
    assert answer.head.get("grpc-status") == b"4"
    assert answer.head.get("Content-Type") == b"application/grpc"
