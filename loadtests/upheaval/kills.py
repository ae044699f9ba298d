"""Kills: any process dies at any moment; only what runs inside it may fail, and the state comes back by itself."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress

from loadtests.settings import Settings
from loadtests.upheaval.callers import Callers, Counts
from loadtests.upheaval.machine import APP, CONCURRENCY, FORKSERVER, GATEWAY, SIDECAR, UP, Machine
from loadtests.upheaval.promise import Promise, show

SERVICES = ("one", "two")
PATH = "/delay/20"
PODS = 3
"""Of each service, about: so many callers as these run at once."""
PAUSE_S = 2.0
"""After a kill, in which all that it breaks has failed."""
CALM_S = 3.0
"""At the end: nothing fails, and the state is as declared."""
PATIENCE_S = 60.0
INSIDE = {UP: 0, FORKSERVER: 0, GATEWAY: 2 * PODS * CONCURRENCY, SIDECAR: CONCURRENCY, APP: CONCURRENCY}
"""How many requests such a process has in it at most."""


async def kills(machine: Machine, settings: Settings) -> None:
    """kill -9 of any process at random: only requests inside it may fail; after it the state is as declared."""
    counts = Counts()
    chance = random.Random(settings.number("SEED"))
    for name in SERVICES:
        await machine.deploy(name)
    callers = [Callers(machine.port, f"{name}.default.localhost", PATH, counts) for name in SERVICES]
    for one in callers:
        one.level(PODS * CONCURRENCY)
    await asyncio.sleep(PAUSE_S)
    killed: Counter[str] = Counter()
    beyond: list[str] = []
    end_s = time.monotonic() + settings.number("SECONDS")
    try:
        while time.monotonic() < end_s:
            kind = chance.choice(tuple(INSIDE))
            failed = counts.failed
            pids = [pid for found, pid in machine.processes() if found == kind]
            if not pids:
                continue
            _kill(chance.choice(pids))
            killed[kind] += 1
            if kind == UP:
                await machine.up()
            await asyncio.sleep(PAUSE_S)
            if counts.failed - failed > INSIDE[kind]:
                beyond.append(f"{counts.failed - failed} failed when a process {kind} was killed")
                print(f"  {beyond[-1]}", flush=True)
        await _is_as_declared(machine, callers, counts)
    finally:
        await asyncio.gather(*(one.end() for one in callers))
        print(f"  killed: {', '.join(f'{count} {kind}' for kind, count in sorted(killed.items()))}")
        show(counts)
    if beyond:
        raise Promise(f"{len(beyond)} times more failed than ran in the process, such as: {beyond[0]}")


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


async def _is_as_declared(machine: Machine, callers: list[Callers], counts: Counts) -> None:
    """Everybody is answered, then every service comes to zero, and no process of a pod is left. Raises Promise."""
    failed = counts.failed
    await asyncio.sleep(CALM_S)
    if counts.failed != failed:
        raise Promise(f"{counts.failed - failed} requests failed when nothing was killed any more")
    for one in callers:
        one.level(0)
    end_s = time.monotonic() + PATIENCE_S
    while any([await machine.pods(name) != (0, 0) for name in SERVICES]) or machine.pod_names():
        if time.monotonic() > end_s:
            said = {name: await machine.pods(name) for name in SERVICES}
            raise Promise(f"pods are left: {said}, {machine.pod_names()}")
        await asyncio.sleep(0.5)
    left = Counter(kind for kind, _pid in machine.processes())
    if left != Counter({UP: 1, GATEWAY: 1, FORKSERVER: 1}):
        raise Promise(f"other processes are left than are declared: {dict(left)}")
