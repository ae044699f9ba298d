"""Limit: slots and the waiting room, from the outside."""

from __future__ import annotations

import pytest

from tests.proxyfixture import request_bytes


@pytest.mark.spec("DP-092")
def test_second_request_waits_until_the_first_body_ends(proxy, origin):
    held = origin.holds("/slow", after="head")
    p = proxy(running_max=1, waiting_max=1)
    first = p.send("GET /slow")
    assert first.head().status == 200

    second = p.send("GET /quick")
    p.until(waiting=1)
    assert origin.seen("/quick") == 0

    held.finish()
    assert first.body() == b"done"
    assert second.answer().body == b"hello"
    p.until(running=0, waiting=0)


@pytest.mark.spec("DP-084")
@pytest.mark.parametrize("workers", [1, 2])
def test_app_never_sees_more_than_the_limit(proxy, origin, workers):
    p = proxy(running_max=1, waiting_max=100, workers=workers)
    sent = [p.send("GET /") for _ in range(50)]
    assert [s.answer().body for s in sent] == [b"hello"] * 50
    assert origin.most_running == 1
    p.until(running=0)


@pytest.mark.spec("DP-085")
def test_without_a_limit_all_run_at_once(proxy, origin):
    held = origin.holds("/all")
    p = proxy(workers=2)
    sent = [p.send("GET /all") for _ in range(200)]
    for _ in sent:
        held.until_reached()
    assert origin.most_running == 200
    held.finish()
    assert {s.answer().body for s in sent} == {b"done"}


@pytest.mark.spec("DP-086", "DP-087", "DP-088")
def test_twelfth_request_is_refused_at_once(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=10)
    sent = [p.send("GET /slow") for _ in range(11)]
    p.until(pending=11)

    refused = p.get("/slow")
    assert refused.status == 503
    assert refused.body == b"pending request queue full\n"
    assert refused.head.get("Content-Type") == b"text/plain; charset=utf-8"
    assert refused.head.get("Retry-After") is not None
    assert b"queue-proxy; error=" in refused.head.get("Proxy-Status")

    held.finish()
    assert [s.answer().body for s in sent] == [b"done"] * 11
    assert p.get("/after").body == b"hello"


@pytest.mark.spec("DP-089")
def test_ten_times_the_limit_may_wait(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=10, waiting_max=100)
    sent = [p.send("GET /slow") for _ in range(110)]
    p.until(pending=110)
    assert p.get("/one-more").status == 503
    held.finish()
    assert {s.answer().body for s in sent} == {b"done"}


@pytest.mark.spec("DP-090")
@pytest.mark.parametrize("body", [b"", b"a body that nobody reads" * 1000], ids=["without body", "with body"])
@pytest.mark.parametrize("way", ["close", "reset"])
def test_waiting_request_whose_caller_leaves_frees_its_place(proxy, origin, way, body):
    """A body that fits into the receive window: behind a longer one the kernel cannot bring the FIN."""
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=1)
    first = p.send("GET /slow")
    held.until_reached()
    second = p.saying(request_bytes("POST /left", body=body))
    p.until(waiting=1)
    getattr(second, way)()
    p.until(waiting=0, abandoned=1)
    third = p.send("GET /third")
    p.until(waiting=1)
    held.finish()
    assert first.answer().body == b"done"
    assert third.answer().body == b"hello"
    assert origin.seen("/left") == 0


@pytest.mark.spec("DP-078", "DP-093")
def test_caller_that_leaves_frees_the_slot_and_ends_the_call(proxy, app):
    p = proxy(running_max=1)
    sent = p.send("GET /slow")
    up = app.asked()
    sent.leave()
    assert up.rest() == b""
    p.until(running=0, load=0)


@pytest.mark.spec("DP-093")
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly", b"no http\r\n\r\n"])
def test_slot_comes_back_when_the_app_fails(proxy, app, answer):
    p = proxy(running_max=1)
    p.send("POST /", body=b"x")
    up = app.accept()
    up.request()
    up.send(answer)
    up.close()
    p.until(running=0)


@pytest.mark.spec("DP-095")
def test_raised_limit_lets_waiting_requests_go(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=10)
    sent = [p.send("GET /slow") for _ in range(3)]
    p.until(waiting=2)
    p.apply(running_max=3)
    for _ in sent:
        held.until_reached()
    p.apply(running_max=1)
    held.finish()
    assert [s.answer().body for s in sent] == [b"done"] * 3
    p.until(pending=0)


def test_waiting_requests_are_served_in_their_order(proxy, app):
    p = proxy(running_max=1, waiting_max=10)
    p.send("GET /0")
    up = app.accept()
    assert up.head().target == b"/0"
    for i in range(1, 6):
        p.send(f"GET /{i}")
        p.until(waiting=i)
    for i in range(1, 6):
        up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert up.head().target == b"/%d" % i


def test_slot_is_held_while_a_slow_caller_reads_the_answer(proxy, origin):
    body = b"x" * (8 << 20)
    origin.answers("/large", b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    p = proxy(running_max=1, waiting_max=1)
    caller = p.connect(receive_bytes=4096)
    caller.send(request_bytes("GET /large"))
    caller.head()
    waiting = p.send("GET /next")
    p.until(waiting=1)
    assert caller.read(len(body)) == body
    assert waiting.answer().body == b"hello"


@pytest.mark.spec("DP-037")
def test_kubelet_header_bypasses_the_limit_and_the_count(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=1)
    p.send("GET /slow")
    held.until_reached()
    assert p.get("/probe", "K-Kubelet-Probe: x").body == b"hello"
    assert p.snapshot()["load"] == 1
    held.finish()
