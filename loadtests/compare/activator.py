"""Activator: what a request through it costs beside our sidecar, and what 10,000 held ones do."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from lightkube.config.kubeconfig import KubeConfig

from controller.local.admission import kinds
from controller.local.api.server import Server
from dataplane.kube.client import Client
from dataplane.kube.errors import NotFound
from dataplane.kube.resource import ENDPOINTS, Resource
from dataplane.sources.kube import REVISION_LABEL, REVISIONS, SERVICE_TYPE_LABEL
from loadtests.compare.bench import US, Bench, Case
from loadtests.compare.callers import connected, read_answer
from loadtests.compare.load import Load, LoadError, wrk
from loadtests.compare.peers import CONF, Peer, Penstock, Place, Running, Setup
from loadtests.compare.throughput import Throughput
from loadtests.origin.server import Origin
from loadtests.process import free_port
from loadtests.sidecar import BINARY

SYSTEM = "knative-serving"
NAMESPACE, REVISION = "bench", "bench-00001"
FIELDS = f"Knative-Serving-Namespace: {NAMESPACE}\r\nKnative-Serving-Revision: {REVISION}\r\n"
CONNECTIONS = 64
HELD = 10_000
LIMIT = 100
MIB = 1 << 20
PATIENCE_S = 30.0
LOOK_S = 0.2
GIVEN_BACK_S = 4
Json = dict[str, Any]


class Api:
    """An embedded API server on a thread of its own, and a client of it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="penstock-bench-api-")
        self.kubeconfig = Path(self._folder.name) / "kubeconfig"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        server = Server(Path(self._folder.name), kinds=kinds(), namespaces=(NAMESPACE, SYSTEM))
        self._running = server.running()
        self._do(self._running.__aenter__())
        server.write_kubeconfig(self.kubeconfig)
        config = KubeConfig.from_file(self.kubeconfig).get()
        assert config is not None  # it was written a line ago
        self._client = Client(config, "bench")

    def __enter__(self) -> Api:
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._client.__aexit__())
        self._do(self._running.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._folder.cleanup()

    def revision(self) -> None:
        """The one that all requests are for."""
        spec = {
            "containerConcurrency": LIMIT,
            "timeoutSeconds": 300,
            "containers": [{"name": "user-container", "image": "bench.example/app"}],
        }
        self._put(REVISIONS, REVISION, spec=spec)

    def pod(self, address: str, port: int) -> None:
        """Its only one, which is ready; without a port it has none."""
        labels = {SERVICE_TYPE_LABEL: "Private", REVISION_LABEL: REVISION, "serving.knative.dev/revisionUID": "1"}
        subsets = [{"addresses": [{"ip": address}], "ports": [{"name": "http", "port": port}]}] if port else []
        self._put(ENDPOINTS, f"{REVISION}-private", labels, subsets=subsets)

    def _put(self, resource: Resource, name: str, labels: Json | None = None, **content: Any) -> None:
        meta: Json = {"name": name, "namespace": NAMESPACE, "labels": labels or {}}
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **content}
        try:
            now = self._do(self._client.read(resource, NAMESPACE, name, Json))
        except NotFound:
            self._do(self._client.create(resource, NAMESPACE, whole, Json))
            return
        meta["resourceVersion"] = now["metadata"]["resourceVersion"]
        self._do(self._client.replace(resource, NAMESPACE, name, whole, Json))

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


class Activator(Peer):
    """Our activator with one worker, as a pod of its Deployment is started."""

    name = US

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    def command(self, setup: Setup, place: Place) -> list[str]:
        return [str(BINARY.with_name("penstock-activator"))]

    def environment(self, setup: Setup, place: Place) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "KUBECONFIG": str(self._kubeconfig),
            "POD_NAME": "activator-0",
            "POD_IP": place.address,
            "SYSTEM_NAMESPACE": SYSTEM,
            "CLUSTER_DOMAIN": "cluster.local",
            "PENSTOCK_AUTOSCALER": f"ws://127.0.0.1:{free_port()}",
            "PENSTOCK_BIND_ADDRESS": place.address,
            "METRICS_PROMETHEUS_HOST": place.address,
            "PENSTOCK_HTTP1_PORT": str(place.port),
            "PENSTOCK_H2C_PORT": str(place.tls_port),
            "METRICS_PROMETHEUS_PORT": str(free_port()),
            "PENSTOCK_WORKERS": "1",
        }


