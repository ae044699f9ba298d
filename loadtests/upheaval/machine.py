"""Machine: a `penstock up` in folders of its own, its commands, and its processes by what they are."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

from loadtests.sidecar import BINARY
from loadtests.tools import tool

CONCURRENCY = 4
WINDOW_S = 6
UP, GATEWAY, FORKSERVER, SIDECAR, APP = "up", "gateway", "forkserver", "sidecar", "app"


class CommandError(Exception):
    """A command that ended badly; the text says how."""


class Machine:
    """One home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir()
        (self.app / "app.sh").write_text(
            f'sleep "${{START_S:-0}}"\nexec {shlex.quote(str(tool("origin")))} 127.0.0.1 "$PORT" stay\n'
        )
        (folder / "run").mkdir(mode=0o700)
        self.state = folder / "state" / "penstock"
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }  # fmt: skip
        self.port = 0
        self.revisions = 0

    async def penstock(self, *words: object) -> str:
        """What it prints. Raises CommandError."""
        started = await asyncio.create_subprocess_exec(
            BINARY.with_name("penstock"), *map(str, words), env=self.environment, cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await started.communicate()
        if started.returncode:
            raise CommandError(f"penstock {words[0]}: {err.decode().strip()}")
        return out.decode()

    async def up(self) -> None:
        """Raises CommandError."""
        said = json.loads(await self.penstock("up", "--detach", "--port", self.port, "-o", "json"))
        self.port = said["port"]

    async def deploy(self, name: str, *more: object) -> None:
        """A new revision, which gets everything. Raises CommandError."""
        self.revisions += 1
        await self.penstock(
            "deploy", "app", "--name", name, "--command", "sh app.sh", "--concurrency", CONCURRENCY,
            "--annotation", f"autoscaling.knative.dev/window={WINDOW_S}s", "--env", f"REVISION={self.revisions}", *more,
        )  # fmt: skip

    async def pods(self, name: str) -> tuple[int, int]:
        """Ready and starting, of all revisions. Raises CommandError."""
        found = json.loads(await self.penstock("explain", name, "-o", "json"))["revisions"]
        return sum(one["pods_ready"] for one in found), sum(one["pods_starting"] for one in found)

    def delete_pod(self, name: str) -> None:
        """By the API, as `kubectl delete pod` does. Raises OSError."""
        running = json.loads((self.folder / "run" / "penstock" / "up.json").read_bytes())
        token = (self.state / "api" / "token").read_text().strip()
        connection = http.client.HTTPConnection(running["api"].partition("://")[2], timeout=10)
        path = f"/api/v1/namespaces/default/pods/{name}"
        connection.request("DELETE", path, headers={"Authorization": f"Bearer {token}"})
        connection.getresponse().read()
        connection.close()

    def pod_names(self) -> list[str]:
        """Pods that have processes."""
        return [path.stem.partition("_")[2] for path in (self.state / "node" / "pods").glob("*.json")]

    def processes(self) -> Iterator[tuple[str, int]]:
        """What each process of this home is, and its pid."""
        for path in (self.state / "node" / "pods").glob("*.json"):
            try:
                record = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            for name, one in record["containers"].items():
                yield SIDECAR if name == "queue-proxy" else APP, one["pid"]
        mine = f"XDG_RUNTIME_DIR={self.folder / 'run'}".encode()
        handover = f"PENSTOCK_HANDOVER={self.folder / 'run'}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                environment = (folder / "environ").read_bytes()
                children = (folder / "task" / folder.name / "children").read_text().split()
            except OSError:
                continue
            if handover in environment and any(word.endswith(b"penstock-gateway") for word in words):
                yield GATEWAY, int(folder.name)
            elif mine in environment and b"up" in words and any(word.endswith(b"/penstock") for word in words):
                yield UP, int(folder.name)
                yield from ((FORKSERVER, int(child)) for child in children if _is_forkserver(child))

    def signal(self, kind: str, number: signal.Signals) -> int:
        """To the first process of a kind; its pid, 0 when there is none."""
        for found, pid in self.processes():
            if found == kind:
                os.kill(pid, number)
                return pid
        return 0

    def log(self) -> str:
        """The end of what it has written."""
        path = self.state / "penstock.log"
        return path.read_text(errors="replace")[-6000:] if path.exists() else ""

    def killed(self) -> None:
        """Whatever is left, at the end of a run."""
        for _kind, pid in list(self.processes()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _is_forkserver(pid: str) -> bool:
    try:
        return b"dataplane.forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
