"""Latency: what a proxy adds at a fixed rate, and how well its limiter keeps ten slots busy."""

from __future__ import annotations

from functools import partial

from loadtests.compare.bench import Bench, Case
from loadtests.compare.load import Load, LoadError, open_loop, wrk
from loadtests.compare.peers import Running, Setup
from loadtests.origin.server import ADDRESS, Origin
from loadtests.process import Process

DIRECT = "direct"
RATE = 1000
CONNECTIONS = 64
POINTS = ("p50", "p99", "p99.9")
SLOTS = 10
CALLERS = 64
WORK_MS = 20


def _checked(bench: Bench, case: str, who: str, load: Load) -> Load:
    if not load.requests:
        raise LoadError("no request was answered")
    if load.failed:
        bench.fail(case, who, f"{load.failed} requests failed, {load.requests} were answered")
    return load


class OpenLoop:
    """A case: 1,000 requests each second, whatever happens to those before.

    Records p50_us, p99_us, p99.9_us from the planned moment of each request, of
    the origin alone (`direct`) and through each proxy; and added_*_us, which is
    the difference of the two in one round.
    """

    name = "open-loop"
    title = f"1 KiB, open loop at {RATE:,} requests/s"

    def run(self, bench: Bench) -> None:
        """All rounds, all peers and the origin alone in turns."""
        setup = Setup(floor=True)
        with Origin(cpu=bench.load_cpu) as origin, bench.running(self.name, setup, origin.port) as running:
            # a percentile needs many short rounds rather than few long ones: a stall spoils only one
            for number in range(2 * bench.rounds):
                base: dict[str, float] = {}
                for who in [DIRECT, *bench.in_turns(number, list(running))]:
                    proxy = running.get(who)
                    address, port = (proxy.address, proxy.port) if proxy else (ADDRESS, origin.port)
                    measure = partial(self._round, bench, who, address, port, base)
                    added = [f"added_{point}_us" for point in POINTS] if proxy else []
                    bench.try_round(self.name, who, measure, (*(f"{point}_us" for point in POINTS), *added))

    def _round(self, bench: Bench, who: str, address: str, port: int, base: dict[str, float]) -> dict[str, float]:
        seconds = max(1.5, bench.seconds)
        load = open_loop(address, port, "/", rate=RATE, connections=CONNECTIONS, seconds=seconds, cpu=bench.load_cpu)
        seen = _checked(bench, self.name, who, load).percentiles_us
        if who == DIRECT:
            base.update(seen)
        values = {f"{point}_us": seen[point] for point in POINTS}
        return values | {f"added_{point}_us": seen[point] - base[point] for point in POINTS if base}


class Limiter:
    """A case: 64 callers before ten slots, with 20 ms of work for each request.

    Records rate (requests in a second) and cpu_us; `direct` is what ten callers
    reach at the origin itself, the most that ten slots can do.
    """

    name = "limiter"
    title = f"limiter {SLOTS}, {CALLERS} callers, {WORK_MS} ms of work"

    def run(self, bench: Bench) -> None:
        """All rounds, all peers that can queue, and ten callers at the origin."""
        setup = Setup(limit=SLOTS)
        with Origin(cpu=bench.load_cpu) as origin, bench.running(self.name, setup, origin.port) as running:
            for number in range(bench.rounds):
                at = (ADDRESS, origin.port, SLOTS)
                bench.try_round(self.name, DIRECT, partial(self._round, bench, DIRECT, *at, None), ("rate",))
                for who in bench.in_turns(number, list(running)):
                    at = (running[who].address, running[who].port, CALLERS)
                    measure = partial(self._round, bench, who, *at, running[who])
                    bench.try_round(self.name, who, measure, ("rate", "cpu_us"))

    def _round(
        self, bench: Bench, who: str, address: str, port: int, callers: int, proxy: Running | None
    ) -> dict[str, float]:
        process: Process | None = proxy.process if proxy else None
        before = process.cpu() if process else None
        url = f"http://{address}:{port}/delay/{WORK_MS}"
        load = wrk(url, connections=callers, seconds=max(2.0, bench.seconds), cpu=bench.load_cpu)
        _checked(bench, self.name, who, load)
        values = {"rate": load.requests / load.seconds}
        if process and before:
            values["cpu_us"] = process.cpu().since(before).total_ns / 1000 / load.requests
        return values


CASES: list[Case] = [Limiter(), OpenLoop()]
