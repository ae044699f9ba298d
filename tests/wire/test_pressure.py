"""Back-pressure: a slow reader costs a bounded number of bytes, and the process has a budget."""

from __future__ import annotations

import pytest

from tests.origin import Call
from tests.proxyfixture import request_bytes

MIB = 1 << 20


def endless(call: Call) -> None:
    """Sends until it is cut off."""
    call.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 40))
    while True:
        call.send(b"e" * 65536)


def test_slow_reader_costs_a_bounded_number_of_bytes(proxy, app):
    p = proxy()
    caller = p.connect(receive_bytes=4096)
    caller.send(request_bytes("GET /"))
    up = app.asked()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 30))
    sent = up.fill_up()
    assert sent < 64 * MIB
    assert p.snapshot()["buffers"] <= 256 << 10
    caller.head()
    assert caller.read(sent) == b"u" * sent


def test_slow_app_costs_a_bounded_number_of_bytes(proxy, app):
    p = proxy()
    caller = p.saying(request_bytes("POST /", f"Content-Length: {1 << 30}"))
    up = app.asked()
    sent = caller.fill_up()
    assert sent < 64 * MIB
    assert p.snapshot()["buffers"] <= 256 << 10
    assert up.read(sent) == b"u" * sent


def test_idle_connection_holds_no_buffers(proxy, origin):
    p = proxy()
    callers = [p.connect() for _ in range(100)]
    for caller in callers:
        caller.send(request_bytes("POST /", body=b"x" * 10_000))
        assert caller.answer().body == b"hello"
    p.until(buffers=0)


@pytest.mark.parametrize(("count", "budget"), [(40, 1 * MIB), (300, 8 * MIB)])
def test_many_slow_readers_stay_within_the_budget(proxy, origin, count, budget):
    """Up to one block of 8 KiB for each of them, all go on; nobody is cut off."""
    origin.runs("/endless", endless)
    p = proxy(buffers_max=budget)
    callers = [p.connect(receive_bytes=4096) for _ in range(count)]
    for caller in callers:
        caller.send(request_bytes("GET /endless"))
    heads = [caller.head().status for caller in callers]
    assert heads == [200] * count
    assert max(p.snapshot()["buffers"] for _ in range(50)) <= budget
    for caller in callers:
        assert caller.read(100_000) == b"e" * 100_000
    assert p.snapshot()["faults"] == {}
    assert p.snapshot()["buffers"] <= budget


def test_others_are_served_while_the_budget_is_spent(proxy, origin):
    origin.runs("/endless", endless)
    p = proxy(buffers_max=1 * MIB)
    callers = [p.connect(receive_bytes=4096) for _ in range(100)]
    for caller in callers:
        caller.send(request_bytes("GET /endless"))
        caller.head()
    assert [p.get("/small").body for _ in range(10)] == [b"hello"] * 10


def test_many_slow_uploads_stay_within_the_budget(proxy, app):
    p = proxy(buffers_max=1 * MIB)
    callers = [p.connect() for _ in range(60)]
    ups = []
    for caller in callers:
        caller.sock.setblocking(False)
        caller.send(request_bytes("POST /", f"Content-Length: {1 << 30}"))
        ups.append(app.accept())
        ups[-1].head()
    for _ in range(200):
        for caller in callers:
            try:
                caller.sock.send(b"u" * 65536)
            except BlockingIOError:
                continue
    assert p.snapshot()["buffers"] <= 1 * MIB
    for up in ups:
        assert up.read(100_000) == b"u" * 100_000
    assert p.snapshot()["faults"] == {}


def test_large_head_counts_against_the_budget_and_is_given_back(proxy, origin):
    p = proxy()
    caller = p.saying(b"GET / HTTP/1.1\r\nHost: a\r\nX-Large: " + b"h" * 500_000)
    assert p.until(buffers=lambda n: n >= 500_000)
    caller.send(b"\r\n\r\n")
    assert caller.answer().body == b"hello"
    p.until(buffers=0)


def test_fast_stream_does_not_starve_a_small_request(proxy, origin):
    """READS_MAX: a connection that always has more to say waits for its turn."""
    origin.runs("/endless", endless)
    p = proxy()
    fast = p.saying(request_bytes("GET /endless"))
    fast.head()
    served = 0
    for _ in range(20):
        fast.read(4 * MIB)
        served += p.get("/small").body == b"hello"
    assert served == 20
