"""Targets: requests wait for endpoints, run on them, and outlive them."""

from __future__ import annotations

import pytest

from tests.targetfixture import REVISION, refusing_port

WORKERS = pytest.mark.parametrize("workers", [1, 2], ids=["one worker", "two workers"])


@pytest.mark.spec("DP-186")
@WORKERS
@pytest.mark.parametrize("body", [b"", b"a form"], ids=["without body", "with body"])
def test_a_request_is_held_until_an_endpoint_comes(targets, pods, workers, body):
    t = targets(workers=workers)
    sent = t.ask("POST /", body=body)
    t.until(gate=(0, 0, 1))
    assert t.events() == [(REVISION, "wanted", None)]
    t.serve(pods[0])
    assert sent.answer().body == b"hello"
    t.until(gate=(1, 0, 0))


@pytest.mark.spec("DP-194")
@WORKERS
def test_three_endpoints_of_one_slot_run_three_requests(targets, pods, workers):
    holds = [pod.holds("/") for pod in pods[:3]]
    t = targets(workers=workers)
    sent = [t.ask() for _ in range(7)]
    t.until(gate=(0, 0, 7))
    t.serve(*pods[:3])
    for hold in holds:
        hold.until_reached()
    t.until(gate=(3, 3, 4))
    for hold in holds:
        hold.finish()
    assert [s.answer().body for s in sent] == [b"done"] * 7
    assert [pod.most_running for pod in pods[:3]] == [1, 1, 1]
    t.until(gate=(3, 0, 0))


@pytest.mark.spec("DP-195")
@WORKERS
def test_without_a_limit_all_run_on_one_endpoint_and_none_without_any(targets, pods, workers):
    hold = pods[0].holds("/")
    t = targets(workers=workers)
    sent = [t.ask() for _ in range(50)]
    t.until(pending=50)
    assert pods[0].seen("/") == 0
    t.serve(pods[0], unlimited=True)
    for _ in sent:
        hold.until_reached()
    t.serve(unlimited=True)
    late = t.ask()
    t.until(gate=(0, 50, 1))
    hold.finish()
    assert {s.answer().body for s in sent} == {b"done"}
    t.until(gate=(0, 0, 1))
    t.serve(pods[0], unlimited=True)
    assert late.answer().body == b"done"


@pytest.mark.spec("DP-196", "DP-197")
def test_few_slots_are_filled_in_the_order_of_addresses(targets, pods):
    holds = [pod.holds("/") for pod in pods]
    t = targets()
    t.serve(*reversed(pods), each=3)
    sent = [t.ask() for _ in range(3)]
    for _ in sent:
        holds[0].until_reached()
    assert [pod.running for pod in pods] == [3, 0, 0, 0, 0]
    for hold in holds:
        hold.finish()
    assert {s.answer().body for s in sent} == {b"done"}


@pytest.mark.spec("DP-196", "DP-198")
def test_many_slots_are_filled_in_turn(targets, pods):
    holds = [pod.holds("/") for pod in pods[:3]]
    t = targets()
    t.serve(*pods[:3], each=5)
    sent = [t.ask() for _ in range(3)]
    for hold in holds:
        hold.until_reached()
    assert [pod.running for pod in pods[:3]] == [1, 1, 1]
    for hold in holds:
        hold.finish()
    assert {s.answer().body for s in sent} == {b"done"}


@pytest.mark.spec("DP-199")
def test_without_a_limit_the_less_busy_of_two_is_chosen(targets, pods):
    holds = [pod.holds("/") for pod in pods[:2]]
    t = targets()
    t.serve(pods[0], unlimited=True)
    sent = [t.ask() for _ in range(2)]
    for _ in sent:
        holds[0].until_reached()
    t.serve(*pods[:2], unlimited=True)
    sent += [t.ask() for _ in range(2)]
    for _ in range(2):
        holds[1].until_reached()
    for hold in holds:
        hold.finish()
    assert {s.answer().body for s in sent} == {b"done"}


@pytest.mark.spec("DP-203")
@WORKERS
def test_an_endpoint_that_stays_keeps_what_runs_there(targets, pods, workers):
    hold = pods[0].holds("/")
    t = targets(workers=workers)
    t.serve(pods[0])
    first = t.ask()
    hold.until_reached()
    t.serve(*pods[:2])
    assert t.ask().answer().body == b"hello"
    t.until(gate=(2, 1, 0))
    assert pods[0].most_running == 1
    hold.finish()
    assert first.answer().body == b"done"


@pytest.mark.spec("DP-204")
@WORKERS
def test_an_endpoint_that_leaves_ends_what_runs_there(targets, pods, workers):
    holds = [pods[0].holds("/"), pods[0].holds("/more")]
    t = targets(workers=workers)
    t.serve(*pods[:2], each=2)
    held = [t.ask("GET /"), t.ask("GET /more")]
    for hold in holds:
        hold.until_reached()
    t.serve(pods[1], each=1)
    t.until(gate=(3, 2, 0))  # a slot that is free, and two that go with their requests
    assert [t.ask().answer().body for _ in range(3)] == [b"hello"] * 3
    assert pods[0].seen("/") == 1
    t.serve()
    waiting = t.ask()
    t.until(gate=(2, 2, 1))
    for hold in holds:
        hold.finish()
    assert [s.answer().body for s in held] == [b"done"] * 2
    t.until(gate=(0, 0, 1))
    t.serve(pods[1])
    assert waiting.answer().body == b"hello"