@contextmanager
def activator(api: Api, bench: Bench) -> Iterator[Running]:
    """One that knows the revision."""
    with Running(Activator(api.kubeconfig), Setup(), 0, cpu=bench.proxy_cpu) as running:
        running.wait_ready()
        yield running


def ask(connection: socket.socket) -> None:
    """Sends a request for the revision without waiting for the answer."""
    connection.sendall(f"GET / HTTP/1.1\r\nHost: bench.local\r\n{FIELDS}\r\n".encode())


def some_answered(callers: list[socket.socket]) -> int:
    """How many of them have something to read."""
    poll = select.poll()
    for caller in callers:
        poll.register(caller, select.POLLIN)
    return len(poll.poll(0))


def answered(proxy: Running) -> None:
    """Returns once a request through it is answered with 200. Raises LoadError."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with connected(proxy.address, proxy.port, 1) as (caller,):
                ask(caller)
                read_answer(caller)
                return
        except (LoadError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_S)


def for_the_revision(proxy: Running, seconds: float, cpu: int | None) -> Load:
    """wrk, with the fields that name the revision."""
    url = f"http://{proxy.address}:{proxy.port}/"
    return wrk(url, connections=CONNECTIONS, seconds=seconds, cpu=cpu, script=CONF / "revision.lua")


class Cost(Throughput):
    """A case: our activator in front of our sidecar, and that sidecar alone, in turns; each pays for itself."""

    def __init__(self) -> None:
        super().__init__("activator", f"activator and sidecar, {CONNECTIONS} connections", Setup(), for_the_revision)

    def run(self, bench: Bench) -> None:
        """All rounds; the column `sidecar` is asked without the activator."""
        with Origin(cpu=bench.load_cpu) as origin, Api() as api:
            api.revision()
            with (
                Running(Penstock(), self.setup, origin.port, cpu=bench.proxy_cpu) as sidecar,
                activator(api, bench) as ours,
            ):
                sidecar.wait_ready()
                api.pod(sidecar.address, sidecar.port)
                answered(ours)
                self.all_rounds(bench, {US: ours, "sidecar": sidecar})


class Held:
    """A case: requests that wait in the activator for a pod, and what is left of them afterwards.

    Records, in MiB beside the resident set before: held_mib while they wait,
    and back_mib once all are answered and their callers have gone.
    """

    name = "held"
    title = f"{HELD:,} requests held"

    def run(self, bench: Bench) -> None:
        """A process of its own each time."""
        for _ in range(bench.few):
            bench.try_round(self.name, US, partial(self._round, bench), ("held_mib", "back_mib"))

    def _round(self, bench: Bench) -> dict[str, float]:
        with Origin(cpu=bench.load_cpu) as origin, Api() as api:
            api.revision()
            with Running(Penstock(), Setup(limit=LIMIT), origin.port) as sidecar, activator(api, bench) as ours:
                sidecar.wait_ready()
                api.pod(sidecar.address, sidecar.port)
                answered(ours)
                api.pod(sidecar.address, 0)
                time.sleep(1)
                before = ours.process.rss_bytes()
                with connected(ours.address, ours.port, HELD) as callers:
                    for caller in callers:
                        ask(caller)
                    time.sleep(1)
                    held = ours.process.rss_bytes()
                    if early := some_answered(callers):
                        raise LoadError(f"{early:,} of {HELD:,} requests were answered, not held")
                    api.pod(sidecar.address, sidecar.port)
                    for caller in callers:
                        caller.settimeout(PATIENCE_S)
                        read_answer(caller)
                back = self._settled(ours)
        return {"held_mib": (held - before) / MIB, "back_mib": (back - before) / MIB}

    def _settled(self, ours: Running) -> float:
        """The smallest resident set within a few seconds: memory is given back a moment later."""
        seen = []
        for _ in range(GIVEN_BACK_S):
            time.sleep(1)
            seen.append(ours.process.rss_bytes())
        return min(seen)


CASES: list[Case] = [Cost(), Held()]
