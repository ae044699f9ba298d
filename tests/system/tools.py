"""Tools: the programs that system tests run beside the sidecar; those in Go are built once."""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

from loadtests.tools import go_build
from tests.sidecarfixture import ROOT

HERE = Path(__file__).parent
BUILD = ROOT / "build" / "tools"
PACKAGES = {"gopeer": ".", "h2spec": "github.com/summerwind/h2spec/cmd/h2spec"}


def go_tool(name: str) -> str:
    """Path of one that is built from the folder of its name, when a source is newer than it is."""
    BUILD.mkdir(parents=True, exist_ok=True)
    built = BUILD / name
    with (BUILD / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max(source.stat().st_mtime for source in (HERE / name).iterdir())
        if not built.exists() or built.stat().st_mtime < newest:
            go_build(HERE / name, built, PACKAGES[name])
    return str(built)


def output(*command: object, patience_s: float = 60, status: int = 0) -> str:
    """What a program that ends with this status writes to both its outputs; fails with it otherwise."""
    done = subprocess.run(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=patience_s,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == status, f"{command[0]} ended with {done.returncode}: {said[-4000:]}"
    return said


class GoApp:
    """Go's net/http as the app: HTTP/1.1 and h2c on one port of 127.0.0.1."""

    def __init__(self) -> None:
        self.process = subprocess.Popen([go_tool("gopeer"), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
