"""Gateway: the process that carries requests; there is always one, until it is told to leave.

Its listening sockets belong to us as well, so nobody is refused between one
gateway and the next. One that leaves by itself says so, and its successor
starts while it finishes what it carries. One that an earlier `up` has left
behind is taken up with the requests that it holds.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dataplane.contract.handover import FIRST_BYTES_MAX, LEAVING

from .process import Process, birth

log = logging.getLogger("penstock.gateway")

LOOPBACK = "127.0.0.1"
BACKLOG = 4096
SOCKETS = 3
"""Public, private, admin."""
PAUSE_MIN_S, PAUSE_MAX_S = 0.05, 5.0
"""Before the next start; doubled each time, and the shortest again after a good run."""
CALM_S = 10.0
"""A run of that length was a good one."""
LEAVE_S = 50.0
"""What requests that run may take when it has to leave."""
ANSWER_S = 2.0
"""Until a gateway that was left behind has to have said what it has."""


class PortTaken(Exception):
    """Nobody can listen where services should answer; the text says what to do."""


class About(msgspec.Struct, frozen=True):
    """What a gateway says of itself (dataplane.gateway.handover)."""

    pid: int
    port: int
    controller: int
    autoscaler: int
    """Where it looks for these two."""


@dataclass(slots=True)
class Sockets:
    """What a gateway listens on."""

    held: list[socket.socket]

    @classmethod
    def open(cls, port: int) -> Sockets:
        """The public one there, 0 for any. Raises PortTaken."""
        return cls([_listening(port), _listening(0), _listening(0)])

    @property
    def port(self) -> int:
        found: int = self.held[0].getsockname()[1]
        return found

    @property
    def numbers(self) -> list[int]:
        return [one.fileno() for one in self.held]

    def close(self) -> None:
        for one in self.held:
            one.close()


@dataclass(slots=True)
class _Run:
    """One process."""

    process: Process
    notice: socket.socket

    async def over(self) -> None:
        """Returns when another one is needed: it leaves, or has ended."""
        try:
            if await asyncio.get_running_loop().sock_recv(self.notice, len(LEAVING)) == LEAVING:
                return
        except OSError as error:
            log.warning("the gateway cannot be heard any more: %s", error)
        finally:
            self.notice.close()
        await asyncio.shield(self.process.ended)


@dataclass(slots=True)
class Orphan:
    """A gateway that an earlier `up` has left behind, which goes on carrying requests."""

    about: About
    sockets: Sockets
    notice: socket.socket

    @classmethod
    def find(cls, path: Path, port: int) -> Orphan | None:
        """The one that answers there and serves this port (0: any); another one is told to leave."""
        asked = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        asked.settimeout(ANSWER_S)
        try:
            asked.connect(os.fspath(path))
            text, descriptors, _, _ = socket.recv_fds(asked, FIRST_BYTES_MAX, SOCKETS)
            sockets = Sockets([socket.socket(fileno=one) for one in descriptors])
            about = msgspec.json.decode(text, type=About)
        except (OSError, msgspec.DecodeError):
            asked.close()
            return None
        found = cls(about, sockets, asked)
        if len(descriptors) == SOCKETS and port in (0, about.port) and found._is_free():
            asked.setblocking(False)
            return found
        log.warning("gateway %d serves port %d still, and is told to leave", about.pid, about.port)
        sockets.close()
        asked.settimeout(LEAVE_S)
        with suppress(OSError):
            os.kill(about.pid, signal.SIGTERM)
            asked.recv(len(LEAVING))
        asked.close()
        return None

    def _is_free(self) -> bool:
        """Whether we can be where it looks for us."""
        try:
            return all(free_port(one) for one in (self.about.controller, self.about.autoscaler))
        except PortTaken:
            return False


class Gateway:
    """Keeps one gateway running."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], output: int, sockets: Sockets, orphan: Orphan | None
    ) -> None:
        """
        output   descriptor that takes what it prints
        sockets  closed by `leave`
        orphan   is the first one
        """
        self._argv = argv
        self._environment = dict(environment)
        self._output = output
        self._sockets = sockets
        self._orphan = orphan
        self._runs: list[_Run] = []
        """The last one serves; those before it finish what they carry."""
        self._leaving = False

    async def run(self) -> None:
        """Until it has left; a cancellation kills it."""
        pause_s = PAUSE_MIN_S
        try:
            while not self._leaving:
                began_s = time.monotonic()
                status: int | str = "none"
                try:
                    run = self._take_up() or self._start()
                except OSError as error:
                    status = f"{self._argv[0]}: {error.strerror}"
                else:
                    self._runs = [one for one in self._runs if one.process.is_running] + [run]
                    await run.over()
                    if run.process.is_running and not self._leaving:
                        log.info("the gateway leaves; its successor is started")
                        continue
                    status = await asyncio.shield(run.process.ended)
                if self._leaving:
                    return
                pause_s = PAUSE_MIN_S if time.monotonic() - began_s >= CALM_S else min(pause_s * 2, PAUSE_MAX_S)
                log.error("the gateway ended with status %s; it is started again in %g s", status, pause_s)
                await asyncio.sleep(pause_s)
        except asyncio.CancelledError:
            await self._end(asyncio.get_running_loop().time())
            raise

    async def leave(self) -> None:
        """TERM: it finishes what runs, and ends; nobody listens any more."""
        self._leaving = True
        self._sockets.close()
        await self._end(asyncio.get_running_loop().time() + LEAVE_S)

    async def _end(self, by: float) -> None:
        await asyncio.gather(*(one.process.end(by) for one in self._runs if one.process.is_running))

    def _take_up(self) -> _Run | None:
        orphan, self._orphan = self._orphan, None
        if orphan is None:
            return None
        process = Process.adopt(orphan.about.pid, birth(orphan.about.pid) or 0)
        if process is None:
            orphan.notice.close()
            return None
        log.info("gateway %d of an earlier run goes on", process.pid)
        return _Run(process, orphan.notice)

    def _start(self) -> _Run:
        """Raises OSError."""
        ours, its = socket.socketpair()
        with its:
            numbers = self._sockets.numbers
            # Two that overlap are two: each reports what it carries itself.
            given = {
                "POD_NAME": f"{self._environment['POD_NAME']}-{os.urandom(3).hex()}",
                "PENSTOCK_LISTEN_FDS": ",".join(map(str, numbers)),
                "PENSTOCK_NOTICE_FD": str(its.fileno()),
            }
            try:
                child = subprocess.Popen(
                    self._argv, env=self._environment | given, stdin=subprocess.DEVNULL, stdout=self._output,
                    stderr=self._output, start_new_session=True, pass_fds=(*numbers, its.fileno()),
                )  # fmt: skip
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)

        async def code(_pid: int) -> int:
            return child.wait()

        return _Run(Process(child.pid, birth(child.pid) or 0, code), ours)


def _listening(port: int) -> socket.socket:
    """Raises PortTaken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted connections inherit it, which saves a call for each.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        made.bind((LOOPBACK, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise _taken(port, error) from error
    return made


def _taken(port: int, error: OSError) -> PortTaken:
    why = os.strerror(error.errno or 0)
    return PortTaken(f"--port: {port} on {LOOPBACK} cannot be had: {why}; name another one, or 0 for any")


def free_port(port: int) -> int:
    """That port, or any free one for 0. Raises PortTaken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError as error:
            raise _taken(port, error) from error
        found: int = tried.getsockname()[1]
        return found
