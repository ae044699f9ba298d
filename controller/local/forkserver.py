"""Forkserver: starts sidecars as copies of one process that has loaded everything (dataplane.forkserver).

It is started with the node and again when it has ended. While there is none,
sidecars are started the long way, which costs them time and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .process import UNKNOWN_END, Begin, Process, birth

log = logging.getLogger("penstock.node")

MESSAGE_BYTES_MAX = 1 << 10
WISH_BYTES_MAX = 1 << 17
ANSWER_S = 5.0
"""A copy takes two milliseconds; whoever says nothing for so long is no use."""
CALM_S = 10.0
"""One that lives shorter is not started again."""
CODE_S = 1.0
"""How much later than the end of a process its exit status may come."""


class ForkserverGone(Exception):
    """There is none, or it has ended; start the sidecar the long way."""


SCRIPT = """\
import sys
sys.path.insert(0, {home!r})
sys.path.append({packages!r})
from dataplane.forkserver import main
sys.exit(main())
"""


def command(home: Path, packages: Path) -> tuple[str, ...]:
    """Starts it bare, as launchers start roles.

    home      folder that holds `dataplane` and `ext`
    packages  folder that pip installs into
    """
    python = str(Path(sys.executable).resolve())
    return python, "-IS", "-c", SCRIPT.format(home=str(home), packages=str(packages))


class Forkserver:
    """One such process. command: starts it, with a socket as its standard input."""

    def __init__(self, command: Sequence[str], output: Path) -> None:
        self._command = list(command)
        self._output = output
        self._child: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._started: deque[asyncio.Future[int]] = deque()
        self._codes: dict[int, asyncio.Future[int]] = {}
        self._began = 0.0

    def begin(self) -> None:
        """Starts it; `start` may be called at once."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with self._output.open("ab") as output:
                self._child = subprocess.Popen(
                    self._command, stdin=theirs.fileno(), stdout=output, stderr=output, env={}, start_new_session=True
                )
        except OSError as error:
            ours.close()
            log.warning("sidecars start the long way: %s", error)
            return
        finally:
            theirs.close()
        self._socket = ours
        self._began = asyncio.get_running_loop().time()
        asyncio.get_running_loop().add_reader(ours, self._on_message)

    async def start(self, begin: Begin, path: Path) -> Process:
        """A sidecar, its output appended to `path`. Raises ForkserverGone."""
        variables = [f"{name}={value}" for name, value in begin.environment.items()]
        wish = os.fsencode("\0".join([str(path), str(begin.folder), *variables]))
        if self._socket is None or len(wish) > WISH_BYTES_MAX:
            raise ForkserverGone
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            self._socket.send(wish)
        except OSError as error:
            raise ForkserverGone from error
        self._started.append(started)
        try:
            async with asyncio.timeout(ANSWER_S):
                pid = await asyncio.shield(started)
            return Process(pid, birth(pid) or 0, self._code)
        except (TimeoutError, ProcessLookupError) as error:
            started.cancel()
            raise ForkserverGone from error

    def end(self) -> None:
        """Sidecars live on."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        for started in self._started:
            if not started.done():
                started.set_exception(ForkserverGone())
                # Whoever waited may have given up.
                started.exception()
        self._started.clear()
        if self._child is not None:
            self._child.send_signal(signal.SIGKILL)
            self._child.wait()
            self._child = None

    async def _code(self, pid: int) -> int:
        """The exit status of a copy that has ended."""
        told = self._codes.setdefault(pid, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(CODE_S):
                return await told
        except TimeoutError:
            return UNKNOWN_END
        finally:
            self._codes.pop(pid, None)

    def _on_message(self) -> None:
        message = b""
        if self._socket is not None:
            with suppress(OSError):
                message = self._socket.recv(MESSAGE_BYTES_MAX)
        word, *numbers = message.decode().split() or [""]
        if word == "ended":
            pid, code = map(int, numbers)
            told = self._codes.setdefault(pid, asyncio.get_running_loop().create_future())
            if not told.done():
                told.set_result(code)
        elif word and self._started:
            started = self._started.popleft()
            if word == "started" and started.done():
                # Whoever wished for it has given up, and started another.
                with suppress(ProcessLookupError):
                    os.kill(int(numbers[0]), signal.SIGKILL)
            elif word == "started":
                started.set_result(int(numbers[0]))
            elif not started.done():
                started.set_exception(ForkserverGone())
        elif not word:
            lived_s = asyncio.get_running_loop().time() - self._began
            self.end()
            if lived_s < CALM_S:
                log.warning("the forkserver ended at once (see %s); sidecars start the long way", self._output)
            else:
                log.warning("the forkserver has ended; it is started again")
                self.begin()
