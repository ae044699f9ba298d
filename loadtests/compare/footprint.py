"""Footprint: memory, start-up and idle CPU of each proxy."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from functools import partial

from loadtests.compare.bench import US, Bench, Case
from loadtests.compare.callers import ask, connected, get, read_answer
from loadtests.compare.collector import Collector
from loadtests.compare.load import LoadError, wrk
from loadtests.compare.peers import Peer, Running, Setup
from loadtests.origin.server import Origin

MIB = 1 << 20
CROWD = 1000
METRICS_PORT = 9091
# long enough for lazy work after a request to be over, and for 1,000 requests to arrive
SETTLE_S = 0.5
HELD_MS = 3000
EXPORT_WAIT_S = 20.0


class Memory:
    """A case: the resident set in five states, each in a process of its own.

    Records, in MiB: idle (after one request), scraped (then 9091 read once),
    idle_1000 (1,000 connections that each had one answer), flight_1000 (1,000
    requests at the origin), traces_http and traces_grpc (spans exported).
    """

    name = "memory"
    title = "resident memory"

    def run(self, bench: Bench) -> None:
        """Every state of every peer, as often as the run asks."""
        with Origin() as origin:
            peers = {peer.name: peer for peer in bench.peers_of(self.name) if peer.name != "floor"}
            for number in range(bench.few):
                for name in bench.in_turns(number, list(peers)):
                    peer = peers[name]
                    bench.try_round(self.name, name, partial(_at_rest, peer, origin.port), _states(peer))
                    for state, hold in (("idle_1000_mib", False), ("flight_1000_mib", True)):
                        measure = partial(_with_crowd, peer, origin.port, state, hold=hold)
                        bench.try_round(self.name, name, measure, (state,))
                    if name == US:
                        self._traces(bench, peer, origin.port)

    def _traces(self, bench: Bench, peer: Peer, origin_port: int) -> None:
        for state, protocol in (("traces_http_mib", "http/protobuf"), ("traces_grpc_mib", "grpc")):
            measure = partial(_with_traces, peer, origin_port, state, protocol)
            bench.try_round(self.name, peer.name, measure, (state,))


def _states(peer: Peer) -> tuple[str, ...]:
    return ("idle_mib", "scraped_mib") if peer.name == US else ("idle_mib",)


def _at_rest(peer: Peer, origin_port: int) -> dict[str, float]:
    with Running(peer, Setup(), origin_port) as proxy:
        proxy.wait_ready()
        get(proxy.address, proxy.port)
        time.sleep(SETTLE_S)
        seen = {"idle_mib": proxy.process.rss_bytes() / MIB}
        if peer.name == US:
            get(proxy.address, METRICS_PORT, "/metrics")
            time.sleep(SETTLE_S)
            seen["scraped_mib"] = proxy.process.rss_bytes() / MIB
        return seen


def _with_crowd(peer: Peer, origin_port: int, state: str, *, hold: bool) -> dict[str, float]:
    with Running(peer, Setup(), origin_port) as proxy:
        proxy.wait_ready()
        with connected(proxy.address, proxy.port, CROWD) as callers:
            since = time.monotonic()
            for caller in callers:
                ask(caller, f"/delay/{HELD_MS}" if hold else "/")
                if not hold:
                    read_answer(caller)
            time.sleep(SETTLE_S)
            seen = proxy.process.rss_bytes() / MIB
            if hold and time.monotonic() - since > HELD_MS / 1000:
                raise LoadError(f"the first answers came before {CROWD:,} requests were in flight")
            if hold:
                for caller in callers:
                    read_answer(caller)
        return {state: seen}


def _with_traces(peer: Peer, origin_port: int, state: str, protocol: str) -> dict[str, float]:
    with ExitStack() as stack:
        collector = stack.enter_context(Collector(protocol))
        setup = Setup(traces=(protocol, collector.endpoint))
        proxy = stack.enter_context(Running(peer, setup, origin_port))
        proxy.wait_ready()
        wrk(f"http://{proxy.address}:{proxy.port}/delay/20", connections=8, seconds=1)
        if not collector.got.wait(EXPORT_WAIT_S):
            raise LoadError(f"no span reached the collector by {protocol} in {EXPORT_WAIT_S:g} s")
        time.sleep(SETTLE_S)
        return {state: proxy.process.rss_bytes() / MIB}


class Startup:
    """A case: from exec to the first byte that the origin sent. Records first_byte_ms."""

    name = "startup"
    title = "exec to first proxied byte"

    def run(self, bench: Bench) -> None:
        """Starts every peer in turns; starts are cheap, so twice as often as other rounds."""
        with Origin() as origin:
            peers = {peer.name: peer for peer in bench.peers_of(self.name)}
            for number in range(bench.rounds * 2):
                for name in bench.in_turns(number, list(peers)):
                    measure = partial(_first_byte, peers[name], origin.port)
                    bench.try_round(self.name, name, measure, ("first_byte_ms",))


def _first_byte(peer: Peer, origin_port: int) -> dict[str, float]:
    with Running(peer, Setup(floor=True), origin_port) as proxy:
        deadline = proxy.process.started + 15
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((proxy.address, proxy.port), 5) as caller:
                    ask(caller, "/")
                    first = caller.recv(65536)
                    now = time.monotonic()
            except OSError:
                proxy.process.check()
                time.sleep(0.0003)
                continue
            if not first.startswith(b"HTTP/1.1 200"):
                raise LoadError(f"the first answer is {first[:40]!r}")
            return {"first_byte_ms": (now - proxy.process.started) * 1000}
    raise LoadError("no answer within 15 s")


class IdleCpu:
    """A case: CPU of a proxy that served one request and has nothing to do. Records percent of a core."""

    name = "idle-cpu"
    title = "idle CPU"

    def run(self, bench: Bench) -> None:
        """All peers side by side, since none of them does anything."""
        window_s = 3.0 if bench.quick else 10.0
        with Origin(cpu=bench.load_cpu) as origin, bench.running(self.name, Setup(floor=True), origin.port) as running:
            for proxy in running.values():
                get(proxy.address, proxy.port)
            for _ in range(bench.few):
                # what a request leaves to be done is not idleness
                time.sleep(SETTLE_S)
                before = {name: proxy.process.cpu() for name, proxy in running.items()}
                since = time.monotonic()
                time.sleep(window_s)
                elapsed_ns = (time.monotonic() - since) * 1e9
                for name, proxy in running.items():
                    used = proxy.process.cpu().since(before[name])
                    bench.record(self.name, "percent", name, 100 * used.total_ns / elapsed_ns)


CASES: list[Case] = [Memory(), Startup(), IdleCpu()]
