"""Process: one program in a session of its own, from its start to its end.

Its output goes straight into a file, so it outlives whoever started it; and a
later node takes it up again by its pid and the tick at which it began, which
together are never given twice. Its end is an event of the loop (pidfd).
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

START_FAILED = 128
"""Exit code of a container that could not be started, as container runtimes have it."""

UNKNOWN_END = 255
"""Exit code of a process whose parent was somebody else."""


class StartError(Exception):
    """The program cannot be started; the text names what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Begin:
    """What it takes to start a program."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    """Its working directory."""


class Process:
    """A running program. `ended` gives its exit code; below zero never: 128 and the signal, as a shell says it."""

    def __init__(self, pid: int, born: int, code: Callable[[int], Awaitable[int]]) -> None:
        """code: tells how the process of a pid has ended. Raises ProcessLookupError when it is gone already."""
        self.pid = pid
        self.born = born
        self._code = code
        self._ending: asyncio.Task[None] | None = None
        self._descriptor = os.pidfd_open(pid)
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = loop.create_future()
        loop.add_reader(self._descriptor, self._on_end)

    @classmethod
    def start(cls, begin: Begin, log: Path) -> Process:
        """Both outputs are appended to `log`. Raises StartError."""
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            child = subprocess.Popen(
                list(begin.argv), env=dict(begin.environment), cwd=begin.folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise StartError(_said(begin, error)) from error
        finally:
            os.close(output)

        async def code(_pid: int) -> int:
            found = child.wait()
            return found if found >= 0 else 128 - found

        return cls(child.pid, birth(child.pid) or 0, code)

    @classmethod
    def adopt(cls, pid: int, born: int) -> Process | None:
        """The one that an earlier node started; None when it has ended."""
        if birth(pid) != born:
            return None
        try:
            return cls(pid, born, _unknown)
        except ProcessLookupError:
            return None

    @property
    def is_running(self) -> bool:
        return not self.ended.done()

    def signal(self, number: signal.Signals) -> None:
        """To the program and all that it has started in its session."""
        if self.is_running and not signal_group(self.pid, number) and self._descriptor >= 0:
            # One that has begun this very moment may have no session yet.
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    async def end(self, by: float) -> None:
        """TERM, and KILL at the loop time `by`; returns when it has ended."""
        self.signal(signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(by):
                await asyncio.shield(self.ended)
        self.signal(signal.SIGKILL)
        await asyncio.shield(self.ended)

    def forget(self) -> None:
        """Watches it no more; it lives on."""
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _on_end(self) -> None:
        self.forget()
        # What it leaves behind in its session ends with it, as in a container.
        signal_group(self.pid, signal.SIGKILL)
        self._ending = asyncio.ensure_future(self._end())

    async def _end(self) -> None:
        code = await self._code(self.pid)
        if not self.ended.done():
            self.ended.set_result(code)


async def _unknown(_pid: int) -> int:
    return UNKNOWN_END


def signal_group(pid: int, number: signal.Signals) -> bool:
    """To a session's leader and its group; whether there is anybody."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def birth(pid: int) -> int | None:
    """The tick at which a process began, since the machine's start; None for one that is gone or has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else int(fields[18])


def _said(begin: Begin, error: OSError) -> str:
    program = begin.argv[0] if begin.argv else ""
    if not begin.folder.is_dir():
        return f"workingDir: {begin.folder} is no folder of this machine; leave it out to use the image's folder"
    if isinstance(error, FileNotFoundError):
        return f'command: "{program}" is not there; name a file in {begin.folder} or a program on PATH'
    if isinstance(error, PermissionError):
        return f'command: "{program}" may not be executed; use chmod +x, or begin the command with its interpreter'
    return f'command: "{program}" cannot be started: {error.strerror or error}'
