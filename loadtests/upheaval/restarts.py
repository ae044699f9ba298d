"""Restarts: services grow and shrink, revisions follow each other, every component is restarted: nothing fails."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import time

from loadtests.settings import Settings
from loadtests.upheaval.callers import Callers, Counts
from loadtests.upheaval.machine import CONCURRENCY, GATEWAY, UP, WINDOW_S, Machine
from loadtests.upheaval.promise import none_failed, show

SERVICES = ("one", "two")
PATH = "/delay/20"
PODS = (1, 10, 0, 1)
"""Asked for, one after the other, by so many callers as these run at once."""
PAUSE_S = 1.5
"""Between two restarts."""


async def restarts(machine: Machine, settings: Settings) -> None:
    """Waves 1, 10, 0, 1; new revisions; gateway, control plane and pods restarted in turn: 0 failed."""
    counts = Counts()
    for name in SERVICES:
        await machine.deploy(name)
    callers = [Callers(machine.port, f"{name}.default.localhost", PATH, counts) for name in SERVICES]
    began_s = time.monotonic()
    working = [asyncio.create_task(waves(one, place)) for place, one in enumerate(callers)]
    working += [asyncio.create_task(disturb(machine, random.Random(settings.number("SEED")), counts))]
    try:
        while counts.answered + counts.failed < settings.number("COUNT"):
            done, _ = await asyncio.wait(working, timeout=1, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        await asyncio.gather(*(one.end() for one in callers))
        print(f"  {time.monotonic() - began_s:.0f} s, {machine.revisions} revisions")
        show(counts)
    none_failed(counts)


async def waves(callers: Callers, place: int) -> None:
    """Until cancelled; services begin at different places, so that one is up when another is at zero."""
    for pods in itertools.islice(itertools.cycle(PODS), 2 * place, None):
        callers.level(pods * CONCURRENCY)
        await asyncio.sleep(2 * WINDOW_S if not pods else WINDOW_S)


async def disturb(machine: Machine, chance: random.Random, counts: Counts) -> None:
    """Until cancelled: one thing after the other."""
    for number in itertools.count():
        await asyncio.sleep(PAUSE_S)
        failed, what = counts.failed, ("rollout", "gateway", "pod", "up")[number % 4]
        began_s = time.monotonic()
        if what == "rollout":
            await machine.deploy(chance.choice(SERVICES))
        elif what == "gateway":
            machine.signal(GATEWAY, signal.SIGTERM)
        elif what == "pod" and machine.pod_names():
            await asyncio.to_thread(machine.delete_pod, chance.choice(machine.pod_names()))
        elif what == "up":
            machine.signal(UP, signal.SIGKILL)
            await machine.up()
        took_s, failed = time.monotonic() - began_s, counts.failed - failed
        print(f"  {what}: {took_s:.1f} s; {counts.answered:,} answered, {failed} more failed", flush=True)
