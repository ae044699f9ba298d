"""gateway: routes by host, path and header; holds requests for revisions that have no instance.

Routes come from the controller, load goes to the autoscaler, both by
WebSocket. Without either it serves what it knows.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvloop

from dataplane import VERSION
from dataplane.config.gateway import GatewaySettings, read_gateway
from dataplane.contract.reports import Ready
from dataplane.contract.routes import Delta
from dataplane.errors import ConfigError
from dataplane.gateway.handover import Handover
from dataplane.gateway.metrics import page
from dataplane.gateway.plan import ADMIN
from dataplane.gateway.supervisor import GatewaySupervisor
from dataplane.logs import LogFormat, Logger
from dataplane.memory import Ebb
from dataplane.metrics.prometheus import CONTENT_TYPE
from dataplane.sources.autoscaler import AutoscalerLink
from dataplane.sources.stream import RouteStream

if TYPE_CHECKING:
    from dataplane.carried import Carried

PROGRAM = "penstock-gateway"
TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
METRICS = b"Content-Type: %s\r\n" % CONTENT_TYPE.encode()

QUIET_S = 0.2
"""How long no request may have been in flight for a drain to end."""
DRAIN_MAX_S = 45.0

AGAIN_S = 0.25
"""How long an endpoint that has refused a connection is left alone; the request itself goes elsewhere at once."""

GATHER_S = 0.1
"""Between two batches of finished exchanges: many in one, and callers are not kept waiting for them."""

FIRST_S = 2.0
"""What the controller gets to say what is new, before callers get what the file says."""


class Gateway:
    """One gateway, from its first listener to its exit status."""

    def __init__(self, settings: GatewaySettings, log: Logger) -> None:
        self.settings = settings
        self.log = log
        self.supervisor = GatewaySupervisor(settings)
        self.stream = RouteStream(settings.controller, settings.name, self._use, log.warn, settings.state_file)
        self.link = AutoscalerLink(settings.autoscaler, settings.name, self.supervisor.report, self._ready, log.warn)
        about = {
            "port": settings.public_port,
            "controller": urlsplit(settings.controller).port,
            "autoscaler": urlsplit(settings.autoscaler).port,
        }
        self.handover = Handover(settings.sockets, settings.notice_fd, settings.handover, about)
        self._ebb = Ebb(self.supervisor.connections)
        self._set_aside: set[str] = set()
        """Targets with endpoints that have refused, and come back soon."""
        self._leaving = asyncio.Event()
        self._carried = self._open_traces()
        self._is_gathering = False

    def _open_traces(self) -> Carried | None:
        """What is wrong with a collector's address is told, and ends nothing."""
        tracing = self.settings.tracing
        if tracing is None:
            return None
        from dataplane.carried import Carried
        from dataplane.metrics.catalog import Resource
        from dataplane.tracing import GATEWAY

        resource = Resource(
            namespace=self.settings.namespace, pod=self.settings.name, service_name="gateway", service="",
            configuration="", revision="", version=VERSION, container="gateway",
        )  # fmt: skip
        try:
            supervisor = self.supervisor
            return Carried(tracing, resource, GATEWAY, supervisor.finished, supervisor.faults, self.log.warn)
        except (ValueError, ImportError) as error:
            self.log.error(f"Traces are off: {error}")
            return None

    async def run(self) -> int:
        """Until TERM, and until what runs then is done; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leaving.set)
        await self.stream.restore()  # before anybody can ask
        self.supervisor.start()
        loop.add_reader(self.supervisor.engine.events_fd, self._events)
        loop.add_reader(self.supervisor.engine.calls_fd, self._calls)
        tasks = [asyncio.create_task(self.stream.run()), asyncio.create_task(self.link.run())]
        if self.settings.sockets:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stream.current.wait(), FIRST_S)
            self.supervisor.adopt()
            self.handover.begin()
        await self._leaving.wait()
        self.log.info("Draining.")
        self.stream.save()
        self.supervisor.leave()
        self.handover.leave()
        end_s = loop.time() + DRAIN_MAX_S
        await self._drained(QUIET_S, end_s)
        # Callers hear of it while somebody still reads: a request that is on its way is answered.
        self.supervisor.engine.close_idle()
        await self._drained(QUIET_S / 4, end_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._carried is not None:
            self._carried.close()
        self.supervisor.stop()
        self.log.info("Leaving.")
        return 0

    async def _use(self, delta: Delta) -> list[str]:
        problems = self.supervisor.use(delta)
        for problem in problems:
            self.log.error(f"A host is left out: {problem}")
        return problems

    def _ready(self, ready: Ready) -> None:
        self.supervisor.add(ready)

    def _events(self) -> None:
        """A revision is wanted: the autoscaler hears of it at once. An endpoint refuses: it is tried again soon.

        Its pod may be starting again, and nobody else has to have noticed.
        """
        wanted, refusing = self.supervisor.take_events()
        if wanted:
            self.link.wanted()
            self._ebb.wake()
        for name in refusing - self._set_aside:
            self._set_aside.add(name)
            asyncio.get_running_loop().call_later(AGAIN_S, self._again, name)

    def _again(self, name: str) -> None:
        self._set_aside.discard(name)
        self.supervisor.again(name)

    def _calls(self) -> None:
        """What comes to the admin port; the bell rings for finished exchanges, too."""
        if self._carried is not None and not self._is_gathering:
            self._gather(self._carried)
        for call in self.supervisor.engine.wait(0):
            path = call.target.partition(b"?")[0]
            if call.listener == ADMIN and path == b"/metrics":
                call.answer(200, METRICS, page(self.supervisor.duration_bounds_ns, self.supervisor.engine.cold()))
            elif call.listener != ADMIN or path not in (b"/ready", b"/healthz"):
                call.answer(404, TEXT, b"404 page not found\n")
            elif path == b"/ready" and (self.stream.state.version == 0 or self._leaving.is_set()):
                call.answer(503, TEXT, b"no routes yet\n")
            else:
                call.answer(200, TEXT, b"ok\n")

    def _gather(self, carried: Carried) -> None:
        """Now, and again after a while as long as there is something to take."""
        self._is_gathering = carried.drain()
        if self._is_gathering:
            asyncio.get_running_loop().call_later(GATHER_S, self._gather, carried)

    async def _drained(self, quiet_s: float, end_s: float) -> None:
        """Returns when nothing has been in flight for so long, or the loop's time is up."""
        loop = asyncio.get_running_loop()
        quiet_since_s = loop.time()
        while loop.time() < end_s and loop.time() - quiet_since_s < quiet_s:
            if any(worker["in_flight"] for worker in self.supervisor.engine.snapshot()):
                quiet_since_s = loop.time()
            await asyncio.sleep(QUIET_S / 4)


def main() -> int:
    """The exit status: 0 after a drain, 1 for settings that cannot be used."""
    if "--version" in sys.argv[1:]:
        print(f"{PROGRAM} {VERSION}")
        return 0
    try:
        settings = read_gateway(os.environ)
        log = Logger(LogFormat(), "gateway", (("knative.dev/pod", settings.name),))
        return uvloop.run(_run(settings, log))
    except ConfigError as error:
        sys.stderr.write(error.report(PROGRAM))
        return 1


async def _run(settings: GatewaySettings, log: Logger) -> int:
    return await Gateway(settings, log).run()
