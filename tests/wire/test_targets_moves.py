"""Moves: a request that was not read goes to another endpoint; endpoints come and go under load."""

from __future__ import annotations

import threading

import pytest

from tests.origin import HELLO, Origin
from tests.proxyfixture import request_bytes
from tests.targetfixture import HEADERS, refusing_port

WORKERS = pytest.mark.parametrize("workers", [1, 2], ids=["one worker", "two workers"])


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", [5, 60_000], ids=["small", "nearly all that is kept"])
def test_a_body_goes_to_the_next_endpoint_as_it_came(targets, pods, framing, size):
    taken, port = refusing_port()
    bodies = []

    def script(call):
        bodies.append(call.body())
        call.finish(HELLO)

    for pod in pods:
        pod.runs("/", script)
    body = bytes(range(250)) * (size // 250) + b"x" * (size % 250)
    with taken:
        t = targets()
        t.serve(port, pods[0])
        for _ in range(3):
            if framing == "length":
                sent = t.ask("POST /", body=body)
            else:
                data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
                sent = t.ask("POST /", "Transfer-Encoding: chunked")
                sent.line.send(data)
            assert sent.answer().body == b"hello"
            t.serve(port, pods[0])
    assert bodies == [body] * 3


def test_a_body_that_comes_late_goes_to_the_next_endpoint(targets, pods):
    taken, port = refusing_port()
    with taken:
        t = targets()
        t.serve(port)
        line = t.connect()
        line.send(request_bytes("POST /", *HEADERS, "Content-Length: 10"))
        t.until(gate=(0, 0, 1))
        line.send(b"01234")
        t.serve(pods[0])
        line.send(b"56789")
        assert line.answer().body == b"hello"


def test_a_request_that_was_not_read_goes_to_another(targets):
    """The kept connection of a pod that has gone shows a FIN, and its port refuses."""
    with Origin(by_hand=True) as first, Origin() as second:
        t = targets()
        t.serve(first, each=2)
        warm = t.ask()
        up = first.accept()
        up.head()
        up.send(HELLO)
        assert warm.answer().body == b"hello"
        t.serve(first, second, each=2)
        first.close()
        sent = [t.ask("POST /", body=b"pay") for _ in range(3)]
        assert [s.answer().body for s in sent] == [b"hello"] * 3
        assert second.seen("/") == 3


def test_a_request_that_was_read_stays(targets, pods):
    def script(call):
        call.body()
        call.line.close()

    pods[0].runs("/", script)
    t = targets()
    t.serve(*pods[:2])
    assert t.ask("POST /", body=b"pay").answer().status == 502
    assert pods[1].seen("/") == 0
    t.until(gate=(2, 0, 0))


def test_connections_to_an_endpoint_that_left_are_closed(targets):
    with Origin(by_hand=True) as pod:
        t = targets()
        t.serve(pod, each=2)
        busy, idle = t.ask(), t.ask()
        ups = [pod.accept(), pod.accept()]
        for up in ups:
            up.head()
        ups[0].send(HELLO)
        ups_idle, ups_busy = ups
        answered = {True: idle, False: busy}
        t.until(gate=(2, 1, 0))
        t.serve()
        assert ups_idle.sock.recv(1) == b""
        ups_busy.send(HELLO)
        assert ups_busy.sock.recv(1) == b""
        assert [answered[True].answer().body, answered[False].answer().body] == [b"hello"] * 2


@pytest.mark.parametrize(("role", "status"), [("activator", 502), ("gateway", 503)])
def test_the_last_refusal_is_told_as_the_role_tells_it(targets, role, status):
    taken, port = refusing_port()
    with taken:
        t = targets(role=role, wish={"hold": False, "reports": False})
        t.serve(port)
        answer = t.ask().answer()
        assert answer.status == status
        assert answer.head.get("Proxy-Status").startswith(role.encode() + b"; error=connection_refused")
        assert t.ask().answer().status == status
    assert t.engine.take_events() == []


def test_where_nobody_waits_a_refusal_costs_no_request_either(targets, pods):
    taken, port = refusing_port()
    with taken:
        t = targets(wish={"hold": False, "reports": False})
        t.serve(port, pods[0])
        assert {t.ask().answer().body for _ in range(20)} == {b"hello"}


@WORKERS
@pytest.mark.parametrize("each", [1, 4, 0], ids=["one slot", "four slots", "unlimited"])
def test_endpoints_that_come_and_go_cost_no_request_but_what_three_refused(targets, pods, workers, each):
    """Four callers ask in turn; pods leave while they run, ports refuse, and for moments nobody is there."""
    taken, port = refusing_port()
    sets = [pods[:1], [port, pods[1]], [], pods[1:4], [port], [pods[4], pods[0]], [*pods, port]]
    answers: list[bytes] = []

    def ask() -> None:
        line = t.connect()
        for number in range(60):
            line.send(request_bytes("POST /", *HEADERS, body=b"form %d" % number))
            answers.append(line.answer().body)

    with taken:
        t = targets(workers=workers)
        callers = [threading.Thread(target=ask) for _ in range(4)]
        for caller in callers:
            caller.start()
        turn = 0
        while any(caller.is_alive() for caller in callers):
            t.serve(*sets[turn % len(sets)], each=each, unlimited=each == 0)
            if turn % len(sets) == 0:
                callers[0].join(0.01)
            turn += 1
        t.serve(*pods, each=each, unlimited=each == 0)
        for caller in callers:
            caller.join()
    assert len(answers) == 240
    assert all(body == b"hello" or b"connection refused" in body for body in answers), answers
    t.until(gate=((1 << 20) - 1 if each == 0 else 5 * each, 0, 0))


UNREAD = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n"
    b'Proxy-Status: queue-proxy; error=connection_refused; details="connection refused"\r\n\r\ndial\n'
)
"""A sidecar whose app has died."""


def test_a_sidecar_whose_app_takes_no_connection_costs_no_request(targets, pods):
    """It answered at once, so it was the first to be free again, and requests after requests failed there."""
    pods[0].runs("/", lambda call: call.finish(UNREAD))
    t = targets()
    t.serve(*pods[:2])
    for _ in range(4):
        assert t.ask().answer().status == 200
    assert pods[0].seen("/") == 1, "it is set aside"
    t.until(gate=(1, 0, 0))


def test_an_app_that_answers_502_is_believed(targets, pods):
    for pod in pods[:2]:
        pod.runs("/", lambda call: call.finish(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 5\r\n\r\nmine\n"))
    t = targets()
    t.serve(*pods[:2])
    assert t.ask().answer().status == 502
    assert sum(pod.seen("/") for pod in pods[:2]) == 1
