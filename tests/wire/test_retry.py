"""Retry: a reused connection that dies before the head costs one more try, where that is safe."""

from __future__ import annotations

import pytest

from tests.line import Line
from tests.proxyfixture import request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def die(up: Line, way: str) -> None:
    """After the request has been read."""
    getattr(up, way)()


@pytest.mark.spec("DP-079")
@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_idempotent_request_goes_once_more_on_a_new_connection(warm, app, method, way):
    p, caller, up = warm
    caller.send(request_bytes(f"{method} /again"))
    assert up.head().target == b"/again"
    die(up, way)
    second = app.accept()
    assert second.head().target == b"/again"
    second.send(OK[:-2] if method == "HEAD" else OK)
    assert caller.answer(method).status == 200
    now = p.snapshot()
    assert (now["retries"], now["retries_unsafe"], now["faults"]) == (1, 0, {})


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "BREW"])
def test_other_request_is_never_sent_twice(warm, app, method, way):
    p, caller, up = warm
    caller.send(request_bytes(f"{method} /once", body=b"pay"))
    assert up.request()[1] == b"pay"
    die(up, way)
    answer = caller.answer()
    assert answer.status == 502
    assert b"error=connection_terminated" in answer.head.get("Proxy-Status")
    assert p.snapshot()["retries_unsafe"] == 1
    caller.send(request_bytes("GET /next"))
    assert app.accept().head().target == b"/next"


def test_idempotency_key_makes_a_request_repeatable(warm, app):
    _, caller, up = warm
    caller.send(request_bytes("POST /pay", "Idempotency-Key: 1", body=b"pay"))
    up.request()
    up.close()
    second = app.accept()
    assert second.request()[1] == b"pay"
    second.send(OK)
    assert caller.answer().status == 200


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_body_is_sent_again_whole(warm, app, framing):
    _, caller, up = warm
    if framing == "length":
        caller.send(request_bytes("PUT /again", body=b"q" * 40_000))
    else:
        chunks = b"5\r\nhello\r\n" * 3 + b"0\r\n\r\n"
        caller.send(b"PUT /again HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    _, first = up.request()
    up.close()
    second = app.accept()
    _, again = second.request()
    assert again == first
    second.send(OK)
    assert caller.answer().status == 200


def test_body_that_is_still_coming_is_completed_on_the_new_connection(warm, app):
    _, caller, up = warm
    caller.send(request_bytes("PUT /again", "Content-Length: 10") + b"01234")
    up.head()
    assert up.read(5) == b"01234"
    up.close()
    second = app.asked()
    assert second.read(5) == b"01234"
    caller.send(b"56789")
    assert second.read(5) == b"56789"
    second.send(OK)
    assert caller.answer().status == 200


def test_body_too_large_to_keep_is_not_sent_again(warm, app):
    p, caller, up = warm
    caller.send(request_bytes("PUT /large", body=b"q" * 200_000))
    up.request()
    up.close()
    assert caller.answer().status == 502
    assert p.snapshot()["retries"] == 0


def test_request_goes_once_more_and_only_once(warm, app):
    p, caller, up = warm
    caller.send(request_bytes("GET /again"))
    up.head()
    up.close()
    second = app.asked()
    second.close()
    assert caller.answer().status == 502
    assert p.snapshot()["retries"] == 1


def test_fresh_connection_that_dies_is_not_tried_again(proxy, app):
    p = proxy()
    sent = p.send("GET /")
    up = app.asked()
    up.close()
    assert sent.answer().status == 502
    assert p.snapshot()["retries"] == 0


def test_answer_that_had_begun_is_not_tried_again(warm, app):
    p, caller, up = warm
    caller.send(request_bytes("GET /begun"))
    up.head()
    up.send(b"HTTP/1.1 200")
    up.close()
    assert caller.answer().status == 502
    assert p.snapshot()["retries"] == 0


def test_interim_answer_forbids_another_try(warm, app):
    p, caller, up = warm
    caller.send(request_bytes("GET /hint"))
    up.head()
    up.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
    assert caller.head().status == 103
    up.close()
    assert caller.answer().status == 502
    assert p.snapshot()["retries"] == 0


@pytest.mark.spec("DP-080", "DP-013")
def test_refused_connection_is_answered_at_once(proxy, app):
    p = proxy()
    app.listener.close()
    answer = p.get("/")
    assert answer.status == 502
    assert b"connection refused" in answer.body
    assert answer.body.endswith(b"\n")
    assert answer.head.get("Content-Type") == b"text/plain; charset=utf-8"
    assert b"error=connection_refused" in answer.head.get("Proxy-Status")
    assert p.snapshot()["retries"] == 0


def rest(up: Line, idle_s: float) -> None:
    """Nothing comes to the app for so long."""
    up.sock.settimeout(idle_s)
    with pytest.raises(TimeoutError):
        up.sock.recv(1)


def test_connection_that_the_app_may_close_just_now_is_not_used_for_a_post(warm, app):
    p, caller, up = warm
    rest(up, 0.1)
    up.close()
    p.until(pool_closed_by_peer=1)  # from which the pool learns the limit
    caller.send(request_bytes("GET /again"))
    old = app.asked()
    old.send(OK)
    caller.answer()
    rest(old, 0.095)
    caller.send(request_bytes("POST /once", body=b"pay"))
    fresh = app.accept()
    assert fresh.request()[1] == b"pay"
    fresh.send(OK)
    assert caller.answer().status == 200


def test_keep_alive_of_the_app_is_believed(proxy, app):
    """`timeout=0`: it closes at once, so no request that must not go twice is sent there."""
    caller = proxy().saying(request_bytes("GET /warm"))
    old = app.asked()
    old.send(OK.replace(b"200 OK\r\n", b"200 OK\r\nKeep-Alive: timeout=0\r\n"))
    caller.answer()
    caller.send(request_bytes("POST /once", body=b"pay"))
    assert app.accept().request()[1] == b"pay"
