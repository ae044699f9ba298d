"""controlplane: our controllers against an API server, with a kubelet and a gateway that only say that all is well."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from lightkube.config.kubeconfig import KubeConfig
from websockets.asyncio.client import connect

from controller.api.registry import BY_KIND
from controller.assembly import Addresses, Controllers, Surroundings
from controller.config.settings import Settings
from controller.ingress.reconcile import GatewayPlace
from dataplane.contract.routes import SUBPROTOCOL
from dataplane.kube.client import Client
from dataplane.kube.errors import KubeError, NotFound
from dataplane.kube.resource import DEPLOYMENTS, ENDPOINTS, PODS, SERVICES, Resource
from dataplane.kube.watch import watch

SYSTEM = "knative-serving"
SIDECAR = "example.com/queue-proxy:1"
PATIENCE_S = 60.0
Json = dict[str, Any]


def settings() -> Settings:
    """What the maps of a cluster with our gateways say."""
    made = Settings()
    return msgspec.structs.replace(
        made,
        deployment=msgspec.structs.replace(made.deployment, queue_sidecar_image=SIDECAR),
        network=msgspec.structs.replace(made.network, ingress_class="penstock.dev"),
    )


def resource(kind: str, group: str = "serving.knative.dev") -> Resource:
    row = BY_KIND[(group, kind)]
    return Resource(row.group, row.version, row.plural, row.kind)


KSERVICES, CONFIGURATIONS, REVISIONS, ROUTES = map(resource, ("Service", "Configuration", "Revision", "Route"))
INGRESSES = resource("Ingress", "networking.internal.knative.dev")
SERVERLESS_SERVICES = resource("ServerlessService", "networking.internal.knative.dev")
POD_AUTOSCALERS = resource("PodAutoscaler", "autoscaling.internal.knative.dev")


class CountingClient(Client):
    """Remembers every write."""

    writes: list[str]

    async def _ask(self, method: str, path: str, body: Any = None, **more: Any) -> bytes:
        if method != "GET":
            self.__dict__.setdefault("writes", []).append(f"{method} {path}")
        return await super()._ask(method, path, body, **more)


def client_of(kubeconfig: Path, manager: str, kind: type[Client] = Client) -> Client:
    config = KubeConfig.from_file(kubeconfig).get()
    assert config is not None
    return kind(config, manager)


@dataclass
class Plane:
    """Controllers that run, and a client of the test's own."""

    client: Client
    kubeconfig: Path
    controllers: Controllers
    writer: CountingClient
    kubelet: Kubelet
    namespace: str
    kubectl_path: str

    async def kubectl(self, *words: str, text: str = "") -> str:
        """Runs kubectl in the test's namespace, and returns what it says."""
        process = await asyncio.create_subprocess_exec(
            self.kubectl_path, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *words,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            said, wrong = await process.communicate(text.encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, wrong.decode()
        return said.decode()

    async def get(self, kind: Resource, name: str) -> Json:
        return await self.client.read(kind, self.namespace, name, Json)

    async def all(self, kind: Resource) -> list[Json]:
        return (await self.client.list(kind, Json, self.namespace))[0]

    async def until(self, kind: Resource, name: str, holds: Callable[[Json], bool]) -> Json:
        """Watches an object until that holds; fails with the last state of it."""
        last: Json = {}
        try:
            async with asyncio.timeout(PATIENCE_S):
                events = watch(self.client, kind, Json, self.namespace, fields=f"metadata.name={name}")
                async for event in events:
                    for last in getattr(event, "items", None) or [getattr(event, "item", {})]:
                        if last and holds(last):
                            return last
        except TimeoutError:
            raise AssertionError(f"not after {PATIENCE_S} s: {json.dumps(last, indent=1)}") from None
        raise AssertionError("the watch has ended")

    async def until_ready(self, name: str, kind: Resource = KSERVICES, status: str = "True") -> Json:
        return await self.until(kind, name, lambda found: is_observed(found) and condition(found, "Ready") == status)

    async def settled(self) -> None:
        """Returns once no controller has anything to do."""
        async with asyncio.timeout(PATIENCE_S):
            quiet = 0
            while quiet < 10:
                before = len(self.writer.writes)
                for one in self.controllers.running:
                    await one.queue.idle()
                await asyncio.sleep(0.05)  # the watches bring what was written last
                quiet = quiet + 1 if len(self.writer.writes) == before else 0


def is_observed(found: Json) -> bool:
    return bool(found.get("status", {}).get("observedGeneration") == found["metadata"].get("generation"))


def conditions(found: Json) -> dict[str, Json]:
    return {one["type"]: one for one in found.get("status", {}).get("conditions", ())}


def condition(found: Json, kind: str) -> str:
    return str(conditions(found).get(kind, {}).get("status", ""))


def ksvc(name: str, **changes: Any) -> Json:
    """A Service of one container; `template` and `metadata` go into the template, `spec` beside it."""
    template = {"spec": {"containers": [{"image": "dev.local/hello", "env": changes.pop("env", [])}]}}
    if "template" in changes:
        template["metadata"] = changes.pop("template")
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, **changes.pop("metadata", {})},
        "spec": {"template": template, **changes},
    }


