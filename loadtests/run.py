"""Run: starts an app and the sidecar, lets locust load them, and prints what came of it.

Usage  python -m loadtests.run [SECONDS=20] [USERS=60] [SHAPE=step] [LIMIT=100]
                               [KINDS=keepalive,websocket,…] [PROXY=penstock|none]

Each may be an argument or an environment variable. Exits 1 when a request failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack

from loadtests.compare.callers import get, raise_file_limit
from loadtests.compare.peers import PEERS, Running, Setup
from loadtests.process import Process, ProcessError, end_on_term, free_port
from loadtests.settings import Settings
from loadtests.tools import HERE, VENV_BIN, ToolError, tool

KINDS = ("keepalive", "bursts", "uploads", "slow", "streaming", "websocket", "grpc")
SHAPES = ("steady", "step", "ramp", "burst", "sawtooth")
DEFAULTS = {
    "SECONDS": "20",
    "USERS": "60",
    "SHAPE": "step",
    "LIMIT": "100",
    "KINDS": ",".join(KINDS),
    "PROXY": "penstock",
}
MIB = 1 << 20


def locust(settings: Settings, host: str) -> int:
    """Runs locust without its web page; returns its exit status."""
    argv = [str(VENV_BIN / "locust"), "--headless", "--only-summary", "--locustfile", str(HERE / "locustfile.py")]
    argv += ["--host", host, "--exit-code-on-error", "1", "--stop-timeout", "10", "--loglevel", "WARNING"]
    env = {
        **os.environ,
        "LOAD_SECONDS": settings.text("SECONDS"),
        "LOAD_USERS": settings.text("USERS"),
        "LOAD_SHAPE": settings.text("SHAPE"),
        "LOAD_KINDS": settings.text("KINDS"),
        "PYTHONPATH": str(HERE.parent),
    }
    return subprocess.run(argv, env=env).returncode


def show_sidecar(running: Running, before_ns: int) -> None:
    """Prints what the load cost the sidecar, and what it counted of its own."""
    used_s = (running.process.cpu().total_ns - before_ns) / 1e9
    print(f"sidecar: {used_s:.2f} s of CPU, {running.process.rss_bytes() / MIB:.1f} MiB resident at the end")
    for line in get(running.address, 9091, "/metrics").decode().splitlines():
        if line.startswith(("kn_serving_queue_depth", "penstock_")) and not line.endswith(" 0"):
            print(f"  {line}")


def load(settings: Settings) -> int:
    """One load of an app of its own behind a sidecar of its own."""
    with ExitStack() as stack:
        app_port = free_port()
        app = stack.enter_context(Process([str(tool("app")), "-listen", f"127.0.0.1:{app_port}"]))
        app.wait_listening("127.0.0.1", app_port)
        if settings.text("PROXY") == "none":
            return locust(settings, f"http://127.0.0.1:{app_port}")
        running = stack.enter_context(Running(PEERS["penstock"], Setup(limit=settings.number("LIMIT")), app_port))
        running.wait_ready()
        before_ns = running.process.cpu().total_ns
        status = locust(settings, f"http://{running.address}:{running.port}")
        running.process.check()
        show_sidecar(running, before_ns)
        return status


def main() -> int:
    settings = Settings(
        "loadtests.run",
        DEFAULTS,
        numbers=("SECONDS", "USERS", "LIMIT"),
        words={"SHAPE": SHAPES, "KINDS": KINDS, "PROXY": ("penstock", "none")},
    ).read()
    if not settings.problems and settings.text("PROXY") == "penstock" and PEERS["penstock"].missing():
        settings.problems.append(PEERS["penstock"].missing())
    if settings.complain():
        return 2
    end_on_term()
    raise_file_limit()
    try:
        return load(settings)
    except (ProcessError, ToolError, OSError) as e:
        print(f"loadtests.run: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
