"""activatorfixture: an activator's process, an API server, an autoscaler that keeps frames, and sidecars by script."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.server import Server, ServerConnection, serve

from dataplane.contract.stat_batch import Entry, decode_batch
from dataplane.kube.client import Client
from dataplane.kube.errors import NotFound
from dataplane.kube.resource import CONFIG_MAPS, ENDPOINTS, SERVICES
from dataplane.sources.kube import (
    ACTIVATOR_SERVICE,
    REVISION_LABEL,
    REVISIONS,
    SERVICE_TYPE_LABEL,
)

ROOT = Path(__file__).resolve().parent.parent
START = "import sys; from dataplane.roles.activator import main; sys.exit(main())"
SYSTEM = "knative-serving"
POD_IP = "10.9.9.1"
OTHER_IP = "10.9.9.2"
PATIENCE_S = 30.0
Json = dict[str, Any]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Sidecar:
    """Answers probes as it is told, and requests with what it was asked."""

    def __init__(self, status: int = 200, body: str = "queue") -> None:
        self.status = status
        self.body = body
        self.probes: list[str] = []
        self.requests: list[dict[str, str]] = []
        self.probed = asyncio.Event()
        self.reached = asyncio.Event()
        self.held: asyncio.Event | None = None
        self.running = self.most = 0
        self.place = ("", 0)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, host, port)
        self.place = self._server.sockets[0].getsockname()[:2]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def probed_times(self, count: int) -> None:
        """Returns once so many probes have come, in all."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.probes) < count:
                self.probed.clear()
                await self.probed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while True:
                await self._answer((await reader.readuntil(b"\r\n\r\n")).decode(), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.split("\r\n")[:-2]
        fields = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
        if "k-network-probe" in fields:
            self.probes.append(head)
            self.probed.set()
            status, text = self.status, self.body
        else:
            self.requests.append(fields)
            self.running += 1
            self.most = max(self.most, self.running)
            self.reached.set()
            try:
                if self.held is not None:
                    await self.held.wait()
            finally:
                self.running -= 1
            status, text = 200, json.dumps({"first": first, **fields})
        body = text.encode()
        writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()


class Autoscaler:
    """Upstream's: takes binary frames, and knows no subprotocol."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes] = asyncio.Queue()
        self.connected = asyncio.Event()
        self.port = 0
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = await serve(self._take, "127.0.0.1", self.port)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _take(self, connection: ServerConnection) -> None:
        self.connected.set()
        with contextlib.suppress(Exception):
            async for frame in connection:
                assert isinstance(frame, bytes)
                self.frames.put_nowait(frame)

    async def batch(self) -> list[Entry]:
        """The next frame's entries."""
        async with asyncio.timeout(PATIENCE_S):
            return decode_batch(await self.frames.get())


@dataclass
class World:
    """One activator and all that it talks to; `host` is where sidecars listen."""

    client: Client
    kubeconfig: Path
    namespace: str
    host: str
    autoscaler: Autoscaler
    http: httpx.AsyncClient
    ports: list[int] = field(default_factory=lambda: free_ports(3))
    process: asyncio.subprocess.Process | None = None
    output: int | None = None
    """Where standard output of the process goes; None: with ours."""
    sidecars: list[Sidecar] = field(default_factory=list)

    async def start(self, **environ: str) -> None:
        settings = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.kubeconfig),
            "POD_NAME": "act-0",
            "POD_IP": POD_IP,
            "SYSTEM_NAMESPACE": SYSTEM,
            "CLUSTER_DOMAIN": "cluster.local",
            "PENSTOCK_AUTOSCALER": f"ws://127.0.0.1:{self.autoscaler.port}",
            "PENSTOCK_BIND_ADDRESS": "127.0.0.1",
            "METRICS_PROMETHEUS_HOST": "127.0.0.1",
            "PENSTOCK_HTTP1_PORT": str(self.ports[0]),
            "PENSTOCK_H2C_PORT": str(self.ports[1]),
            "METRICS_PROMETHEUS_PORT": str(self.ports[2]),
            "PENSTOCK_WORKERS": "2",
            **environ,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", START, cwd=ROOT, env=settings, stdout=self.output
        )
        async with asyncio.timeout(PATIENCE_S):
            while True:  # it says nowhere that it listens but by listening
                assert self.process.returncode is None
                try:
                    await self.kubelet()
                    return
                except httpx.TransportError:
                    await asyncio.sleep(0.02)

    async def ready(self) -> None:
        """Returns once the autoscaler is connected and probes succeed."""
        await self.autoscaler.connected.wait()
        async with asyncio.timeout(PATIENCE_S):
            while (await self.kubelet()).status_code != 200:
                await asyncio.sleep(0.02)

    async def kubelet(self) -> httpx.Response:
        url = f"http://127.0.0.1:{self.ports[0]}/"
        return await self.http.get(url, headers={"User-Agent": "kube-probe/1.34"})

    async def ask(self, revision: str, path: str = "/", **headers: str) -> httpx.Response:
        named = {"Knative-Serving-Namespace": self.namespace, "Knative-Serving-Revision": revision}
        return await self.http.get(f"http://127.0.0.1:{self.ports[0]}{path}", headers=named | headers)

    async def metrics(self) -> dict[str, float]:
        text = (await self.http.get(f"http://127.0.0.1:{self.ports[2]}/metrics")).text
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}

    async def sidecar(self, **answer: Any) -> Sidecar:
        made = Sidecar(**answer)
        await made.start(self.host)
        self.sidecars.append(made)
        return made

    async def revision(self, name: str, concurrency: int = 0, timeout_s: int = 20, **container: Any) -> None:
        spec = {
            "containerConcurrency": concurrency,
            "timeoutSeconds": timeout_s,
            "containers": [{"name": "user-container", "image": "a.example/app", **container}],
        }
        await self.put(REVISIONS, name, {"spec": spec, "metadata": {"labels": {"serving.knative.dev/service": "svc"}}})

    async def private(self, name: str, ready: list[Sidecar] = (), not_ready: list[Sidecar] = ()) -> None:
        """The private Endpoints; a subset for each pod, as each has a port of its own here."""
        rows = [(kind, pod) for kind, pods in (("addresses", ready), ("notReadyAddresses", not_ready)) for pod in pods]
        subsets = [
            {kind: [{"ip": pod.place[0]}], "ports": [{"name": "http", "port": pod.place[1]}]} for kind, pod in rows
        ]
        labels = {SERVICE_TYPE_LABEL: "Private", REVISION_LABEL: name, "serving.knative.dev/revisionUID": "1"}
        await self.put(ENDPOINTS, f"{name}-private", {"metadata": {"labels": labels}, "subsets": subsets})

    async def public(self, name: str, *activators: str) -> None:
        subsets = [{"addresses": [{"ip": ip} for ip in activators], "ports": [{"name": "http", "port": 8012}]}]
        labels = {SERVICE_TYPE_LABEL: "Public", REVISION_LABEL: name}
        await self.put(ENDPOINTS, name, {"metadata": {"labels": labels}, "subsets": subsets if activators else []})

    async def service(self, name: str, place: tuple[str, int]) -> None:
        labels = {SERVICE_TYPE_LABEL: "Private", REVISION_LABEL: name}
        spec = {"clusterIP": place[0], "ports": [{"name": "http", "port": place[1]}]}
        await self.put(SERVICES, f"{name}-private", {"metadata": {"labels": labels}, "spec": spec})

    async def own(self, *addresses: str) -> None:
        """The Endpoints of the activators themselves."""
        subsets = [{"addresses": [{"ip": ip} for ip in addresses], "ports": [{"name": "http", "port": 8012}]}]
        await self.put(ENDPOINTS, ACTIVATOR_SERVICE, {"subsets": subsets if addresses else []}, SYSTEM)

    async def setting(self, map: str, **data: str) -> None:
        body = {"data": {key.replace("_", "-"): value for key, value in data.items()}}
        await self.put(CONFIG_MAPS, map, body, SYSTEM)

    async def put(self, resource: Any, name: str, body: Json, namespace: str = "") -> None:
        where = namespace or self.namespace
        meta = body.get("metadata", {}) | {"name": name, "namespace": where}
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **body, "metadata": meta}
        try:
            now = await self.client.read(resource, where, name, Json)
        except NotFound:
            await self.client.create(resource, where, whole, Json)
            return
        meta["resourceVersion"] = now["metadata"]["resourceVersion"]
        await self.client.replace(resource, where, name, whole, Json)


@asynccontextmanager
async def world_of(client: Client, kubeconfig: Path, namespace: str, host: str) -> AsyncIterator[World]:
    """A world whose activator the test starts."""
    autoscaler = Autoscaler()
    await autoscaler.start()
    async with httpx.AsyncClient(timeout=PATIENCE_S, trust_env=False) as http:
        world = World(client, kubeconfig, namespace, host, autoscaler, http)
        try:
            yield world
        finally:
            if world.process is not None and world.process.returncode is None:
                world.process.kill()
                await world.process.wait()
            for sidecar in world.sidecars:
                await sidecar.stop()
            await autoscaler.stop()