def test_an_endpoint_that_comes_back_finds_its_requests_counted(targets, pods):
    hold = pods[0].holds("/")
    t = targets()
    t.serve(pods[0])
    first = t.ask()
    hold.until_reached()
    t.serve()
    t.until(gate=(1, 1, 0))
    t.serve(pods[0])
    t.until(gate=(2, 1, 0))
    hold.finish()
    assert first.answer().body == b"done"
    t.until(gate=(1, 0, 0))


@WORKERS
def test_requests_go_on_in_the_order_of_their_coming(targets, pods, workers):

    t = targets(workers=workers)
    sent = []
    for number in range(8):
        sent.append(t.ask(f"GET /{number}"))
        t.until(pending=number + 1)
    t.serve(pods[0])
    assert [s.answer().body for s in sent] == [b"hello"] * 8
    order = [head.target for head in pods[0].heads]
    assert order == [b"/%d" % number for number in range(8)]


@pytest.mark.spec("DP-205")
def test_a_full_room_refuses_at_once(targets):
    t = targets(wish={"waiting_max": 3})
    held = [t.ask() for _ in range(3)]
    t.until(pending=3)
    refused = t.ask().answer()
    assert refused.status == 503
    assert refused.body == b"pending request queue full\n"
    assert refused.head.get("Retry-After") == b"1"
    assert refused.head.get("Proxy-Status").startswith(b"activator; ")
    running = 1
    while running:  # the caller has its answer a moment before the exchange is over
        requests, _, running, waiting, full = t.engine.report()[1][REVISION]
    assert (requests, waiting, full) == (4, 3, 1)
    for one in held:
        one.leave()
    t.until(pending=0)


@pytest.mark.spec("DP-192")
@WORKERS
@pytest.mark.parametrize("body", [b"", b"x" * 100_000], ids=["without body", "with body"])
def test_a_caller_that_leaves_gives_up_its_place(targets, pods, workers, body):
    t = targets(workers=workers, wish={"waiting_max": 1})
    first = t.ask("POST /", body=body)
    t.until(gate=(0, 0, 1))
    first.leave()
    t.until(gate=(0, 0, 0))
    second = t.ask()
    t.until(gate=(0, 0, 1))
    t.serve(pods[0])
    assert second.answer().body == b"hello"
    assert pods[0].most_running == 1


@pytest.mark.spec("DP-187")
def test_the_time_of_a_request_counts_from_its_coming(targets):
    t = targets(wish={"request_ns": 50_000_000})
    answer = t.ask().answer()
    assert answer.status == 504
    assert answer.body == b"activator request timeout"
    t.until(gate=(0, 0, 0))


@pytest.mark.spec("DP-188")
def test_the_start_of_an_answer_counts_from_the_coming_of_the_request(targets):
    t = targets(wish={"start_ns": 50_000_000})
    answer = t.ask().answer()
    assert (answer.status, answer.body) == (504, b"activator request timeout")


def test_where_nobody_waits_a_request_without_an_endpoint_is_refused(targets, pods):
    t = targets(wish={"hold": False, "reports": False})
    refused = t.ask().answer()
    assert refused.status == 503
    assert b"error=destination_unavailable" in refused.head.get("Proxy-Status")
    t.serve(pods[0])
    assert t.ask().answer().body == b"hello"
    t.serve()
    assert t.ask().answer().status == 503


@WORKERS
def test_an_endpoint_that_refuses_costs_no_request(targets, pods, workers):
    taken, port = refusing_port()
    with taken:
        t = targets(workers=workers)
        t.serve(port, pods[0])
        told = []
        while (REVISION, "refused", ("127.0.0.1", port)) not in told:  # the other one may be quick enough for a round
            sent = [t.ask("POST /", body=b"a form") for _ in range(6)]
            assert [s.answer().body for s in sent] == [b"hello"] * 6
            told += t.engine.take_events()
        t.until(gate=(1, 0, 0))
        t.serve(port, pods[0])
        t.until(gate=(2, 0, 0))


@WORKERS
def test_a_request_that_is_refused_everywhere_waits_at_the_front(targets, pods, workers):
    taken, port = refusing_port()
    with taken:
        t = targets(workers=workers)
        first = t.ask("POST /first", body=b"a form")
        t.until(gate=(0, 0, 1))
        second = t.ask("GET /second")
        t.until(gate=(0, 0, 2))
        t.events()
        t.serve(port)
        assert t.events()[0] == (REVISION, "refused", ("127.0.0.1", port))
        t.until(gate=(0, 0, 2))
        t.serve(pods[0])
        assert first.answer().body == b"hello"
        assert second.answer().body == b"hello"
        assert [head.target for head in pods[0].heads] == [b"/first", b"/second"]


@pytest.mark.spec("DP-190")
def test_after_three_refusals_the_caller_is_told(targets):
    taken, port = refusing_port()
    with taken:
        t = targets()
        sent = t.ask()
        for _ in range(3):
            t.serve(port)
            while not any(kind == "refused" for _, kind, _ in t.events()):
                pass
        answer = sent.answer()
    assert answer.status == 502
    assert answer.body == f"dial tcp 127.0.0.1:{port}: connect: connection refused\n".encode()
    t.until(gate=(0, 0, 0))
