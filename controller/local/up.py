"""Up: everything of one machine in one process: API server, controllers, node; the gateway is its child.

What begins first ends last: the API server outlives its clients, the node ends
its processes while the controllers still see it, and before all that the
gateway finishes what it carries.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from controller.assembly import Addresses, Controllers, Surroundings
from controller.config.settings import Settings
from controller.ingress.reconcile import GatewayPlace
from controller.kube.cache import Key
from controller.local import admission, forkserver, maps
from controller.local.access import client_config
from controller.local.api import status
from controller.local.api.server import Server
from controller.local.door import Door
from controller.local.gateway import LOOPBACK, Gateway, Orphan, Sockets
from controller.local.home import Home, Running
from controller.local.images import Images
from controller.local.node import Node, NodeSettings
from controller.serving.route import Place
from dataplane.kube.client import Client

log = logging.getLogger("penstock.up")

SIDECAR = "penstock-queue-proxy"
GATEWAY = "penstock-gateway"
QUIET_MS = 1_000
"""How long a sidecar that leaves waits for the last request: on one machine gateways know of it much earlier."""
GATEWAY_S = 10.0
"""For its first connection."""

ROOT = Path(__file__).resolve().parent.parent.parent
"""The folder that holds `controller`, `dataplane` and `ext`."""
PACKAGES = Path(uvloop.__file__).resolve().parent.parent
"""Where pip installs; a launcher's interpreter does not know it by itself."""

T = TypeVar("T")

Phase = Callable[[str], None]
"""Told what is being done now, in a few words."""


