"""Abandoned: callers that give up, at a revision at its limit and at one that keeps starting from zero."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

from loadtests.endure.memory import Grown, Watch
from loadtests.settings import Settings
from loadtests.upheaval.callers import ADDRESS, Callers, Counts
from loadtests.upheaval.machine import CONCURRENCY, GATEWAY, WINDOW_S, Machine
from loadtests.upheaval.promise import Promise, none_failed, show

PATIENCE_S = 0.05
CALLERS = 32
"""Of each service."""
SLOW_PATH = "/delay/2000"
START_S = 3
"""What the app takes that starts from zero."""
WAVE_S = (START_S + 1.0, 2.0 * WINDOW_S)
"""Load on that one, and pause."""
CHECK_PATH, CHECK_S = "/delay/1000", 1.7
"""One turn takes a second."""
SETTLE_S = 3.0
"""Until what was abandoned last is out of the app."""


class Other:
    """Memory of a process that somebody else has started."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/statm")

    def rss_bytes(self) -> int:
        """Raises OSError when it has ended."""
        return int(self._path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def abandoned(machine: Machine, settings: Settings) -> None:
    """Callers that give up after 50 ms, at a revision's limit and from zero: RSS of the gateway flat, no slot lost."""
    seconds = 2.0 * settings.number("SECONDS")
    await machine.deploy("limit", "--max-scale", 1)
    await machine.deploy("zero", "--env", f"START_S={START_S}")
    (gateway,) = [pid for kind, pid in machine.processes() if kind == GATEWAY]
    stop = threading.Event()
    watch = Watch(Other(gateway), stop, every_s=min(1.0, seconds / 40))
    end_s = time.monotonic() + seconds
    try:
        left = await asyncio.gather(
            *(_quit(machine.port, "limit", end_s) for _ in range(CALLERS)), _waves(machine, end_s)
        )
    finally:
        stop.set()
        watch.join()
    print(f"  abandoned {sum(left):,}; RSS: {watch.summary()}", flush=True)
    await asyncio.sleep(SETTLE_S)
    await _count_slots(machine)
    try:
        watch.judge()
    except Grown as error:
        raise Promise(str(error)) from error


async def _waves(machine: Machine, end_s: float) -> int:
    """Each begins when the service is at zero again."""
    total, (load_s, pause_s) = 0, WAVE_S
    while time.monotonic() < end_s:
        until_s = min(end_s, time.monotonic() + load_s)
        total += sum(await asyncio.gather(*(_quit(machine.port, "zero", until_s) for _ in range(CALLERS))))
        await asyncio.sleep(max(0.0, min(pause_s, end_s - time.monotonic())))
    return total


async def _quit(port: int, name: str, end_s: float) -> int:
    """Asks again and again, and gives up each time; how often."""
    request = f"GET {SLOW_PATH} HTTP/1.1\r\nHost: {name}.default.localhost\r\n\r\n".encode()
    count = 0
    while time.monotonic() < end_s:
        reader, writer = await asyncio.open_connection(ADDRESS, port)
        writer.write(request)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await reader.read(1)
        writer.close()
        count += 1
    return count


async def _count_slots(machine: Machine) -> None:
    """Twice as many at once as there are slots: they are answered in two turns. Raises Promise."""
    counts = Counts()
    callers = Callers(machine.port, "limit.default.localhost", CHECK_PATH, counts)
    callers.level(2 * CONCURRENCY)
    await asyncio.sleep(CHECK_S)
    first = counts.answered
    await callers.end()
    show(counts)
    none_failed(counts)
    if first != CONCURRENCY:
        raise Promise(f"{first} of {CONCURRENCY} slots serve afterwards")
