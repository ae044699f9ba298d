"""Throughput: CPU per request of closed-loop cases, by the kernel's accounting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from loadtests.compare.bench import Bench
from loadtests.compare.load import Load, LoadError, h2load, wrk
from loadtests.compare.peers import CONF, Peer, Running, Setup
from loadtests.origin.server import Origin

Drive = Callable[[Running, float, int | None], Load]
METRICS = ("cpu_us", "user_us", "system_us", "rate")
WARM_UP_S = 1


class Throughput:
    """A case: callers that ask again as soon as they are answered.

    Records cpu_us, user_us, system_us (for each request; of a 1 MiB body that
    is for each MiB) and rate (requests in a second).
    """

    __slots__ = ("drive", "name", "peers", "setup", "title", "unit")

    def __init__(
        self,
        name: str,
        title: str,
        setup: Setup,
        drive: Drive,
        unit: str = "request",
        peers: Sequence[Peer] | None = None,
    ) -> None:
        """peers  that are measured in place of the run's."""
        self.name = name
        self.title = title
        self.setup = setup
        self.drive = drive
        self.unit = unit
        self.peers = peers

    def run(self, bench: Bench) -> None:
        """All rounds, all peers in turns."""
        with (
            Origin(h2c=self.setup.up == "h2c", cpu=bench.load_cpu) as origin,
            bench.running(self.name, self.setup, origin.port, self.peers) as running,
        ):
            self.all_rounds(bench, running)

    def all_rounds(self, bench: Bench, running: Mapping[str, Running]) -> None:
        """Of proxies that are started, by the name of their column."""
        with ThreadPoolExecutor() as together:
            list(together.map(partial(self._warm_up, bench), running.values()))
        for number in range(bench.rounds):
            for peer in bench.in_turns(number, list(running)):
                bench.try_round(self.name, peer, partial(self._round, bench, running[peer]), METRICS)

    def _warm_up(self, bench: Bench, proxy: Running) -> None:
        try:
            self.drive(proxy, WARM_UP_S, bench.load_cpu)
        except LoadError as e:
            bench.fail(self.name, proxy.peer.name, e)

    def _round(self, bench: Bench, proxy: Running) -> dict[str, float]:
        proxy.process.check()
        before = proxy.process.cpu()
        load = self.drive(proxy, bench.seconds, bench.load_cpu)
        used = proxy.process.cpu().since(before)
        if not load.requests:
            raise LoadError("no request was answered")
        if load.failed:
            bench.fail(self.name, proxy.peer.name, f"{load.failed} of {load.requests} requests failed")
        each_us = used.total_ns / 1000 / load.requests
        return {
            "cpu_us": each_us,
            "user_us": each_us * used.user_share,
            "system_us": each_us * (1 - used.user_share),
            "rate": load.rate,
        }


def over_h1(path: str, connections: int, *, close: bool = False, script: Path | None = None) -> Drive:
    """wrk against `path`, over cleartext HTTP/1.1."""

    def drive(proxy: Running, seconds: float, cpu: int | None) -> Load:
        url = f"http://{proxy.address}:{proxy.port}{path}"
        return wrk(url, connections=connections, seconds=seconds, cpu=cpu, close=close, script=script)

    return drive


def over_tls(path: str, connections: int) -> Drive:
    """wrk against `path`, over HTTP/1.1 in TLS."""

    def drive(proxy: Running, seconds: float, cpu: int | None) -> Load:
        return wrk(f"https://{proxy.address}:{proxy.port}{path}", connections=connections, seconds=seconds, cpu=cpu)

    return drive


def over_h2c(path: str, connections: int, streams: int) -> Drive:
    """h2load against `path`, over HTTP/2 without TLS."""

    def drive(proxy: Running, seconds: float, cpu: int | None) -> Load:
        url = f"http://{proxy.address}:{proxy.port}{path}"
        return h2load(url, connections=connections, streams=streams, seconds=seconds, cpu=cpu)

    return drive


CASES = [
    Throughput("keepalive-1", "1 KiB, keep-alive, 1 connection", Setup(floor=True), over_h1("/", 1)),
    Throughput("keepalive-64", "1 KiB, keep-alive, 64 connections", Setup(floor=True), over_h1("/", 64)),
    Throughput("keepalive-1000", "1 KiB, keep-alive, 1,000 connections", Setup(floor=True), over_h1("/", 1000)),
    Throughput("new-connection", "1 KiB, a new connection each time", Setup(), over_h1("/", 64, close=True)),
    Throughput("down-1m", "1 MiB down", Setup(), over_h1("/1m", 8), "MiB"),
    Throughput("up-1m", "1 MiB up", Setup(), over_h1("/up", 8, script=CONF / "upload.lua"), "MiB"),
    Throughput("chunked", "8 KiB chunked, both ways", Setup(), over_h1("/chunked", 64, script=CONF / "chunked.lua")),
    Throughput("h2c-h1", "h2c to HTTP/1.1, 64 streams on 4", Setup(down="h2c"), over_h2c("/", 4, 16)),
    Throughput("h1-h2c", "HTTP/1.1 to h2c, 64 connections", Setup(up="h2c"), over_h1("/1k", 64)),
    Throughput("tls-h1", "TLS to HTTP/1.1, 64 connections", Setup(down="tls"), over_tls("/", 64)),
]
