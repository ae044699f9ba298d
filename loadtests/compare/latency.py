"""Latency: what a proxy adds at a fixed rate, and how well its limiter keeps ten slots busy."""

from __future__ import annotations

from functools import partial

from loadtests.compare.bench import Bench, Case
from loadtests.compare.load import LoadError, closed_loop, open_loop
from loadtests.compare.peers import Running, Setup
from loadtests.origin.server import ADDRESS, Origin
from loadtests.process import ProcessError
from loadtests.tools import ToolError

DIRECT = "direct"
RATE = 1000
CONNECTIONS = 64
POINTS = ("p50", "p99", "p99.9")
SLOTS = 10
CALLERS = 64
WORK_MS = 20
CYCLES_A_SECOND = 1000 // WORK_MS


class OpenLoop:
    """A case: 1,000 requests each second, whatever happens to those before.

    Records p50_us, p99_us, p99.9_us from the planned moment of each request, of
    the origin alone (`direct`) and through each proxy; and added_*_us, which is
    the difference of the two in one round. In a round all of them are asked in
    turns of a quarter of a second, so that they live through the same noise.
    """

    name = "open-loop"
    title = f"1 KiB, open loop at {RATE:,} requests/s"
    rate = RATE

    def run(self, bench: Bench) -> None:
        """Twice the rounds of other cases, of two seconds each: a percentile lives on the rare requests."""
        with (
            Origin(cpu=bench.load_cpu) as origin,
            bench.running(self.name, Setup(floor=True), origin.port) as running,
        ):
            targets = {DIRECT: f"{ADDRESS}:{origin.port}"}
            targets |= {name: f"{proxy.address}:{proxy.port}" for name, proxy in running.items()}
            self.all_rounds(bench, targets, 2 * bench.rounds)

    def all_rounds(self, bench: Bench, targets: dict[str, str], rounds: int) -> None:
        """targets  `address:port` by the name of the column; DIRECT is the origin"""
        for number in range(rounds):
            order = bench.in_turns(number, list(targets))
            try:
                self._round(bench, {who: targets[who] for who in order})
            except (LoadError, ProcessError, ToolError, OSError) as e:
                bench.fail(self.name, "all", e)

    def _round(self, bench: Bench, targets: dict[str, str]) -> None:
        loads = open_loop(
            list(targets.values()), "/", rate=self.rate, connections=CONNECTIONS, seconds=2, cpu=bench.load_cpu
        )
        seen = dict(zip(targets, loads, strict=True))
        for who, load in seen.items():
            if load.failed:
                bench.fail(self.name, who, f"{load.failed} requests failed, {load.requests} were answered")
            for point in POINTS:
                value, base = (one.percentiles_us[point] if one.requests else None for one in (load, seen[DIRECT]))
                bench.record(self.name, f"{point}_us", who, value)
                if who != DIRECT:
                    added = None if value is None or base is None else value - base
                    bench.record(self.name, f"added_{point}_us", who, added)


class Limiter:
    """A case: 64 callers before ten slots, with 20 ms of work for each request.

    Records rate (requests in a second) and cpu_us; `direct` is what ten callers
    reach at the origin itself, the most that ten slots can do. Both sides have
    the same client, which counts whole cycles of the ten slots once all of them
    are busy: neither the start nor the end of a round is part of the rate.
    """

    name = "limiter"
    title = f"limiter {SLOTS}, {CALLERS} callers, {WORK_MS} ms of work"

    def run(self, bench: Bench) -> None:
        """Short rounds, many of them: all peers that can queue, and ten callers at the origin, in turns."""
        with (
            Origin(cpu=bench.load_cpu) as origin,
            bench.running(self.name, Setup(limit=SLOTS), origin.port) as running,
        ):
            for number in range(2 * bench.rounds):
                for who in bench.in_turns(number, [DIRECT, *running]):
                    proxy = running.get(who)
                    at = f"{proxy.address}:{proxy.port}" if proxy else f"{ADDRESS}:{origin.port}"
                    metrics = ("rate", "cpu_us") if proxy else ("rate",)
                    bench.try_round(self.name, who, partial(self._round, bench, who, at, proxy), metrics)

    def _round(self, bench: Bench, who: str, at: str, proxy: Running | None) -> dict[str, float]:
        before = proxy.process.cpu() if proxy else None
        load = closed_loop(
            at,
            f"/delay/{WORK_MS}",
            connections=CALLERS if proxy else SLOTS,
            skip=2 * CALLERS,
            count=round(bench.seconds * CYCLES_A_SECOND) * SLOTS,
            cpu=bench.load_cpu,
        )
        if load.failed:
            bench.fail(self.name, who, f"{load.failed} requests failed, {load.requests} were answered")
        values = {"rate": load.rate}
        if proxy and before:
            values["cpu_us"] = proxy.process.cpu().since(before).total_ns / 1000 / load.requests
        return values


CASES: list[Case] = [Limiter(), OpenLoop()]
