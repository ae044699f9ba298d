"""Sidecar: the role as a process of its own, on a loopback address of its own, as a pod has one.

The process is the checkout that the tests belong to, started bare as its
launcher starts it. The fixed ports stay as they are: every sidecar has another
address of 127.0.0.0/8, so any number of them run side by side.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import pytest

from tests.line import PATIENCE_S, Answer, Line, dial
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent
PYTHON = Path(sys.executable).resolve()

MAIN_PORT, MAIN_H2C_PORT, TLS_PORT = 8012, 8013, 8112
ADMIN_PORT, STATS_PORT, METRICS_PORT, PROFILING_PORT = 8022, 9090, 9091, 8008
FIXED_PORTS = (MAIN_PORT, MAIN_H2C_PORT, TLS_PORT, ADMIN_PORT, STATS_PORT, METRICS_PORT, PROFILING_PORT)

KUBELET = "User-Agent: kube-probe/1.30"
QUEUE = "K-Network-Probe: queue"

BASE = {
    "CONTAINER_CONCURRENCY": "0",
    "QUEUE_SERVING_PORT": str(MAIN_PORT),
    "QUEUE_SERVING_TLS_PORT": str(TLS_PORT),
    "USER_PORT": "8080",
    "REVISION_TIMEOUT_SECONDS": "300",
    "SERVING_LOGGING_CONFIG": "",
    "SERVING_LOGGING_LEVEL": "",
    "SERVING_NAMESPACE": "default",
    "SERVING_SERVICE": "hello",
    "SERVING_CONFIGURATION": "hello",
    "SERVING_REVISION": "hello-00001",
    "SERVING_POD": "hello-00001-deployment-0",
    "SERVING_POD_IP": "10.0.0.7",
}
"""What the controller always writes; the app listens where USER_PORT says."""


def own_address() -> str:
    """A loopback address on which nobody listens on a port of a sidecar."""
    while True:
        address = f"127.{random.randint(100, 200)}.{random.randint(0, 255)}.{random.randint(1, 254)}"
        ends = [socket.socket() for _ in FIXED_PORTS]
        try:
            for end, port in zip(ends, FIXED_PORTS, strict=True):
                end.bind((address, port))
        except OSError:
            continue
        finally:
            for end in ends:
                end.close()
        return address


def command(python: Path = PYTHON, root: Path = ROOT) -> list[str]:
    """Starts the role of this checkout as its launcher does: isolated, without `site`."""
    packages = sysconfig.get_path("purelib")
    lines = (
        f"import sys; sys.path.insert(0, {str(root)!r}); sys.path.append({packages!r})",
        "from dataplane.roles.queue_proxy import main; sys.exit(main())",
    )
    return [str(python), "-IS", "-c", "\n".join(lines)]


def environment(variables: Mapping[str, object]) -> dict[str, str]:
    """The smallest environment and these variables; None takes one away, a dict or list is written as JSON."""
    said = dict(BASE)
    for name, value in variables.items():
        if value is None:
            said.pop(name, None)
        else:
            said[name] = json.dumps(value) if isinstance(value, dict | list) else str(value)
    return said


class Sidecar:
    """A running penstock-queue-proxy.

    app        port of the app on 127.0.0.1
    prefix     a command that starts the sidecar's command, such as one that changes its user
    wait       until its ports accept; else the caller waits for what it is after
    out        a descriptor for its standard output; None: a file, which `stdout` reads
    variables  its environment beside BASE
    """

    def __init__(
        self,
        app: int,
        *,
        address: str | None = None,
        prefix: tuple[str, ...] = (),
        argv: list[str] | None = None,
        wait: bool = True,
        out: int | None = None,
        **variables: object,
    ) -> None:
        self.address = address or own_address()
        self.app = app
        self.env = environment({"USER_PORT": app, "PENSTOCK_BIND_ADDRESS": self.address, **variables})
        self.port = int(self.env["QUEUE_SERVING_PORT"])
        self.files: list[IO[bytes]] = [tempfile.TemporaryFile() for _ in range(2)]  # noqa: SIM115 - closed by close()
        self.lines: list[Line] = []
        self.process = subprocess.Popen(
            [*prefix, *(argv or command())],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=self.files[0] if out is None else out,
            stderr=self.files[1],
            start_new_session=True,
        )
        self.pid = self.process.pid
        self.expected = False
        """Somebody ended it on purpose, or waited for its end."""
        if wait:
            try:
                for port in self.ports():
                    until(lambda port=port: self.accepts(port), f"the sidecar accepts on {self.address}:{port}")
            except AssertionError:
                self.kill()
                raise

    def __enter__(self) -> Sidecar:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close(check=kind is None)

    def ports(self) -> list[int]:
        """What is bound in any case, and the port of the metrics where they are served."""
        serves_metrics = '"protocol": "prometheus"' in self.env.get("OBSERVABILITY_CONFIG", "")
        metrics = int(self.env.get("METRICS_PROMETHEUS_PORT", METRICS_PORT))
        return [self.port, STATS_PORT, *([metrics] if serves_metrics else [])]

    # callers

    def accepts(self, port: int) -> bool:
        """Does something listen there? Fails when the process has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"ended with {self.process.returncode}: {self.stderr()}")
        with socket.socket() as end:
            return end.connect_ex((self.address, port)) == 0

    def connect(self, port: int = 0, **options: Any) -> Line:
        """A raw connection to the main port, or to another; it is closed with the sidecar."""
        line = dial(port or self.port, host=self.address, **options)
        self.lines.append(line)
        return line

    def send(self, request: str, *fields: str, body: bytes = b"", port: int = 0) -> Line:
        """ "GET /path" with Host and these fields, on a connection of its own."""
        line = self.connect(port)
        lines = [f"{request} HTTP/1.1", "Host: test.example", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        line.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return line

    def get(self, path: str = "/", *fields: str, port: int = 0) -> Answer:
        with self.send(f"GET {path}", *fields, port=port) as line:
            return line.answer()

    def probe(self, *fields: str) -> Answer:
        """What kubelet is told about readiness."""
        return self.get("/", *(fields or (KUBELET, QUEUE)))

    def url(self, path: str = "/", port: int = 0, scheme: str = "http") -> str:
        return f"{scheme}://{self.address}:{port or self.port}{path}"

    # what it writes

    def stdout(self) -> str:
        return self._written(0)

    def stderr(self) -> str:
        return self._written(1)

    def _written(self, which: int) -> str:
        file = self.files[which]
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode()

    # the end

    def term(self) -> None:
        self.expected = True
        self.process.send_signal(signal.SIGTERM)

    def status(self, patience_s: float = PATIENCE_S) -> int:
        """Its exit status, once it has ended."""
        self.expected = True
        return self.process.wait(patience_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self, check: bool = True) -> None:
        """Ends it, once; with `check`, it must have lived until now and have written no traceback."""
        for line in self.lines:
            line.close()
        ended = self.process.poll()
        self.kill()
        if not self.files[0].closed:
            written = self.stdout() + self.stderr()
            for file in self.files:
                file.close()
            if check:
                assert ended is None or self.expected, f"ended by itself with {ended}: {written}"
                assert "Traceback" not in written, written


@pytest.fixture
def sidecar(request: pytest.FixtureRequest) -> Iterator[Callable[..., Sidecar]]:
    """Makes sidecars in front of the test's origin or app, or of the port in `app_port`; all end with the test."""
    made: list[Sidecar] = []

    def make(app_port: int | None = None, **settings: Any) -> Sidecar:
        if app_port is None:
            app_port = request.getfixturevalue("app" if "app" in request.fixturenames else "origin").port
        made.append(Sidecar(app_port, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


def refused(prefix: tuple[str, ...] = (), **variables: object) -> tuple[int, str]:
    """Exit status and stderr of a sidecar that must not start."""
    done = subprocess.run(
        [*prefix, *command()],
        env=environment({"PENSTOCK_BIND_ADDRESS": own_address(), **variables}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stderr.decode()
