"""activator: holds requests for revisions that have no free pod, and spreads them over those that have.

Takes the place of upstream's Deployment: revisions and endpoints come from
the API server, load goes to the autoscaler by WebSocket.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import uvloop

from dataplane import VERSION
from dataplane.accesslog import LineWriter
from dataplane.activator.leaving import may_leave
from dataplane.activator.requestlog import RequestLog
from dataplane.activator.revisions import Revisions
from dataplane.activator.supervisor import ActivatorSupervisor
from dataplane.config.activator import ActivatorSettings, read_activator
from dataplane.errors import ConfigError
from dataplane.kube.client import Client
from dataplane.kube.errors import Unreachable
from dataplane.logs import LogFormat, Logger
from dataplane.memory import Ebb
from dataplane.metrics.activator import ActivatorMetrics, Concurrency
from dataplane.metrics.prometheus import CONTENT_TYPE
from dataplane.reporter import Seen
from dataplane.sources.autoscaler import AutoscalerLink
from dataplane.sources.kube import Cluster

PROGRAM = "penstock-activator"
METRICS_FIELDS = f"Content-Type: {CONTENT_TYPE}\r\n".encode()
NOT_CONNECTED = "connection has not yet been established"
LEAVING = "received SIGTERM from kubelet"

STDOUT = 1
LOOK_S = 0.1
"""Between two looks at what is in flight while leaving, as nothing announces its end; and at finished requests."""


class Activator:
    """One activator, from its first look at the cluster to its exit status."""

    def __init__(self, settings: ActivatorSettings, client: Client, log: Logger) -> None:
        self.log = log
        self.concurrency = Concurrency()
        self.supervisor = ActivatorSupervisor(settings)
        self.revisions = Revisions(settings, self.supervisor, log.warn, self._observe, self.concurrency.forget)
        self.cluster = Cluster(client, settings.system_namespace, settings.observability_map, self.revisions, log.warn)
        self.link = AutoscalerLink(
            settings.autoscaler, settings.name, self._report, self.revisions.announced, log.warn, self._connected
        )
        resource = {
            "service.name": "activator",
            "k8s.namespace.name": settings.system_namespace,
            "k8s.pod.name": settings.name,
            "service.version": VERSION,
        }
        self.metrics = ActivatorMetrics(resource, self.concurrency, self.supervisor.gate, self.revisions.labels)
        self.requests = RequestLog(
            settings.cluster_domain, self.revisions.labels, self.supervisor.finished, log.warn, LineWriter(STDOUT)
        )
        self._is_gathering = False
        self._ebb = Ebb(self.supervisor.connections)
        self._leaving = asyncio.Event()

    async def run(self) -> int:
        """Until TERM, and until what came then is done; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leaving.set)
        engine = self.supervisor.engine
        engine.health(NOT_CONNECTED)
        tasks = [asyncio.create_task(self.cluster.run())]
        try:
            if await self._until(self.cluster.known, tasks[0]):
                self.supervisor.listen()
                loop.add_reader(engine.events_fd, self._events)
                loop.add_reader(engine.calls_fd, self._calls)
                tasks.append(asyncio.create_task(self.link.run()))
                self.log.info("Serving.")
                await self._until(self._leaving, tasks[0])
                engine.health(LEAVING)
                engine.drain(True)
                self.log.info("Draining.")
                await self._drained()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.revisions.close()
            self.supervisor.stop()
            self.requests.drain()
        self.log.info("Leaving.")
        return 0

    async def _until(self, event: asyncio.Event, following: asyncio.Task[None]) -> bool:
        """Waits for the event; False: told to leave. Before every list has come, nobody is told that a revision
        is not there."""
        waits = [asyncio.create_task(event.wait()), asyncio.create_task(self._leaving.wait())]
        await asyncio.wait([*waits, following], return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        if following.done():
            following.result()
        return not self._leaving.is_set()

    def _report(self) -> dict[str, Seen]:
        return self.concurrency.take(self.supervisor.report(), time.monotonic_ns())

    def _connected(self) -> None:
        """Once: losing the autoscaler fails no probe, as a queue in hand is worth more (DP-173)."""
        if not self._leaving.is_set():
            self.supervisor.engine.health()

    def _observe(self, data: dict[str, str]) -> None:
        self.supervisor.keep_exchanges(self.requests.use(data))
        try:
            self.supervisor.serve_metrics(data.get("metrics-protocol") == "prometheus")
        except ConfigError as error:
            self.log.error(error.report(PROGRAM).strip())

    def _events(self) -> None:
        """A revision is wanted, or a pod refuses: the autoscaler hears of the first at once."""
        self.revisions.refused()
        self.link.wanted()
        self._ebb.wake()

    def _calls(self) -> None:
        """What comes to the port of the metrics; the bell rings for finished exchanges, too."""
        if not self._is_gathering:
            self._write_requests()
        for call in self.supervisor.engine.wait(0):
            if call.target.partition(b"?")[0] == b"/metrics":
                call.answer(200, METRICS_FIELDS, self.metrics.render(self.link.is_connected, self.link.losses))
            else:
                call.answer(404, b"Content-Type: text/plain; charset=utf-8\r\n", b"404 page not found\n")

    def _write_requests(self) -> None:
        """Now, and again after a while as long as there is something to write."""
        self._is_gathering = self.requests.drain()
        if self._is_gathering:
            asyncio.get_running_loop().call_later(LOOK_S, self._write_requests)

    async def _drained(self) -> None:
        term_ns = time.monotonic_ns()
        while not may_leave(
            time.monotonic_ns(), term_ns, *self.supervisor.in_flight(), is_wanted=self.revisions.is_wanted()
        ):
            await asyncio.sleep(LOOK_S)


def main() -> int:
    """The exit status: 0 after a drain, 1 for settings that cannot be used."""
    if "--version" in sys.argv[1:]:
        print(f"{PROGRAM} {VERSION}")
        return 0
    try:
        settings = read_activator(os.environ)
        return uvloop.run(_run(settings))
    except ConfigError as error:
        sys.stderr.write(error.report(PROGRAM))
    except Unreachable as error:
        sys.stderr.write(f"{PROGRAM}: no API server: {error}; set KUBECONFIG, or run it in a pod\n")
    return 1


async def _run(settings: ActivatorSettings) -> int:
    log = Logger(LogFormat(), "activator", (("knative.dev/pod", settings.name),))
    async with Client.from_env(PROGRAM) as client:
        return await Activator(settings, client, log).run()
