"""upfixture: a `penstock up` of its own: folders, launchers, port; ended by its pid, also on failure."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dataplane.launcher import write_launchers
from tests.sidecarfixture import PYTHON, ROOT

PATIENCE_S = 60.0

APP = """
import http.server
import os

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ["WORD"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        print("asked for", self.path, flush=True)

print("word", os.environ["WORD"], flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
"""Answers with a word of its environment."""


class Machine:
    """Commands of `penstock` against one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = folder / "bin"
        programs.mkdir()
        write_launchers(programs, PYTHON, ROOT, Path(sysconfig.get_path("purelib")))
        self.program = programs / "penstock"
        self.state = folder / "state" / "penstock"
        (folder / "run").mkdir(mode=0o700)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }  # fmt: skip
        self.pid = 0
        self.port = 0

    def run(self, *words: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        """One command, which has to end with that status."""
        done = subprocess.run(
            [str(self.program), *map(str, words)], env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == status, (
            f"{words} ended with {done.returncode}:\n{done.stdout}{done.stderr}{self.log()}"
        )
        assert "Traceback" not in done.stderr
        return done

    def json(self, *words: object) -> Any:
        return json.loads(self.run(*words, "--output", "json").stdout)

    def up(self, port: int = 0) -> None:
        told = self.json("up", "--detach", "--port", port)
        self.pid, self.port = told["pid"], told["port"]

    def app(self, name: str) -> Path:
        """A folder with the tiny app."""
        folder = self.folder / name
        folder.mkdir()
        (folder / "app.py").write_text(APP)
        return folder

    def get(self, host: str, path: str = "/") -> tuple[int, str]:
        """A request as a caller makes it whose resolver does not know the host."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers={"Host": host})
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def log(self) -> str:
        """The end of what the process has logged."""
        with suppress(OSError):
            return (self.state / "penstock.log").read_text()[-4000:]
        return ""

    def kill(self) -> None:
        """Whatever is left, each by its pid: the process, its gateway, and the pods that the node has noted."""
        left = [self.pid] if self.pid else []
        while left:
            pid = left.pop()
            with suppress(OSError):
                left += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for record in (self.state / "node" / "pods").glob("*.json"):
            for one in json.loads(record.read_text())["containers"].values():
                with suppress(ProcessLookupError):
                    os.kill(one["pid"], signal.SIGKILL)


def is_gone(pid: int) -> bool:
    """It has ended, whether or not anybody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """One that runs; it has to end well."""
    made = Machine(folder)
    try:
        made.up()
        yield made
        made.run("down")
        assert is_gone(made.pid)
        made.pid = 0
    finally:
        made.kill()