class UpError(Exception):
    """It cannot be started; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpSettings:
    """What a user may choose."""

    home: Home
    port: int
    programs: Path
    """Folder of the other launchers."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class Machine:
    """One `penstock up`."""

    def __init__(self, settings: UpSettings, phase: Phase) -> None:
        self._settings = settings
        self._home = settings.home
        self._phase = phase
        self._node: Node | None = None
        self._controllers: Controllers | None = None

    def _now(self) -> Settings:
        """The settings, which the API server asks for before the controllers are there."""
        return self._controllers.settings if self._controllers is not None else maps.first_settings()

    async def run(self, on_ready: Callable[[Running], None]) -> None:
        """Until TERM or INT. Raises UpError and its like, Taken, HomeError, PortTaken."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, ended.set)
        lock = self._home.lock()
        try:
            async with AsyncExitStack() as stack:
                watched = await self._start(stack, on_ready)
                waiting = asyncio.ensure_future(ended.wait())
                await asyncio.wait([waiting, *watched], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                for task in watched:
                    if task.done():
                        raise ended_badly(task)
                self._phase("ending: requests that run are answered first")
        finally:
            os.close(lock)

    async def _start(self, stack: AsyncExitStack, on_ready: Callable[[Running], None]) -> list[asyncio.Task[None]]:
        """Everything, in order. Returns the tasks whose end means that something is wrong."""
        home, began_s = self._home, time.time()
        orphan = Orphan.find(home.handover, self._settings.port)
        sockets = orphan.sockets if orphan is not None else Sockets.open(self._settings.port)
        stack.callback(sockets.close)
        port = sockets.port
        self._phase("starting the API server")
        server = Server(
            home.api, kinds=admission.kinds(), admission=admission.admission(self._now, maps.SYSTEM_NAMESPACE),
            logs=self._logs, namespaces=(maps.SYSTEM_NAMESPACE,),
        )  # fmt: skip
        await stack.enter_async_context(server.running())
        server.write_kubeconfig(home.kubeconfig)
        config = client_config(server.plain_url, server.token)
        client = await stack.enter_async_context(Client(config, "penstock-controller"))
        await maps.ensure_maps(client)

        self._phase("starting the controllers")
        around = Surroundings(
            system_namespace=maps.SYSTEM_NAMESPACE, place=Place(public_port=port),
            gateways=GatewayPlace(maps.INGRESS_CLASS, LOOPBACK, LOOPBACK), addresses=_addresses(orphan),
            wish=self._wish,
        )  # fmt: skip
        controllers = self._controllers = Controllers(client, around, maps.first_settings())
        server.mount(Door.PATH, Door(controllers, server.token).app)
        self._node = Node(client, Images(home.images), self._node_settings(port), controllers)
        deciding = await stack.enter_async_context(running(controllers.run(), "controllers"))
        carrying = await stack.enter_async_context(running(self._node.run(), "node"))

        self._phase("starting the gateway")
        await unless(deciding, controllers.listening.wait())
        environment = self._gateway_environment(port, controllers.gate_port, controllers.stats_port)
        gateway = Gateway((self._program(GATEWAY),), environment, sys.stderr.fileno(), sockets, orphan)
        keeping = await stack.enter_async_context(running(gateway.run(), "gateway"))
        stack.push_async_callback(gateway.leave)
        await unless(keeping, asyncio.wait_for(controllers.gate.applied(0), GATEWAY_S))
        found = Running(pid=os.getpid(), port=port, api=server.plain_url, state=str(home.state), since_s=began_s)
        home.write(found)
        on_ready(found)
        return [deciding, carrying, keeping]

    def _wish(self, key: Key, pods: int, decided_s: float) -> None:
        """The autoscaler's word, straight to the node."""
        if self._node is not None:
            self._node.wish(key, pods, decided_s)

    def _node_settings(self, port: int) -> NodeSettings:
        return NodeSettings(
            state=self._home.node,
            sidecar=(self._program(SIDECAR),),
            sidecar_environment={"PENSTOCK_QUIET_MS": str(QUIET_MS)},
            forkserver=forkserver.command(ROOT, PACKAGES),
            app_environment={"PENSTOCK_GATEWAY": f"http://{LOOPBACK}:{port}"},
        )

    def _gateway_environment(self, port: int, gate_port: int, stats_port: int) -> dict[str, str]:
        environment = {
            name: value
            for name, value in self._settings.environment.items()
            if name in ("PATH", "HOME", "LANG") or name.startswith(("PENSTOCK_", "OTEL_"))
        }
        return environment | {
            "POD_NAME": GATEWAY,
            "PENSTOCK_BIND_ADDRESS": LOOPBACK,
            "PENSTOCK_PUBLIC_PORT": str(port),
            "PENSTOCK_HANDOVER": str(self._home.handover),
            "PENSTOCK_CONTROLLER": f"ws://{LOOPBACK}:{gate_port}",
            "PENSTOCK_AUTOSCALER": f"ws://{LOOPBACK}:{stats_port}",
            "PENSTOCK_STATE_FILE": str(self._home.routes),
            "PENSTOCK_SERVER_TIMING": "true",
            "OBSERVABILITY_CONFIG": self._now().observability.document,
        }

    def _program(self, name: str) -> str:
        """Raises UpError."""
        path = self._settings.programs / name
        if not os.access(path, os.X_OK):
            raise UpError(f"{path} is not there, or may not be executed; `make build` writes it")
        return str(path)

    async def _logs(self, namespace: str, name: str, query: dict[str, str]) -> AsyncIterator[bytes]:
        if self._node is None:
            raise status.ApiError(503, "ServiceUnavailable", "the node has not started yet")
        async for part in self._node.log(namespace, name, query):
            yield part


def _addresses(orphan: Orphan | None) -> Addresses:
    """Where a gateway that goes on looks for us; otherwise anywhere."""
    if orphan is None:
        return Addresses(stats_port=0)
    return Addresses(gate_port=orphan.about.controller, stats_port=orphan.about.autoscaler)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[asyncio.Task[None]]:
    """A task for as long as the block lasts; it has ended when the block has."""
    task = asyncio.create_task(work, name=name)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s ended badly", name, exc_info=error)


async def unless(task: asyncio.Task[None], wanted: Awaitable[T]) -> T:
    """The result, unless the task that it comes from ends first. Raises UpError."""
    waiting = asyncio.ensure_future(wanted)
    await asyncio.wait([waiting, task], return_when=asyncio.FIRST_COMPLETED)
    if not waiting.done():
        waiting.cancel()
        raise ended_badly(task)
    try:
        return waiting.result()
    except TimeoutError:
        raise UpError(f"the {task.get_name()} does not answer; the log says more") from None


def ended_badly(task: asyncio.Task[None]) -> UpError:
    """Why a part is not there any more, in a line."""
    error: BaseException | None = None if task.cancelled() else task.exception()
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return UpError(f"the {task.get_name()} ended: {error or 'without a word'}; the log says more")


def run(settings: UpSettings, phase: Phase, on_ready: Callable[[Running], None]) -> None:
    """Blocks until TERM or INT. Raises UpError, StoreError, Taken, HomeError, PortTaken."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(Machine(settings, phase).run(on_ready))
