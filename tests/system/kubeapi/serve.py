"""serve: an embedded API server as a process of its own: `python -m tests.system.kubeapi.serve FOLDER`."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from controller.local.api.kinds import defined
from controller.local.api.server import Server
from tests.apiserverfixture import ROOT, Endpoint
from tests.system.kubeapi.samples import WIDGET_DEFINITION


async def serve(folder: Path) -> None:
    server = Server(folder, kinds=defined(WIDGET_DEFINITION))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    async with server.running():
        server.write_kubeconfig(folder / "kubeconfig")
        print(server.url, server.plain_url, server.token, flush=True)
        await ended.wait()


@contextlib.contextmanager
def embedded(folder: Path) -> Iterator[tuple[Endpoint, subprocess.Popen[str]]]:
    """The server, as a process; ended by TERM, and it has to end well unless it was killed."""
    command = [sys.executable, "-m", "tests.system.kubeapi.serve", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        _, plain, token = process.stdout.readline().split()
        yield Endpoint(plain, token), process
        if process.poll() is None:
            process.terminate()
            assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
