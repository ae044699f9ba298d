"""Machine: `penstock up`, `down` and `reset`."""

from __future__ import annotations

import logging
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from controller.cli.options import AsOutput, Output, StateDir, home_of
from controller.cli.problem import Problem, problem_of, reported
from controller.cli.progress import Progress
from controller.local.home import Home, Running, Taken
from controller.local.leftovers import Leftovers

PORT = 8080
FAILED = "failed: "
"""Begins a line about what went wrong, in what a detached process says."""

DOWN_S = 60.0
"""Until everything has ended: the gateway's drain, and the apps' grace."""

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Where services answer; 0: any free one.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return when it is ready.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Notify = Annotated[int, typer.Option("--notify", hidden=True)]


@reported
def up(
    port: Port = PORT,
    detach: Detach = False,
    state_dir: StateDir = None,
    output: AsOutput = Output.TEXT,
    notify: Notify = -1,
) -> None:
    """Run everything on this machine, until Ctrl-C or `penstock down`."""
    home = home_of(state_dir)
    if detach:
        running = _detached(home, port, quiet=output == Output.JSON)
        _tell(running, home, output, 0.0)
        return
    if notify >= 0:
        _notifying(home, port, notify)
        return
    began_s = time.monotonic()
    with Progress(quiet=output == Output.JSON) as progress:

        def ready(running: Running) -> None:
            progress.pause()
            _tell(running, home, output, time.monotonic() - began_s)

        _serve(home, port, progress.say, ready)


@reported
def down(state_dir: StateDir = None, output: AsOutput = Output.TEXT) -> None:
    """End what runs on this machine; its state stays."""
    home = home_of(state_dir)
    running = home.running()
    if running is None and home.is_locked():
        raise Problem("penstock is starting or ending right now", "wait a moment, and try again")
    if running is not None:
        with Progress(quiet=output == Output.JSON) as progress:
            progress.say(f"ending process {running.pid}: requests that run are answered first")
            if not _ended(running.pid, DOWN_S):
                raise Problem(
                    f"process {running.pid} has not ended within {DOWN_S:g} s",
                    f"its log: {home.log}; as a last resort: kill -9 {running.pid}",
                )
    left = _end_leftovers(home, quiet=output == Output.JSON)
    text = "penstock has ended" if running is not None else "penstock does not run here"
    if left:
        text = f"penstock was not running; what an earlier one had left behind has ended: {left}"
    _say(output, {"was_running": running is not None, "left_behind": str(left)}, text)


@reported
def reset(yes: Yes = False, state_dir: StateDir = None, output: AsOutput = Output.TEXT) -> None:
    """Delete the state: services, settings, images, logs. The folders of apps stay as they are."""
    home = home_of(state_dir)
    if home.is_locked():
        raise Problem("penstock runs", "end it first: penstock down")
    if left := Leftovers.find(home):
        raise Problem(left.told, "end them first: penstock down")
    if not home.state.exists():
        _say(output, {"deleted": None}, f"there is nothing in {home.state}")
        return
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"Delete {home.state} with all services?", err=True)):
        raise Problem("nothing was deleted", "confirm with --yes")
    lock = home.lock()
    try:
        for name in home.state.iterdir():
            shutil.rmtree(name) if name.is_dir() and not name.is_symlink() else name.unlink()
    finally:
        os.close(lock)
    _say(output, {"deleted": str(home.state)}, f"{home.state} is empty")


def _end_leftovers(home: Home, *, quiet: bool) -> str:
    """Ends what a killed process has left behind; says what it was. Raises Taken."""
    if not Leftovers.find(home):
        return ""
    lock = home.lock()
    try:
        left = Leftovers.find(home)
        with Progress(quiet=quiet) as progress:
            progress.say(f"ending what was left behind: {left}")
            left.end()
    finally:
        os.close(lock)
    return str(left)


def _serve(home: Home, port: int, phase: Callable[[str], None], ready: Callable[[Running], None]) -> None:
    """Everything, until it is told to end. Raises Problem."""
    home.make()
    logging.basicConfig(filename=home.log, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("websockets").setLevel(logging.WARNING)
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    from controller.local import up as local
    from controller.local.api.store import StoreError
    from controller.local.gateway import PortTaken

    settings = local.UpSettings(home=home, port=port, programs=Path(sys.argv[0]).absolute().parent)
    try:
        local.run(settings, phase, ready)
    except (local.UpError, PortTaken, StoreError) as error:
        raise Problem(str(error), "" if isinstance(error, PortTaken) else f"its log: {home.log}") from error


def _detached(home: Home, port: int, *, quiet: bool) -> Running:
    """Starts another process, and returns when it is ready. Raises Problem, Taken."""
    if home.is_locked():
        raise Taken(home.running())
    home.make()
    reader, writer = os.pipe()
    command = [sys.argv[0], "up", "--port", str(port), "--state-dir", str(home.state), "--notify", str(writer)]
    failure = ""
    with open(home.log, "ab") as log, open(reader, encoding="utf-8") as told, Progress(quiet=quiet) as progress:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(writer,), start_new_session=True
        )
        os.close(writer)
        for line in told:
            failure = line.removeprefix(FAILED).strip() if line.startswith(FAILED) else ""
            progress.say(line)
    running = home.running()
    if running is not None and running.pid == child.pid:
        return running
    raise Problem(failure or f"it ended with status {child.wait()}", f"its log: {home.log}")


def _notifying(home: Home, port: int, descriptor: int) -> None:
    """What `_detached` starts: says what it does into a pipe, whose end means that it is ready, or gone."""
    os.set_inheritable(descriptor, False)
    with open(descriptor, "w", encoding="utf-8", buffering=1) as told:
        try:
            _serve(home, port, lambda text: None if told.closed else print(text, file=told), lambda _: told.close())
        except Exception as error:
            problem = problem_of(error)
            if not told.closed:
                print(f"{FAILED}{problem.text}; {problem.fix}".rstrip("; "), file=told)
            raise


def _tell(running: Running, home: Home, output: Output, took_s: float) -> None:
    """That it is ready, and what to do next."""
    if output == Output.JSON:
        told = msgspec.to_builtins(running) | {"kubeconfig": str(home.kubeconfig)}
        print(msgspec.json.encode(told).decode(), flush=True)
        return
    took = f" in {took_s:.1f} s" if took_s else ""
    print(
        f"penstock is ready{took}: process {running.pid}\n"
        f"  services    http://NAME.NAMESPACE.localhost:{running.port}\n"
        f"  kubectl     export KUBECONFIG={home.kubeconfig}\n"
        f"  log         {home.log}\n"
        f"  next        penstock deploy FOLDER",
        flush=True,
    )


def _ended(pid: int, patience_s: float) -> bool:
    """Tells a process to end; whether it has, before the patience is over."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        return bool(select.select([descriptor], [], [], patience_s)[0])
    except ProcessLookupError:
        return True
    finally:
        os.close(descriptor)


def _say(output: Output, document: dict[str, Any], text: str) -> None:
    print(msgspec.json.encode(document).decode() if output == Output.JSON else text)
