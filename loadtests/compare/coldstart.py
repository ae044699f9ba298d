"""Cold start: what `penstock up` adds to the start of an app, and what it takes itself."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loadtests import story_app
from loadtests.compare.bench import US, Bench, Case, number
from loadtests.compare.load import LoadError
from loadtests.process import Process, free_port
from loadtests.upheaval.machine import FORKSERVER, GATEWAY, UP, CommandError, Machine

MIB = 1 << 20
APPS = {"c": "sh app.sh", "python": "python3 app.py"}
"""One that listens at once, and one whose interpreter has to start first."""
EACH = 10
"""Services of each app."""
TOGETHER = 4
"""Commands at once, where nothing is measured."""
BURST_S = 0.1
PATIENCE_S = 60.0
LOOK_S = 0.1
METRICS = (
    "c_p50_ms",
    "python_p50_ms",
    "p50_ms",
    "p99_ms",
    "burst_p99_ms",
    "bare_p99_ms",
    "burst_more_p99_ms",
    "explain_ms",
)


@contextmanager
def machine() -> Iterator[tuple[Machine, float]]:
    """A `penstock up`, and the seconds until it was ready; it goes away with all that it started."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-up-") as folder:
        made = Machine(Path(folder))
        shutil.copy(str(story_app.__file__), made.app / "app.py")
        try:
            began_s = time.monotonic()
            _do(made.up())
            yield made, time.monotonic() - began_s
            _do(made.penstock("down"))
        except CommandError as error:
            raise LoadError(f"{error}\n{made.log()}") from error
        finally:
            made.killed()


def _do(work: Coroutine[Any, Any, object]) -> None:
    asyncio.run(work)


def p99(values: list[float]) -> float:
    """The 99th percentile; of fewer than a hundred values the largest."""
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


class ColdStart:
    """A case: the first request to each of twenty services at zero, one after another, then ten in one second.

    The caller's delay less `started`, which the answer's Server-Timing has: what
    its app took from its first instruction until it listened. Records p50_ms,
    p99_ms, and c_p50_ms and python_p50_ms of each app; burst_p99_ms is the whole
    delay of ten in one second, bare_p99_ms that of the same ten programs started
    and asked without us, and burst_more_p99_ms is the one less the other. explain_ms is the server's.
    """

    name = "cold-start"
    title = "cold start on one machine"

    def run(self, bench: Bench) -> None:
        """All rounds on one machine, which is back at zero before each."""
        with machine() as (up, _ready_s):
            asyncio.run(_deployed(up))
            for _ in range(bench.few):
                bench.try_round(self.name, US, lambda: self._round(bench, up), METRICS)

    def _round(self, bench: Bench, up: Machine) -> dict[str, float]:
        _until_zero(up)
        bare = _in_one_second(lambda _: start_bare(up))
        ours: dict[str, list[float]] = {app: [] for app in APPS}
        seen: list[dict[str, float]] = []
        for app, times in ours.items():
            for at in range(EACH):
                delay_ms, phases = ask_from_zero(up, f"{app}-{at}")
                times.append(delay_ms - phases["started"])
                seen.append(phases)
        explain_ms = statistics.median(explained(up, "c-0") for _ in range(EACH))
        _until_zero(up)
        burst = _in_one_second(lambda at: ask_from_zero(up, f"c-{at}")[0])
        medians = {phase: statistics.median(one[phase] for one in seen) for phase in seen[0]}
        bench.notes[self.name] = ", ".join(f"{phase} {number(ms)} ms" for phase, ms in medians.items())
        both = [one for times in ours.values() for one in times]
        return {
            **{f"{app}_p50_ms": statistics.median(times) for app, times in ours.items()},
            "p50_ms": statistics.median(both),
            "p99_ms": p99(both),
            "burst_p99_ms": p99(burst),
            "bare_p99_ms": p99(bare),
            "burst_more_p99_ms": p99(burst) - p99(bare),
            "explain_ms": explain_ms,
        }


