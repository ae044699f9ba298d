"""Drain: how a sidecar leaves; quiet times are short here, the state machine's own test has the real ones."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from tests.origin import Origin
from tests.sidecarfixture import ADMIN_PORT, STATS_PORT, Sidecar
from tests.waiting import until

Make = Callable[..., Sidecar]

NETWORK = ("K-Network-Probe: probe", "K-Network-Hash: a")


def draining(started: Sidecar) -> Sidecar:
    """Sends TERM, and waits until probes say so."""
    started.term()
    until(lambda: started.probe().body == b"shutting down\n", "probes are refused")
    return started


def is_closed(started: Sidecar, port: int) -> bool:
    try:
        return not started.accepts(port)
    except AssertionError:
        return True


@pytest.mark.spec("DP-160")
def test_probes_are_refused_at_once(sidecar: Make, origin: Origin) -> None:
    started = draining(sidecar(PENSTOCK_QUIET_MS=5000))
    for fields in (("User-Agent: kube-probe/1.30",), ("User-Agent: Knative-Activator-Probe",), NETWORK):
        answer = started.get("/", *fields)
        assert (answer.status, answer.body) == (503, b"shutting down\n")
    assert not origin.heads


@pytest.mark.spec("DP-161")
def test_requests_are_served_during_the_quiet_time(sidecar: Make, origin: Origin) -> None:
    answer = draining(sidecar(PENSTOCK_QUIET_MS=5000)).get()
    assert answer.body == b"hello"
    assert answer.head.get("Connection") == b"close"


@pytest.mark.spec("DP-162", "DP-163", "DP-172")
def test_each_request_puts_the_end_off_and_then_it_leaves(sidecar: Make, origin: Origin) -> None:
    quiet_s = 1.5
    started = draining(sidecar(PENSTOCK_QUIET_MS=int(1000 * quiet_s)))
    began = last = time.monotonic()
    while last - began < 2 * quiet_s:
        last = time.monotonic()
        assert started.get().body == b"hello"
        time.sleep(quiet_s / 5)  # the pause is what is tested: shorter than the quiet time, which begins anew
    assert started.status() == 0
    assert time.monotonic() - last >= quiet_s


@pytest.mark.spec("DP-163", "DP-172")
def test_without_requests_it_leaves_after_the_quiet_time(sidecar: Make, origin: Origin) -> None:
    started = sidecar(PENSTOCK_QUIET_MS=700)
    began = time.monotonic()
    started.term()
    assert started.status() == 0
    assert time.monotonic() - began >= 0.7


@pytest.mark.spec("DP-162")
def test_steady_requests_cannot_hold_it_beyond_the_grace_period(sidecar: Make, origin: Origin) -> None:
    started = draining(sidecar(PENSTOCK_QUIET_MS=60_000, PENSTOCK_GRACE_PERIOD_MS=6000))
    began = time.monotonic()

    def is_over() -> bool:
        try:
            started.get()
        except OSError:
            return True
        return False

    until(is_over, "the main port closes")
    assert started.status() == 0
    assert time.monotonic() - began < 6


@pytest.mark.spec("DP-164")
def test_a_request_outlasts_the_quiet_time(sidecar: Make, origin: Origin) -> None:
    started = sidecar(PENSTOCK_QUIET_MS=200)
    before_head, after_head = origin.holds("/one"), origin.holds("/two", after="head")
    one, two = started.send("GET /one"), started.send("GET /two")
    before_head.until_reached()
    after_head.until_reached()
    draining(started)
    until(lambda: is_closed(started, started.port), "the main port closes")
    assert started.process.poll() is None
    before_head.finish()
    after_head.finish()
    assert one.answer().body == b"done"
    assert two.answer().body == b"done"
    assert started.status() == 0


@pytest.mark.spec("DP-093", "DP-164")
def test_waiting_requests_are_served_before_it_leaves(sidecar: Make, origin: Origin) -> None:
    started = sidecar(PENSTOCK_QUIET_MS=200, CONTAINER_CONCURRENCY=1)
    hold = origin.holds("/slow")
    lines = [started.send("GET /slow") for _ in range(5)]
    hold.until_reached()
    draining(started)
    until(lambda: is_closed(started, started.port), "the main port closes")
    hold.finish()
    assert [line.answer().body for line in lines] == [b"done"] * 5
    assert started.status() == 0


@pytest.mark.spec("DP-166", "DP-169")
def test_the_hook_waits_with_term_for_the_quiet_time(sidecar: Make, origin: Origin) -> None:
    started = sidecar(PENSTOCK_QUIET_MS=2000)
    began = time.monotonic()
    started.term()
    callers = [started.send("GET /wait-for-drain", port=ADMIN_PORT) for _ in range(5)]
    answers = [line.answer() for line in callers]
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"")}
    assert time.monotonic() - began >= 2
    assert started.status() == 0


@pytest.mark.spec("DP-167", "DP-168", "DP-169")
def test_the_hook_without_term_is_over_after_a_second_and_probes_recover(sidecar: Make, origin: Origin) -> None:
    started = sidecar()
    began = time.monotonic()
    callers = [started.send("GET /wait-for-drain", port=ADMIN_PORT) for _ in range(3)]
    until(lambda: started.probe().status == 503, "probes are refused meanwhile")
    assert started.get().body == b"hello"
    assert [line.answer().status for line in callers] == [200] * 3
    assert 0.9 <= time.monotonic() - began < 5
    until(lambda: started.probe().body == b"queue", "probes recover")
    assert started.get("/", *NETWORK).status == 200
    assert started.get().head.get("Connection") is None


@pytest.mark.spec("DP-166")
def test_term_during_the_hook_makes_it_a_real_drain(sidecar: Make, origin: Origin) -> None:
    started = sidecar(PENSTOCK_QUIET_MS=2500)
    began = time.monotonic()
    caller = started.send("GET /wait-for-drain", port=ADMIN_PORT)
    until(lambda: started.probe().status == 503, "the hook has begun")
    started.term()
    assert caller.answer().status == 200
    assert time.monotonic() - began >= 2.4
    assert started.status() == 0


@pytest.mark.spec("DP-170")
def test_the_hook_answers_at_once_after_the_drain(sidecar: Make, origin: Origin) -> None:
    started = sidecar(PENSTOCK_QUIET_MS=100)
    hold = origin.holds("/slow")
    slow = started.send("GET /slow")
    hold.until_reached()
    draining(started)
    until(lambda: is_closed(started, started.port) and is_closed(started, STATS_PORT), "the other ports close")
    assert started.get("/wait-for-drain", port=ADMIN_PORT).status == 200
    hold.finish()
    assert slow.answer().body == b"done"
    assert started.status() == 0


@pytest.mark.spec("DP-171")
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_a_second_signal_ends_it_at_once(sidecar: Make, origin: Origin, second: signal.Signals) -> None:
    hold = origin.holds("/slow")
    started = sidecar()
    started.send("GET /slow")
    hold.until_reached()
    draining(started)
    started.process.send_signal(second)
    assert started.status() == 1
    hold.finish()


@pytest.mark.spec("DP-172")
def test_a_term_before_it_serves_is_not_lost(sidecar: Make, origin: Origin) -> None:
    started = sidecar(wait=False, PENSTOCK_QUIET_MS=100)
    until(lambda: caught_term(started.pid), "the process minds TERM")
    started.term()
    assert started.status() == 0


def caught_term(pid: int) -> bool:
    """Has the process a handler of its own for TERM?"""
    with open(f"/proc/{pid}/status") as status:
        (mask,) = [line.split()[1] for line in status if line.startswith("SigCgt:")]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.spec("DP-165")
def test_an_upgraded_connection_gets_a_minute(sidecar: Make, app: Origin) -> None:
    started = sidecar(PENSTOCK_QUIET_MS=100)
    caller = started.send("GET /socket", "Connection: Upgrade", "Upgrade: chat")
    behind = app.accept()
    behind.head()
    behind.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n")
    assert caller.head().status == 101
    began = time.monotonic()
    draining(started)
    until(lambda: is_closed(started, started.port), "the main port closes")
    while time.monotonic() - began < 58:
        time.sleep(1)  # the minute itself is what is tested, with the connection in use
        caller.send(b"ping")
        assert behind.read(4) == b"ping"
        behind.send(b"pong")
        assert caller.read(4) == b"pong"
    assert started.status(patience_s=20) == 0
    assert time.monotonic() - began >= 60