@dataclass
class Kubelet:
    """Says that every pod runs, or what `fate` says of a revision, and who stands behind its private Service."""

    client: Client
    fate: dict[str, Callable[[Json], Json]] = field(default_factory=dict)
    """By revision: the status of its Deployment, from that of one whose pods are ready."""
    pod_status: dict[str, Json] = field(default_factory=dict)
    """By revision: what is said of its pods; else they are ready."""
    address: int = 0
    dirty: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for kind in (DEPLOYMENTS, SERVICES):
                group.create_task(self._follow(kind))
            while True:
                await self.dirty.wait()
                self.dirty.clear()
                for deployment in (await self.client.list(DEPLOYMENTS, Json))[0]:
                    try:
                        await self._deployment(deployment)
                    except KubeError:
                        if deployment["metadata"].get("deletionTimestamp") is None:
                            self.dirty.set()
                            await asyncio.sleep(0.05)

    async def _follow(self, kind: Resource) -> None:
        async for _ in watch(self.client, kind, Json):
            self.dirty.set()

    async def _deployment(self, deployment: Json) -> None:
        metadata, spec = deployment["metadata"], deployment["spec"]
        namespace, revision = metadata["namespace"], metadata["labels"]["serving.knative.dev/revision"]
        if metadata.get("deletionTimestamp"):
            return
        selector = ",".join(f"{key}={value}" for key, value in spec["selector"]["matchLabels"].items())
        pods = (await self.client.list(PODS, Json, namespace, labels=selector))[0]
        for pod in pods[spec["replicas"] :]:
            await self.client.delete(PODS, namespace, pod["metadata"]["name"])
        while len(pods) < spec["replicas"]:
            pods.append(await self._pod(deployment, revision))
        ready = 0 if revision in self.pod_status else spec["replicas"]
        status = {
            "observedGeneration": metadata["generation"],
            "replicas": spec["replicas"],
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
        }
        if revision in self.fate:
            status = self.fate[revision](status)
        await self.client.patch(
            DEPLOYMENTS, namespace, metadata["name"], {"status": status}, Json, subresource="status"
        )
        await self._endpoints(namespace, revision, pods[: spec["replicas"]] if ready else [])

    async def _pod(self, deployment: Json, revision: str) -> Json:
        self.address += 1
        template = deployment["spec"]["template"]
        name = f"{deployment['metadata']['name'][:50]}-{self.address}"
        owner = {
            "apiVersion": "apps/v1", "kind": "Deployment", "name": deployment["metadata"]["name"],
            "uid": deployment["metadata"]["uid"],
        }  # fmt: skip
        metadata = {**template["metadata"], "name": name, "ownerReferences": [owner]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**template["spec"], "nodeName": "n"}}
        namespace = deployment["metadata"]["namespace"]
        await self.client.create(PODS, namespace, pod, Json)
        status = {
            "phase": "Running",
            "podIP": f"10.9.{self.address >> 8}.{self.address & 255}",
            "podIPs": [{"ip": f"10.9.{self.address >> 8}.{self.address & 255}"}],
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        status |= self.pod_status.get(revision, {})
        return await self.client.patch(PODS, namespace, name, {"status": status}, Json, subresource="status")

    async def _endpoints(self, namespace: str, revision: str, pods: list[Json]) -> None:
        with suppress(NotFound):
            service = await self.client.read(SERVICES, namespace, f"{revision}-private", Json)
            ports = [
                {"name": port["name"], "port": port["targetPort"], "protocol": "TCP"}
                for port in service["spec"]["ports"]
            ]
            addresses = [{"ip": pod["status"]["podIP"]} for pod in pods]
            metadata = {"name": service["metadata"]["name"], "labels": service["metadata"]["labels"]}
            subsets = [{"addresses": addresses, "ports": ports}] if addresses else []
            found = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}
            await self.client.apply(ENDPOINTS, namespace, metadata["name"], found, Json)


