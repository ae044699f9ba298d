"""Process: one program under measurement, with what the kernel accounts to it.

CPU comes from the scheduler's own count of every thread (nanoseconds), memory
from the resident set of every process in the tree.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class ProcessError(Exception):
    """A program did not start, or died under load."""


class Cpu:
    """CPU time of a process tree: total in ns by the scheduler, user and system in ticks."""

    __slots__ = ("system_ticks", "total_ns", "user_ticks")

    def __init__(self, total_ns: int, user_ticks: int, system_ticks: int) -> None:
        self.total_ns = total_ns
        self.user_ticks = user_ticks
        self.system_ticks = system_ticks

    def since(self, before: Cpu) -> Cpu:
        """What was used between `before` and this."""
        return Cpu(
            self.total_ns - before.total_ns,
            self.user_ticks - before.user_ticks,
            self.system_ticks - before.system_ticks,
        )

    @property
    def user_share(self) -> float:
        """Part of the time that was spent outside the kernel, 0 to 1."""
        ticks = self.user_ticks + self.system_ticks
        return self.user_ticks / ticks if ticks else 0.0


class Process:
    """A started program, its children, and its log.

    Ends with `stop`, or by leaving the `with` block.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cpu: int | None = None,
    ) -> None:
        self.argv = list(argv)
        # closed by stop(), which outlives this function
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.started = time.monotonic()
        self._popen = subprocess.Popen(
            [*pinned, *self.argv],
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self.pid = self._popen.pid

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def pids(self) -> list[int]:
        """This process and every descendant that lives."""
        found, todo = [], [self.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in _tasks(pid):
                try:
                    todo += [int(child) for child in (task / "children").read_text().split()]
                except OSError:
                    continue
        return found

    def cpu(self) -> Cpu:
        """CPU time so far of all threads of all processes in the tree."""
        total = user = system = 0
        for pid in self.pids():
            for task in _tasks(pid):
                try:
                    total += int((task / "schedstat").read_text().split()[0])
                    fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
                except OSError:
                    continue
                user += int(fields[11])
                system += int(fields[12])
        return Cpu(total, user, system)

    def rss_bytes(self) -> int:
        """Resident set of the tree, in bytes; pages that processes share count once for each."""
        kib = 0
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    kib += int(line.split()[1])
        return kib * 1024

    def output(self) -> str:
        """What it has written to stdout and stderr."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def check(self) -> None:
        """Raises ProcessError with the end of its log when it has ended."""
        if self._popen.poll() is not None:
            tail = "\n".join(self.output().splitlines()[-12:])
            raise ProcessError(f"{self.argv[0]} ended with {self._popen.returncode}:\n{tail}")

    def wait_listening(self, address: str, port: int, timeout_s: float = 15.0) -> None:
        """Returns once `address:port` accepts a connection.

        Raises  ProcessError when the program ends, or does not listen in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            self.check()
            try:
                socket.create_connection((address, port), 1).close()
                return
            except OSError:
                time.sleep(0.005)
        raise ProcessError(f"{self.argv[0]} does not listen on {address}:{port} after {timeout_s:g} s\n{self.output()}")

    def end(self, timeout_s: float = 3.0) -> int:
        """Ends the tree, by TERM and then by KILL; its log stays. Returns the exit status."""
        pids = self.pids()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(timeout_s)
            except subprocess.TimeoutExpired:
                for pid in pids:
                    _kill(pid)
        return self._popen.wait()

    def wait(self, timeout_s: float | None = None) -> int:
        """Waits until the program has ended by itself. Returns the exit status."""
        return self._popen.wait(timeout_s)

    def stop(self, timeout_s: float = 3.0) -> None:
        """Ends the tree and forgets its log; 0 leaves it no time to drain."""
        self.end(timeout_s)
        self._log.close()


def _tasks(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def end_on_term() -> None:
    """Makes TERM raise SystemExit, so that what was started is ended as after an error."""

    def leave(number: int, frame: object) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, leave)


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port of `address` that nobody listens on now."""
    with socket.socket() as s:
        s.bind((address, 0))
        return int(s.getsockname()[1])


def own_address() -> str:
    """A loopback address of this process alone, for programs with fixed ports."""
    pid = os.getpid()
    return f"127.{64 + (pid >> 14) % 64}.{(pid >> 7) % 128}.{pid % 127 + 1}"
