"""Gateway: the process that carries requests; started again whenever it dies, until it is told to leave."""

from __future__ import annotations

import asyncio
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from controller.local.process import birth

log = logging.getLogger("penstock.gateway")

LOOPBACK = "127.0.0.1"
PAUSE_MIN_S, PAUSE_MAX_S = 0.05, 5.0
"""Before the next start; doubled each time, and the shortest again after a good run."""
CALM_S = 10.0
"""A run of that length was a good one."""
LEFT_OVER_S = 5.0
"""For requests of a gateway that was left behind: new ones wait for its successor."""
LEAVE_S = 50.0
"""What requests that run may take when it has to leave."""


class PortTaken(Exception):
    """Nobody can listen where services should answer; the text says what to do."""


class Gateway:
    """Keeps one gateway running."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], output: int, note: Path) -> None:
        """
        output  descriptor that takes what it prints
        note    file that says which process it is, for whoever comes after us
        """
        self._note = note
        self._argv = argv
        self._environment = dict(environment)
        self._output = output
        self.process: asyncio.subprocess.Process | None = None
        self._leaving = False

    async def run(self) -> None:
        """Until it has left; a cancellation kills it."""
        pause_s = PAUSE_MIN_S
        while not self._leaving:
            began_s = time.monotonic()
            status = await self._once()
            if self._leaving:
                return
            pause_s = PAUSE_MIN_S if time.monotonic() - began_s >= CALM_S else min(pause_s * 2, PAUSE_MAX_S)
            log.error("the gateway ended with status %s; it is started again in %g s", status, pause_s)
            await asyncio.sleep(pause_s)

    async def leave(self) -> None:
        """TERM: it finishes what runs, and ends."""
        self._leaving = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(LEAVE_S):
                await process.wait()
        except TimeoutError:
            log.error("the gateway did not end within %g s, and is killed", LEAVE_S)
            process.kill()
            await process.wait()

    async def _once(self) -> int | str:
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self._argv, env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=self._output,
                stderr=self._output, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return f"{self._argv[0]}: {error.strerror}"
        self._note.write_text(f"{self.process.pid} {birth(self.process.pid)}")
        try:
            return await self.process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGKILL)
            await self.process.wait()
            raise


def end_left_over(note: Path) -> None:
    """Ends the gateway of a `penstock up` that was killed: until now it has served what it knew."""
    try:
        pid, born = map(int, note.read_text().split())
    except (OSError, ValueError):
        return
    if birth(pid) != born:
        return
    descriptor = os.pidfd_open(pid)
    try:
        for number, patience_s in ((signal.SIGTERM, LEFT_OVER_S), (signal.SIGKILL, None)):
            signal.pidfd_send_signal(descriptor, number)
            if select.select([descriptor], [], [], patience_s)[0]:
                return
    finally:
        os.close(descriptor)


def free_port(port: int) -> int:
    """That port, or any free one for 0. Raises PortTaken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError as error:
            why = os.strerror(error.errno or 0)
            raise PortTaken(
                f"--port: {port} on {LOOPBACK} cannot be had: {why}; name another one, or 0 for any"
            ) from error
        found: int = tried.getsockname()[1]
        return found