class Defects(logging.Handler):
    """Remembers the errors that controllers log."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(self.format(record))


async def gateway(port: int, name: str = "g") -> None:
    """Acknowledges every change, until cancelled."""
    async with connect(f"ws://127.0.0.1:{port}", subprotocols=[SUBPROTOCOL], max_size=None) as socket:
        await socket.send(json.dumps({"hello": {"gateway": name, "version": 0}}))
        async for frame in socket:
            version = json.loads(frame)["delta"]["version"]
            await socket.send(json.dumps({"applied": {"version": version}}))


def controllers_of(client: Client) -> Controllers:
    place = GatewayPlace("penstock.dev", "gateway.example.com", f"gateway.{SYSTEM}.svc.cluster.local")
    around = Surroundings(system_namespace=SYSTEM, gateways=place, addresses=Addresses(stats_port=0))
    return Controllers(client, around, settings())


@asynccontextmanager
async def another(plane: Plane) -> AsyncIterator[Controllers]:
    """Other controllers of the same objects, to which no gateway has come yet."""
    async with client_of(plane.kubeconfig, "penstock-controller") as client:
        controllers = controllers_of(client)
        task = asyncio.create_task(controllers.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await controllers.listening.wait()
            yield controllers
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def plane(kubeconfig: Path, namespace: str, kubectl_path: str) -> AsyncIterator[Plane]:
    """Everything runs, until the block ends."""
    async with (
        client_of(kubeconfig, "tests") as client,
        client_of(kubeconfig, "penstock-controller", CountingClient) as writer,
    ):
        assert isinstance(writer, CountingClient)
        controllers = controllers_of(writer)
        kubelet = Kubelet(client)
        defects = Defects(logging.ERROR)
        logging.getLogger("penstock").addHandler(defects)
        tasks = [asyncio.create_task(controllers.run()), asyncio.create_task(kubelet.run())]
        listening = asyncio.create_task(controllers.listening.wait())
        try:
            await asyncio.wait([*tasks, listening], timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            assert controllers.listening.is_set(), tasks[0].exception() if tasks[0].done() else "not listening"
            tasks.append(asyncio.create_task(gateway(controllers.gate_port)))
            yield Plane(client, kubeconfig, controllers, writer, kubelet, namespace, kubectl_path)
            dead = [task for task in tasks if task.done()]
            assert not dead, dead
            assert defects.said == []
        finally:
            logging.getLogger("penstock").removeHandler(defects)
            listening.cancel()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, listening, return_exceptions=True)
