"""Handoff: requests that Python answers, late, never, or after their caller has gone."""

from __future__ import annotations

import gc
import threading

import pytest

from tests.proxyfixture import Proxy, request_bytes


@pytest.fixture
def p(proxy, origin):
    made = proxy()
    made.keeping = True
    return made


def ask(p: Proxy, data: bytes = b""):
    caller = p.connect(port=p.admin)
    caller.send(data or request_bytes("GET /x"))
    return caller


def kept(p: Proxy, count: int) -> list:
    p.until(conns=lambda _: len(p.kept_calls) >= count)
    return p.kept_calls


def test_late_answer_is_delivered(p):
    caller = ask(p, request_bytes("POST /path?q", "X-A: b"))
    call = kept(p, 1).pop()
    assert (call.method, call.target, call.listener) == (b"POST", b"/path?q", 1)
    assert b"X-A: b\r\n" in call.fields
    assert caller.is_silent()
    call.answer(201, b"X-B: c\r\n", b"late")
    answer = caller.answer()
    assert (answer.status, answer.head.get("X-B"), answer.body) == (201, b"c", b"late")


def test_call_that_is_dropped_is_answered_500(p):
    caller = ask(p)
    kept(p, 1).pop()
    gc.collect()
    assert caller.answer().status == 500


def test_call_is_answered_once(p):
    caller = ask(p)
    call = kept(p, 1).pop()
    call.answer(200, b"", b"one")
    with pytest.raises(ValueError, match="answered"):
        call.answer(200, b"", b"two")
    assert caller.answer().body == b"one"


@pytest.mark.parametrize("way", ["close", "reset", "shut"])
def test_answer_for_a_caller_that_has_gone_harms_nobody(p, way):
    caller = ask(p)
    call = kept(p, 1).pop()
    getattr(caller, way)()
    p.until(conns=0)
    call.answer(200, b"", b"nobody")
    assert ask(p) is not None
    kept(p, 1).pop().answer(200, b"", b"next")


def test_engine_may_stop_before_the_answer(p):
    caller = ask(p)
    call = kept(p, 1).pop()
    p.engine.stop()
    assert caller.answer().status == 503
    call.answer(200, b"", b"too late")
    del call
    p.kept_calls.clear()


def test_call_that_is_dropped_after_the_stop_harms_nobody(p):
    caller = ask(p)
    kept(p, 1)
    p.engine.stop()
    assert caller.answer().status == 503
    p.kept_calls.clear()


def test_many_threads_may_answer_while_the_engine_stops(proxy, origin):
    p = proxy(workers=2)
    p.keeping = True
    callers = [ask(p) for _ in range(64)]
    calls = list(kept(p, 64))
    p.kept_calls.clear()
    start = threading.Barrier(9)

    def answer(some: list) -> None:
        start.wait()
        for call in some:
            call.answer(200, b"", b"late")

    threads = [threading.Thread(target=answer, args=(calls[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    start.wait()
    p.engine.stop()
    for thread in threads:
        thread.join()
    calls.clear()
    assert {caller.answer().status for caller in callers} <= {200, 503}


def test_call_may_die_together_with_its_engine():
    p = Proxy(0)
    p.keeping = True
    caller = ask(p)
    cycle = [kept(p, 1).pop()]
    p.close()
    cycle += [cycle, p.engine]
    del p, caller, cycle
    assert gc.collect() > 0


def test_body_of_a_request_for_python_is_not_the_next_request(p):
    caller = ask(
        p, request_bytes("POST /x", body=b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n") + request_bytes("GET /y")
    )
    call = kept(p, 1).pop()
    call.answer(200, b"", b"one")
    assert caller.answer().body == b"one"
    call = kept(p, 1).pop()
    assert call.target == b"/y"
    call.answer(200, b"", b"two")
    assert caller.answer().body == b"two"


def test_pipelined_calls_come_one_after_the_other(p):
    caller = ask(p, request_bytes("GET /1") + request_bytes("GET /2"))
    first = kept(p, 1).pop()
    assert first.target == b"/1"
    first.answer(200, b"", b"1")
    kept(p, 1).pop().answer(200, b"", b"2")
    assert [caller.answer().body for _ in range(2)] == [b"1", b"2"]
