"""Interim answers and Expect: one 100 at most, all other 1xx passed on, the final status is the status."""

from __future__ import annotations

import pytest

from tests.proxyfixture import request_bytes

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\n\r\n"
EXPECTS = ("Expect: 100-continue", "Content-Length: 4")


def test_interim_answers_pass_before_the_final_one(proxy, app):
    """W1: the status is the final one, whatever came before."""
    p = proxy()
    caller = p.saying(request_bytes("GET /"))
    up = app.asked()
    up.send(HINT % 1 + HINT % 2 + b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert [caller.head().get("Link") for _ in range(2)] == [b"</1>", b"</2>"]
    assert caller.answer().status == 404
    assert p.snapshot()["interim"] == 2


def test_thirty_two_interim_answers_pass_and_no_more(proxy, app):
    p = proxy()
    sent = p.send("GET /")
    up = app.asked()
    up.send(HINT % 0 * 33)
    assert sent.answer().status == 502
    now = p.snapshot()
    assert now["interim"] == 32
    assert now["bounds_hit"] == {"interim": 1}
    assert now["faults"] == {"too_many_interim": 1}


def test_no_interim_answer_goes_to_http_1_0(proxy, app):
    caller = proxy().saying(b"GET / HTTP/1.0\r\n\r\n")
    up = app.asked()
    up.send(HINT % 1 + OK)
    assert caller.head().status == 200


def test_100_of_the_app_reaches_the_caller_who_waits(proxy, app):
    caller = proxy().saying(request_bytes("POST /", *EXPECTS))
    up = app.accept()
    assert up.head().get("Expect") == b"100-continue"
    assert up.is_silent()
    up.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert caller.head().line == b"HTTP/1.1 100 Continue"
    caller.send(b"body")
    assert up.read(4) == b"body"
    up.send(OK)
    assert caller.head().status == 200


def test_app_that_says_nothing_is_spoken_for_after_a_second(proxy, app):
    caller = proxy().saying(request_bytes("POST /", *EXPECTS))
    up = app.asked()
    assert caller.head().line == b"HTTP/1.1 100 Continue"
    caller.send(b"body")
    assert up.read(4) == b"body"
    up.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert caller.head().status == 200


def test_final_answer_instead_of_100_is_passed_on_alone(proxy, app):
    caller = proxy().saying(request_bytes("POST /", *EXPECTS))
    up = app.asked()
    up.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    answer = caller.answer()
    assert answer.head.line == b"HTTP/1.1 413 Content Too Large"
    assert answer.head.get("Connection") == b"close"
    assert caller.rest() == b""


def test_caller_that_does_not_wait_for_the_100_loses_nothing(proxy, app):
    proxy().saying(request_bytes("POST /", *EXPECTS) + b"body" + request_bytes("GET /next"))
    up = app.asked()
    up.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert up.read(4) == b"body"
    up.send(OK)
    assert up.head().target == b"/next"


def test_100_that_nobody_waits_for_is_not_passed_on(proxy, app):
    caller = proxy().saying(request_bytes("POST /", body=b"body"))
    up = app.accept()
    up.request()
    up.send(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert caller.head().status == 200


def test_waiting_caller_gets_no_100_while_its_request_is_parked(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=1)
    first = p.send("GET /slow")
    held.until_reached()
    caller = p.saying(request_bytes("POST /", *EXPECTS))
    p.until(waiting=1)
    assert caller.is_silent()
    held.finish()
    assert first.answer().body == b"done"
    assert caller.head().line == b"HTTP/1.1 100 Continue"
    caller.send(b"body")
    assert caller.answer().body == b"hello"


@pytest.mark.parametrize("value", ["200-ok", "100-continue, other"])
def test_unknown_expectation_is_417(proxy, origin, value):
    answer = proxy().get("/", f"Expect: {value}")
    assert answer.status == 417
    assert origin.heads == []


def test_expectation_of_http_1_0_is_ignored(proxy, app):
    caller = proxy().saying(b"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
    up = app.accept()
    assert up.request()[1] == b"body"
    up.send(OK)
    assert caller.head().status == 200


def test_expectation_without_a_body_is_not_waited_for(proxy, app):
    caller = proxy().saying(request_bytes("GET /", "Expect: 100-continue"))
    up = app.asked()
    up.send(OK)
    assert caller.head().status == 200
