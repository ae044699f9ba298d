"""The readiness prober: who shares a round, in which rhythm it asks, and what counts as ready."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from dataplane import probes
from dataplane.config.schema import App as AppSettings
from dataplane.config.schema import Probe, Readiness
from dataplane.probes import Prober, Rhythm
from dataplane.probing.conn import ProbeFailed
from tests.unit.dataplane.probe_app import App, Call, app, http1, read_head, said

NS_PER_MS = 1_000_000


class Paper:
    """What was told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []

    def tell(self, level: int, message: str, fields: dict[str, object]) -> None:
        self.lines.append({"level": level, "message": message, **fields})


def prober(*probes: Probe, paper: Paper | None = None, detect: bool = False) -> Prober:
    readiness = Readiness(probes=probes, detect_http2=detect)
    return Prober(readiness, AppSettings(port=1, protocol="follow"), (paper or Paper()).tell)


def ask(asked: Prober) -> int:
    call = Call()
    asked.ask(call)
    return call.status()


def once(port: int, **fields) -> Probe:
    """A probe of one attempt with time enough for a busy machine."""
    return Probe(**{"kind": "http", "port": port, "period_s": 1, "timeout_s": 10, **fields})


@contextlib.contextmanager
def reserved_port() -> Iterator[socket.socket]:
    """Bound but not listening: refused, and nobody else's."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


class MadeClock:
    """Time for one rhythm: it passes by sleeping and by attempts."""

    def __init__(self, monkeypatch) -> None:
        self.now_ns = 5_000 * NS_PER_MS
        monkeypatch.setattr(probes, "monotonic_ns", lambda: self.now_ns)
        monkeypatch.setattr(probes, "sleep", self.pass_s)

    def pass_s(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_ns += round(seconds * 1_000_000_000)


class Script:
    """A check whose attempts do as they are told: how long each takes, and whether it succeeds."""

    def __init__(self, clock: MadeClock, *turns: tuple[int, bool]) -> None:
        self.clock = clock
        self.turns = turns
        self.at_ms: list[int] = []
        self.timeouts_ms: list[int] = []

    def attempt(self, timeout_ns: int) -> None:
        self.at_ms.append(self.clock.now_ns // NS_PER_MS - 5_000)
        self.timeouts_ms.append(timeout_ns // NS_PER_MS)
        took_ms, passes = self.turns[min(len(self.at_ms), len(self.turns)) - 1]
        self.clock.now_ns += took_ms * NS_PER_MS
        if not passes:
            raise ProbeFailed("not yet")


@pytest.mark.spec("DP-052")
def test_without_a_probe_the_app_is_always_ready():
    call = Call()
    prober().ask(call)
    assert call.said == (200, b"", b"queue")


@pytest.mark.spec("DP-026", "DP-027", "DP-042")
def test_a_probe_with_a_period_is_one_attempt():
    with app(http1(said(503), said(200))) as served:
        asked = prober(once(served.port))
        first, second = Call(), Call()
        asked.ask(first)
        assert first.status() == 503
        asked.ask(second)
        assert second.status() == 200
        assert (first.said, second.said) == ((503, b"", b""), (200, b"", b"queue"))
        assert served.connections == 2


@pytest.mark.spec("DP-048", "DP-054")
def test_callers_share_the_round_that_runs_and_a_later_one_begins_anew():
    goes_on = threading.Event()

    def held(served: App, sock: socket.socket) -> None:
        read_head(sock)
        served.saw({})
        goes_on.wait(10)
        sock.sendall(said(200))

    with app(held) as served:
        asked = prober(once(served.port))
        calls = [Call() for _ in range(10)]
        for call in calls[:5]:
            asked.ask(call)
        assert served.seen_one.wait(10)
        for call in calls[5:]:
            asked.ask(call)
        goes_on.set()
        assert {call.status() for call in calls} == {200}
        assert served.connections == 1
        assert ask(asked) == 200
        assert served.connections == 2


def test_too_many_callers_of_one_round_are_refused_and_the_others_are_answered(monkeypatch):
    monkeypatch.setattr(probes, "WAITING_MAX", 2)
    goes_on = threading.Event()

    def held(served: App, sock: socket.socket) -> None:
        read_head(sock)
        goes_on.wait(10)
        sock.sendall(said(200))

    with app(held) as served:
        asked = prober(once(served.port))
        calls = [Call() for _ in range(3)]
        for call in calls:
            asked.ask(call)
        assert calls[2].status() == 503
        goes_on.set()
        assert [call.status() for call in calls[:2]] == [200, 200]


@pytest.mark.spec("DP-039")
def test_an_app_that_comes_up_late_becomes_ready_within_the_same_call():
    paper = Paper()
    with reserved_port() as sock:
        call = Call()
        prober(Probe(kind="tcp", port=sock.getsockname()[1]), paper=paper).ask(call)
        assert not call.done.wait(0.3)
        sock.listen()
        assert call.status() == 200
    assert paper.lines == []


@pytest.mark.spec("DP-040", "DP-041")
def test_an_aggressive_probe_tries_every_50_ms_for_10_s_and_says_so_once(monkeypatch):
    clock = MadeClock(monkeypatch)
    check = Script(clock, (1, False))
    paper = Paper()
    assert not Rhythm(Probe(kind="tcp", port=80), check, paper.tell).passes()
    assert check.at_ms == list(range(0, 10_000, 50))
    assert set(check.timeouts_ms) == {100}
    assert [line["error"] for line in paper.lines] == ["200 failed attempts, the last: not yet"]
    assert paper.lines[0]["app"] == "127.0.0.1:80"


@pytest.mark.spec("DP-040")
def test_an_attempt_that_is_cut_at_100_ms_is_followed_by_the_next_at_once(monkeypatch):
    clock = MadeClock(monkeypatch)
    check = Script(clock, (100, False), (100, False), (1, True))
    assert Rhythm(Probe(kind="tcp", port=80), check, Paper().tell).passes()
    assert check.at_ms == [0, 100, 200]


@pytest.mark.spec("DP-046", "DP-047")
def test_successes_count_in_a_row_and_survive_until_a_failure(monkeypatch):
    clock = MadeClock(monkeypatch)
    turns = [(0, passes) for passes in (True, True, False, True, True, True, True, False, True, True, True)]
    check = Script(clock, *turns)
    rhythm = Rhythm(Probe(kind="tcp", port=80, success_threshold=3), check, Paper().tell)
    assert rhythm.passes()
    assert len(check.at_ms) == 6
    assert rhythm.passes()
    assert len(check.at_ms) == 7
    assert rhythm.passes()
    assert len(check.at_ms) == 11


@pytest.mark.spec("DP-049")
def test_two_probes_run_in_parallel_and_both_must_pass():
    both = threading.Barrier(2, timeout=10)

    def meeting(status: int):
        def serve(served: App, sock: socket.socket) -> None:
            read_head(sock)
            both.wait()
            sock.sendall(said(status))

        return serve

    with app(meeting(200)) as good, app(meeting(200)) as better, app(meeting(503)) as bad:
        assert ask(prober(once(good.port), once(better.port))) == 200
        assert ask(prober(once(good.port), once(bad.port))) == 503
        assert ask(prober(once(bad.port), once(good.port))) == 503


@pytest.mark.spec("DP-051")
def test_a_probe_without_a_handler_fails_at_once():
    paper = Paper()
    assert ask(prober(Probe(kind="none"), paper=paper)) == 503
    assert len(paper.lines) == 1


def test_a_mistake_in_a_probe_is_told_and_answered_as_not_ready():
    paper = Paper()
    with app(http1(said(200))) as served:
        assert ask(prober(once(served.port, headers=(("X", "\ud800"),)), paper=paper)) == 503
    assert "UnicodeEncodeError" in paper.lines[0]["error"]
    assert len(paper.lines) == 1


@pytest.mark.spec("DP-042")
def test_an_app_that_never_answers_costs_the_attempt_its_time_and_no_more():
    paper = Paper()
    with app(lambda served, sock: read_head(sock) and sock.recv(1)) as served:
        assert ask(prober(once(served.port, timeout_s=1), paper=paper)) == 503
    assert [line["error"] for line in paper.lines] == ["timed out"]
