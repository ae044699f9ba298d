"""Main: `penstock-controller [NAME ...]`: all controllers, or those that are named, as one process of a cluster."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

import uvloop

from controller import logs
from controller.assembly import Controllers
from controller.config.settings import Settings
from controller.environment import Process, read
from controller.kube.leader import Leader, LeadershipLost
from dataplane.kube.client import Client
from dataplane.kube.errors import KubeError

PROGRAM = "penstock-controller"
log = logging.getLogger("penstock")

OK, FAILED, MISUSED = 0, 1, 2


async def run(process: Process) -> None:
    """Until TERM or INT.

    Raises  KubeError when nothing says where the API server is, LeadershipLost, OSError for a port in use
    """
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    async with Client.from_env(PROGRAM) as client:
        around = process.around
        controllers = Controllers(client, around, Settings(), process.names)

        async def work() -> None:
            telling = asyncio.create_task(_tell(controllers))
            try:
                await controllers.run()
            finally:
                telling.cancel()

        name = "-".join((PROGRAM, *sorted(process.names))) if not controllers.is_whole else PROGRAM
        await Leader(client, around.system_namespace, name, process.identity).lead(work)


async def _tell(controllers: Controllers) -> None:
    await controllers.listening.wait()
    ports = controllers.gate_port, controllers.stats_port, controllers.announce_port
    log.info("gateways connect to port %d, activators to port %d, sidecars to port %d", *ports)


def main() -> int:
    """The process's exit status."""
    process, problems = read(os.environ, tuple(sys.argv[1:]))
    logs.start(process.log_level if process is not None else "info")
    if process is None:
        for problem in problems:
            log.error("%s", problem)
        return MISUSED
    said: list[str] = []
    try:
        with suppress(asyncio.CancelledError):
            uvloop.run(run(process))
    except* LeadershipLost as lost:
        said += [f"ends, as it leads no longer: {one}" for one in lost.exceptions]
    except* KubeError as wrong:
        said += [f"the API server cannot be reached: {one}" for one in wrong.exceptions]
    except* OSError as wrong:
        said += [f"cannot listen: {one}" for one in _flat(wrong)]
    for line in said:
        log.error("%s", line)
    if not said:
        log.info("ended")
    return FAILED if said else OK


def _flat(group: BaseExceptionGroup[OSError]) -> Iterator[OSError]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _flat(one)
        else:
            yield one


if __name__ == "__main__":
    sys.exit(main())
