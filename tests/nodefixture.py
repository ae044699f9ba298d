"""Node: the embedded API server and a process node in this process, with real pods on loopback addresses."""

from __future__ import annotations

import asyncio
import sys
import sysconfig
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import Cluster, Context, User

from controller.api.core import Endpoints
from controller.local import forkserver
from controller.local.api.server import Server
from controller.local.deployments import NodeDeployment
from controller.local.images import Images
from controller.local.node import Listener, Node, NodeSettings
from controller.local.pod import NodePod
from controller.local.process import birth
from dataplane.kube.client import STRATEGIC_PATCH, Client
from dataplane.kube.errors import NotFound
from dataplane.kube.resource import DEPLOYMENTS, ENDPOINTS, PODS, Resource
from tests.sidecarfixture import BASE, ROOT, command

NAMESPACE = "default"
REVISION = "hello-00001"
DEPLOYMENT = f"{REVISION}-deployment"
LABELS = {"app": REVISION, "serving.knative.dev/revision": REVISION}
PATIENCE_S = 10.0

Object = dict[str, Any]

APP = """\
import os, signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/crash":
            print("crashing as asked", flush=True)
            os._exit(5)
        body = repr(dict(os.environ)).encode()
        self.send_response(200 if self.path != "/bad" else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *said):
        pass

def leave(*_):
    print("leaving", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, leave)
print("hello from", os.environ.get("K_REVISION"), flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"""


def container(image: str, **fields: Any) -> Object:
    """The app's container as the revision controller writes it."""
    made: Object = {
        "name": "user-container",
        "image": image,
        "ports": [{"name": "user-port", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": "PORT", "value": "8080"}, {"name": "K_REVISION", "value": REVISION}],
        "lifecycle": {"preStop": {"httpGet": {"port": 8022, "path": "/wait-for-drain"}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    extra = fields.pop("env", [])
    return {**made, **fields, "env": [*made["env"], *extra]}


def sidecar(**variables: str) -> Object:
    """The queue-proxy's container."""
    probe = '{"successThreshold":1,"tcpSocket":{"host":"127.0.0.1","port":8080}}'
    said = {**BASE, "SERVING_READINESS_PROBE": probe, **variables}
    env: list[Object] = [
        {"name": name, "value": value} for name, value in said.items() if name not in ("SERVING_POD", "SERVING_POD_IP")
    ]
    env.append({"name": "SERVING_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    env.append({"name": "SERVING_POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}})
    return {
        "name": "queue-proxy",
        "image": "queue",
        "ports": [{"name": "http-autometric", "containerPort": 9090}, {"name": "queue-port", "containerPort": 8012}],
        "readinessProbe": {
            "httpGet": {"port": 8012, "httpHeaders": [{"name": "K-Network-Probe", "value": "queue"}]},
        },
        "env": env,
    }


def deployment(app: Object, *, replicas: int = 1, beside: Object | None = None, **spec: Any) -> Object:
    """As the revision controller makes it; beside: the sidecar."""
    pod: Object = {"containers": [app, beside or sidecar()], "terminationGracePeriodSeconds": 10}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": DEPLOYMENT, "namespace": NAMESPACE, "labels": LABELS},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": spec.pop("progressDeadlineSeconds", 600),
            "selector": {"matchLabels": LABELS},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {"metadata": {"labels": LABELS}, "spec": pod | spec},
        },
    }


PRIVATE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {
        "name": f"{REVISION}-private",
        "namespace": NAMESPACE,
        "labels": {"networking.internal.knative.dev/serviceType": "Private"},
    },
    "spec": {
        "selector": {"serving.knative.dev/revision": REVISION},
        "ports": [{"name": "http", "port": 80, "targetPort": 8012, "protocol": "TCP"}],
    },
}


class Machine:
    """One node with its API server."""

    def __init__(self, client: Client, node: Node, folder: Path) -> None:
        self.client = client
        self.node = node
        self.images = Images(folder / "images")
        self.folder = folder

    def image(self, name: str = "hello", source: str = APP) -> str:
        """A folder with a Python file, as an image."""
        folder = self.folder / "apps" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "app.py").write_text(source)
        return self.images.put(name, folder, [sys.executable, "-IS", "app.py"])

    async def make(self, resource: Resource, body: Object) -> None:
        await self.client.create(resource, NAMESPACE, body, dict)

    async def scale(self, replicas: int) -> None:
        await self.change({"spec": {"replicas": replicas}})

    async def change(self, body: Object) -> None:
        await self.client.patch(
            DEPLOYMENTS, NAMESPACE, DEPLOYMENT, body, NodeDeployment, media_type=STRATEGIC_PATCH
        )  # fmt: skip

    async def pods(self) -> list[NodePod]:
        return (await self.client.list(PODS, NodePod, NAMESPACE))[0]

    async def deployment(self) -> NodeDeployment:
        return await self.client.read(DEPLOYMENTS, NAMESPACE, DEPLOYMENT, NodeDeployment)

    async def pod(self) -> NodePod:
        """The only one."""
        (found,) = await self.pods()
        return found

    async def app(self) -> Object:
        """Status of the app's container of the first pod; empty before there is one."""
        for pod in await self.pods():
            for status in pod.status.get("containerStatuses", ()):
                if status["name"] == "user-container":
                    return dict(status)
        return {}

    async def waits(self, reason: str) -> str:
        """Returns the message with which the app's container waits for that reason."""

        async def waiting() -> str:
            found = (await self.app()).get("state", {}).get("waiting", {})
            return str(found["message"]) if found.get("reason") == reason else ""

        return str(await self.until(waiting, reason))

    async def ready(self, count: int = 1) -> tuple[str, ...]:
        """Returns the addresses once there are so many."""

        async def enough() -> list[tuple[str, ...]]:
            found = await self.addresses()
            return [found] if len(found) == count else []

        return tuple((await self.until(enough, f"{count} ready"))[0])

    async def ended(self, pid: int) -> None:
        """Returns when a process is no more."""
        await self.until(lambda: birth(pid) is None, f"end of {pid}")

    async def addresses(self) -> tuple[str, ...]:
        """Those that serve."""
        try:
            return (await self.client.read(ENDPOINTS, NAMESPACE, f"{REVISION}-private", Endpoints)).ready_addresses
        except NotFound:
            return ()

    async def until(self, is_so: Callable[[], Any], what: str) -> Any:
        """Waits for a state that only the API or another process shows."""
        end = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            found = is_so()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            if asyncio.get_running_loop().time() > end:
                shown = [(pod.name, pod.status) for pod in await self.pods()]
                raise AssertionError(f"after {PATIENCE_S:g} s still not: {what}; pods: {shown}")
            await asyncio.sleep(0.01)