async def _deployed(up: Machine) -> None:
    """All services, each with its first pod ready, as a user's are."""
    turn = asyncio.Semaphore(TOGETHER)

    async def one(name: str, command: str) -> None:
        async with turn:
            await up.penstock(
                "deploy", "app", "--name", name, "--command", command,
                "--annotation", "autoscaling.knative.dev/window=6s",
            )  # fmt: skip

    await asyncio.gather(*(one(f"{app}-{n}", words) for app, words in APPS.items() for n in range(EACH)))


def _until_zero(up: Machine) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while up.pod_names():
        if time.monotonic() > deadline:
            raise LoadError(f"not at zero after {PATIENCE_S:g} s: {up.pod_names()}")
        time.sleep(LOOK_S)
    time.sleep(1)


def _in_one_second(start: Callable[[int], float]) -> list[float]:
    """Ten of them, a tenth of a second apart, whatever the others do."""

    def one(at: int) -> float:
        time.sleep(at * BURST_S)
        return start(at)

    with ThreadPoolExecutor(EACH) as together:
        return list(together.map(one, range(EACH)))


def ask_from_zero(up: Machine, name: str) -> tuple[float, dict[str, float]]:
    """Milliseconds of the caller's delay, and of its phases, as the answer's Server-Timing has them."""
    began_s = time.perf_counter()
    conn = http.client.HTTPConnection("127.0.0.1", up.port, timeout=PATIENCE_S)
    try:
        conn.request("GET", "/", headers={"Host": f"{name}.default.localhost"})
        answer = conn.getresponse()
        answer.read()
    finally:
        conn.close()
    delay_ms = 1000 * (time.perf_counter() - began_s)
    timing = answer.headers.get("Server-Timing", "")
    phases = {phase: float(ms) for phase, ms in re.findall(r"(\w+);dur=([\d.]+)", timing)}
    if answer.status != 200 or "started" not in phases:
        raise LoadError(f"{name}: {answer.status}, Server-Timing {timing!r}")
    return delay_ms, phases


def explained(up: Machine, name: str) -> float:
    """Milliseconds until the server has explained a service."""
    running = json.loads((up.folder / "run" / "penstock" / "up.json").read_bytes())
    token = (up.state / "api" / "token").read_text().strip()
    began_s = time.perf_counter()
    conn = http.client.HTTPConnection(running["api"].partition("://")[2], timeout=PATIENCE_S)
    try:
        conn.request("GET", f"/penstock/explain/default/{name}", headers={"Authorization": f"Bearer {token}"})
        answer = conn.getresponse()
        answer.read()
    finally:
        conn.close()
    if answer.status != 200:
        raise LoadError(f"explain answers with {answer.status}")
    return 1000 * (time.perf_counter() - began_s)


def start_bare(up: Machine) -> float:
    """Milliseconds from the start of the same app, without us, to its answer."""
    port = free_port()
    environment = {**os.environ, "PORT": str(port)}
    began_s = time.perf_counter()
    with Process(["sh", str(up.app / "app.sh")], env=environment) as app:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as caller:
                    caller.sendall(b"GET / HTTP/1.1\r\nHost: bench.local\r\n\r\n")
                    caller.recv(65536)
                    return 1000 * (time.perf_counter() - began_s)
            except ConnectionError:
                app.check()
                time.sleep(0.0003)


class Up:
    """A case: `penstock up` without apps. Records ready_s, and rss_mib of its processes."""

    name = "up"
    title = "penstock up"

    def run(self, bench: Bench) -> None:
        """Folders of its own each time."""
        for _ in range(bench.few):
            bench.try_round(self.name, US, self._round, ("ready_s", "rss_mib"))

    def _round(self) -> dict[str, float]:
        with machine() as (up, ready_s):
            time.sleep(1)
            pids = [pid for kind, pid in up.processes() if kind in (UP, GATEWAY, FORKSERVER)]
            return {"ready_s": ready_s, "rss_mib": sum(map(_rss_bytes, pids)) / MIB}


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


CASES: list[Case] = [ColdStart(), Up()]
