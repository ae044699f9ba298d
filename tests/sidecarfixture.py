"""Sidecar: the real process on free ports of an address of its own, from its start to its end by pid."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

from dataplane.launcher import write_launchers
from tests.line import PATIENCE_S, Answer, Line, dial

ROOT = Path(__file__).resolve().parent.parent
READY_S = 30.0
"""For the process to serve; far above what a busy machine takes."""

BASE = {
    "CONTAINER_CONCURRENCY": "0",
    "REVISION_TIMEOUT_SECONDS": "300",
    "SERVING_LOGGING_CONFIG": "",
    "SERVING_LOGGING_LEVEL": "",
    "SERVING_NAMESPACE": "default",
    "SERVING_SERVICE": "hello",
    "SERVING_CONFIGURATION": "hello",
    "SERVING_REVISION": "hello-00001",
    "SERVING_POD": "p-1",
    "SERVING_POD_IP": "10.0.0.7",
}
ADMIN, STATS, METRICS, PROFILING = 8022, 9090, 9091, 8008

_next_host = itertools.count(os.getpid() * 8)


def free_host() -> str:
    """An address of this machine that no other test has: the fixed ports are free on it."""
    while True:
        n = next(_next_host) % (1 << 22)
        host = f"127.{64 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
        if (n & 255) in (0, 255):
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, STATS))
            except OSError:
                continue
        return host


class Sidecar:
    """Runs from its making to `close`.

    app            port of the app on 127.0.0.1
    observability  OBSERVABILITY_CONFIG, as a dict
    variables      other environment variables
    stdout         a descriptor for its standard output; None: a file, which `out` and `lines` read
    host           where all its ports are; `port` is the main one, the others are the fixed ones
    first_stat     the body of the first scrape of the statistics port
    """

    def __init__(
        self,
        app: int,
        folder: Path,
        observability: dict[str, Any] | None = None,
        *,
        stdout: int | None = None,
        **variables: str,
    ) -> None:
        self.host = free_host()
        self.port = 8012
        self.out_path = folder / f"out-{self.host}"
        self.err_path = folder / f"err-{self.host}"
        environment = {
            **BASE,
            "PENSTOCK_BIND_ADDRESS": self.host,
            "QUEUE_SERVING_PORT": str(self.port),
            "QUEUE_SERVING_TLS_PORT": "8112",
            "USER_PORT": str(app),
            "OBSERVABILITY_CONFIG": json.dumps(observability or {}),
            **variables,
        }
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(
                [str(launcher(folder))],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err,
            )
        try:
            self.until_ready()
        except BaseException:
            self.close(signal.SIGKILL)
            raise

    def __enter__(self) -> Sidecar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def until_ready(self) -> None:
        """Waits until the statistics port, which is bound last, answers."""
        end = time.monotonic() + READY_S
        while self.process.poll() is None:
            try:
                self.first_stat = self.get("/metrics", port=STATS).body
            except ConnectionRefusedError:
                assert time.monotonic() < end, f"the sidecar does not serve: {self.err()!r}"
                time.sleep(0.01)
            else:
                return
        raise AssertionError(f"the sidecar ended with {self.process.returncode}: {self.err()!r}")

    # callers

    def connect(self, port: int | None = None) -> Line:
        return dial(self.port if port is None else port, host=self.host)

    def send(self, method: str, path: str, *fields: str, body: bytes = b"", port: int | None = None) -> Answer:
        """One request on a connection of its own."""
        lines = [f"{method} {path} HTTP/1.1", "Host: test.example", "Connection: close", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        with self.connect(port) as line:
            line.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
            head = line.head()
            return Answer(head, b"" if method == "HEAD" else line.body_of(head)[0], [])

    def get(self, path: str = "/", *fields: str, port: int | None = None) -> Answer:
        return self.send("GET", path, *fields, port=port)

    # what it says

    def out(self) -> bytes:
        return self.out_path.read_bytes()

    def err(self) -> bytes:
        return self.err_path.read_bytes()

    def lines(self, count: int) -> list[bytes]:
        """The lines of standard output, as soon as there are that many; more fail."""
        end = time.monotonic() + PATIENCE_S
        while self.out().count(b"\n") < count:
            assert time.monotonic() < end, f"fewer than {count} lines: {self.out()!r}, {self.err()!r}"
            time.sleep(0.02)
        found = self.out().splitlines()
        assert len(found) == count, found
        return found

    def rss_kib(self) -> int:
        """Resident memory of the process."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    # the end

    def end(self, signal_number: int = signal.SIGTERM) -> int:
        """Ends the process and returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(READY_S)

    def close(self, signal_number: int = signal.SIGTERM) -> None:
        """Ends the process, whatever state it is in."""
        try:
            self.end(signal_number)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def launcher(folder: Path) -> Path:
    """The sidecar's launcher for this tree, which need not be the one that .venv was set up for."""
    script = folder / "penstock-queue-proxy"
    if not script.exists():
        packages = Path(sysconfig.get_path("purelib"))
        write_launchers(folder, Path(sys.executable).resolve(), ROOT, packages)
    return script