@asynccontextmanager
async def machine(folder: Path, **settings: Any) -> AsyncIterator[Machine]:
    """Everything ends with the block."""
    async with serving(folder) as client, running(client, folder, **settings) as found:
        yield found


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Client]:
    """The API server, and a client of it."""
    server = Server(folder / "api")
    async with server.running(), Client(config(server.plain_url, server.token), "penstock-node") as client:
        yield client


def config(url: str, token: str) -> SingleConfig:
    return SingleConfig("penstock", Context(cluster="penstock"), Cluster(server=url), User(token=token))


@asynccontextmanager
async def running(client: Client, folder: Path, **settings: Any) -> AsyncIterator[Machine]:
    """A node on an API server that runs."""
    node = make_node(client, folder, **settings)
    task = asyncio.create_task(node.run())
    try:
        yield Machine(client, node, folder)
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            task.result()


def make_node(client: Client, folder: Path, listener: Listener | None = None, **settings: Any) -> Node:
    """With a sidecar of this checkout, which does not wait long for the last request."""
    said: Object = {
        "stop_s": 2.0,
        "sidecar_environment": {"PENSTOCK_QUIET_MS": "200"},
        "forkserver": forkserver.command(ROOT, Path(sysconfig.get_path("purelib"))),
    } | settings
    made = NodeSettings(state=folder / "state", sidecar=tuple(command()), **said)
    return Node(client, Images(folder / "images"), made, listener)


async def node_alone(folder: Path, url: str, token: str) -> None:
    """A node in a process of its own, for tests that kill it."""
    async with Client(config(url, token), "penstock-node") as client:
        await make_node(client, folder).run()


if __name__ == "__main__":
    asyncio.run(node_alone(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
