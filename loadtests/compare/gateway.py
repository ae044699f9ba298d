"""Gateway: our gateway and nginx with the same routes; what many routes cost, and a change of one."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from controller.ingress.gate import Gate
from controller.ingress.state import GateState
from dataplane.contract.document import document
from dataplane.contract.routes import Delta, Endpoint, Host, Path, Split, Target
from loadtests.compare.bench import US, Bench, Case
from loadtests.compare.load import Load, wrk
from loadtests.compare.peers import CONF, Nginx, Peer, Place, Running, Setup
from loadtests.compare.throughput import Throughput
from loadtests.origin.server import Origin
from loadtests.process import free_port
from loadtests.sidecar import BINARY
from loadtests.tools import program

ROUTES = 1000
MANY = 5000
CHANGES = 200
CONNECTIONS = 64
MIB = 1 << 20
PATIENCE_S = 30.0
# the gateway writes its state to a file a second after the last change
SETTLE_S = 2.0


def host(number: int) -> str:
    """As conf/hosts.lua asks for it."""
    return f"s{number:04}.bench.example"


def routes(count: int, origin_port: int) -> Delta:
    """As many hosts, each with a revision of its own, as a Service makes them; one endpoint serves them all."""
    names = {host(number): f"bench/s{number:04}-00001" for number in range(count)}
    return Delta(
        version=1,
        hosts={name: route(target) for name, target in names.items()},
        targets=dict.fromkeys(names.values(), Target(hold=True, request_s=300.0)),
        endpoints=dict.fromkeys(names.values(), (Endpoint(address="127.0.0.1", port=origin_port),)),
    )


def route(target: str) -> Host:
    """One path, which goes to that revision with the fields that a Service's split has."""
    namespace, _, revision = target.partition("/")
    fields = {"Knative-Serving-Namespace": namespace, "Knative-Serving-Revision": revision}
    split = Split(target=target, set_headers=fields)
    return Host(ingress=target, hash="0" * 64, paths=(Path(splits=(split,)),))


class Gateway(Peer):
    """Our gateway with one worker; its routes come from the file of its last state, unless a controller is named."""

    name = US

    def __init__(self, given: Callable[[int], Delta] | None = None, *, controller: int = 0, workers: int = 1) -> None:
        """
        given       the last state, by the port of whom it stands in front of
        controller  its port; 0: nobody is there
        """
        self._given = given
        self._controller = controller
        self._workers = workers

    def missing(self) -> str:
        return ""

    def command(self, setup: Setup, place: Place) -> list[str]:
        if self._given is not None:
            (place.dir / "routes.json").write_text(json.dumps(document(self._given(place.origin_port))))
        return [str(BINARY.with_name("penstock-gateway"))]

    def environment(self, setup: Setup, place: Place) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "POD_NAME": "gateway-0",
            "PENSTOCK_BIND_ADDRESS": place.address,
            "PENSTOCK_PUBLIC_PORT": str(place.port),
            "PENSTOCK_PRIVATE_PORT": str(place.tls_port),
            "PENSTOCK_ADMIN_PORT": str(free_port()),
            "PENSTOCK_CONTROLLER": f"ws://127.0.0.1:{self._controller or free_port()}",
            "PENSTOCK_AUTOSCALER": f"ws://127.0.0.1:{free_port()}",
            "PENSTOCK_STATE_FILE": str(place.dir / "routes.json"),
            "PENSTOCK_WORKERS": str(self._workers),
        }


class NginxRoutes(Nginx):
    """nginx with a server and an upstream for each of the hosts, and the same fields."""

    def __init__(self, count: int) -> None:
        self._count = count

    def command(self, setup: Setup, place: Place) -> list[str]:
        template = (CONF / "route.conf").read_text()
        blocks = (
            template.replace("@NUMBER@", f"{number:04}")
            .replace("@HOST@", host(number))
            .replace("@PORT@", str(place.port))
            .replace("@ORIGIN@", str(place.origin_port))
            for number in range(self._count)
        )
        master = "on" if setup.master else "off"
        conf = place.write("nginx-routes.conf", ROUTES="".join(blocks), MASTER=master)
        return [program("nginx"), "-c", str(conf), "-p", str(place.dir), "-e", str(place.dir / "error.log")]


def over_hosts(proxy: Running, seconds: float, cpu: int | None) -> Load:
    """wrk against every host in turn."""
    url = f"http://{proxy.address}:{proxy.port}/"
    return wrk(url, connections=CONNECTIONS, seconds=seconds, cpu=cpu, script=CONF / "hosts.lua")


class Controller:
    """The part of our controller that pushes routes, on a thread of its own."""

    def __init__(self) -> None:
        self._state = GateState()
        self._gate = Gate(self._state)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.port = int(self._do(self._start()))

    def __enter__(self) -> Controller:
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def change(self, delta: Delta) -> float:
        """Seconds from the push to the word that every worker of the gateway uses it."""
        return float(self._do(self._change(delta)))

    async def _start(self) -> int:
        bound: asyncio.Future[int] = self._loop.create_future()
        self._serving = asyncio.create_task(self._gate.run("127.0.0.1", 0, bound))
        return await bound

    async def _stop(self) -> None:
        self._serving.cancel()
        await asyncio.wait([self._serving])

    async def _change(self, delta: Delta) -> float:
        began_s = time.perf_counter()
        self._state.change(hosts=delta.hosts, targets=delta.targets, endpoints=delta.endpoints)
        self._gate.publish()
        await self._gate.applied(self._state.version)
        return time.perf_counter() - began_s

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


class ManyRoutes:
    """A case: a gateway with two workers and a controller that gives it 5,000 hosts, then moves one after another.

    Records rss_mib, once all is done; change_ms, from the controller's push of
    one host to its hearing that every worker uses it; and its 99th percentile
    change_p99_ms.
    """

    name = "gateway-5000"
    title = f"gateway: {MANY:,} hosts"

    def run(self, bench: Bench) -> None:
        """A process of its own each time."""
        with Origin(cpu=bench.load_cpu) as origin:
            for _ in range(bench.few):
                measure = partial(self._round, origin.port)
                bench.try_round(self.name, US, measure, ("rss_mib", "change_ms", "change_p99_ms"))

    def _round(self, origin_port: int) -> dict[str, float]:
        with (
            Controller() as controller,
            Running(Gateway(controller=controller.port, workers=2), Setup(), origin_port) as ours,
        ):
            whole = routes(MANY, origin_port)
            controller.change(whole)
            ours.wait_ready()
            took_ms = []
            for number in range(CHANGES):
                moved = route(f"bench/s{number + 1:04}-00001")
                took_ms.append(1000 * controller.change(Delta(version=1, hosts={host(number): moved})))
            time.sleep(SETTLE_S)
            ours.process.check()
            return {
                "rss_mib": ours.process.rss_bytes() / MIB,
                "change_ms": statistics.median(took_ms),
                "change_p99_ms": statistics.quantiles(took_ms, n=100)[98],
            }


PEERS = (Gateway(partial(routes, ROUTES)), NginxRoutes(ROUTES))

CASES: list[Case] = [
    Throughput(
        "gateway", f"gateway: {ROUTES:,} hosts in turn, {CONNECTIONS} connections", Setup(), over_hosts, peers=PEERS
    ),
    ManyRoutes(),
]
