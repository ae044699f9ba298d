"""An announcement: a real sidecar, kube-apiserver, controller and activator, and no endpoints."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.api.registry import KINDS
from dataplane.contract.announcement import AUDIENCE, PATH
from dataplane.kube.client import Client
from dataplane.kube.resource import ENDPOINTS, NAMESPACES, PODS, Resource
from tests.activatorfixture import PATIENCE_S, SYSTEM, Autoscaler, World
from tests.apiserverfixture import assets, define, real_apiserver
from tests.controlplane import client_of
from tests.origin import Origin
from tests.sidecarfixture import Sidecar, own_address
from tests.system.test_controller_process import controller, lines

Json = dict[str, Any]
ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
ENDPOINT_SLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
NAMESPACE, REVISION, POD, OTHER = "ns", "hello-00001", "hello-00001-deployment-a", "hello-00001-deployment-b"
LABELS = {"serving.knative.dev/revision": REVISION}


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a kube-apiserver that knows our kinds."""
    programs = assets()
    if programs is None:
        pytest.skip("no kube-apiserver: neither KUBEBUILDER_ASSETS nor PENSTOCK_CLUSTER_KIT leads to one")
    folder = tmp_path_factory.mktemp("apiserver")
    with real_apiserver(programs, folder) as endpoint, endpoint.client() as http:
        define(http, KINDS)
        yield folder


class Cluster:
    """An activator that is connected, an autoscaler that listens, and two pods without endpoints."""

    def __init__(self, folder: Path, world: World, place: str, address: str) -> None:
        self.folder = folder
        self.world = world
        self.place = place
        """Where the autoscaler takes announcements."""
        self.address = address
        """Of the pod POD."""
        self.uids: dict[str, str] = {}

    async def pod(self, name: str, address: str) -> None:
        meta = {"name": name, "namespace": NAMESPACE, "labels": LABELS}
        spec = {"serviceAccountName": "default", "containers": [{"name": "a", "image": "a"}]}
        body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        client = self.world.client
        made = await client.create(PODS, NAMESPACE, body, Json)
        self.uids[name] = made["metadata"]["uid"]
        status = {"status": {"phase": "Pending", "podIP": address, "podIPs": [{"ip": address}]}}
        await client.patch(PODS, NAMESPACE, name, status, Json, subresource="status")

    async def token(self, pod: str, audience: str = AUDIENCE) -> str:
        bound = {"kind": "Pod", "apiVersion": "v1", "name": pod, "uid": self.uids[pod]}
        spec = {"audiences": [audience], "expirationSeconds": 600, "boundObjectRef": bound}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        token = Resource("", "v1", "serviceaccounts/default/token", "TokenRequest")
        return str((await self.world.client.create(token, NAMESPACE, body, Json))["status"]["token"])

    def expired(self, token: str) -> str:
        """The same token, as it was signed two hours ago."""
        head, claims, _ = token.split(".")
        said = json.loads(base64.urlsafe_b64decode(claims + "=="))
        said |= {name: said[name] - 7200 for name in ("iat", "nbf", "exp")}
        signed = f"{head}.{_encoded(json.dumps(said).encode())}"
        command = ["openssl", "dgst", "-sha256", "-sign", str(self.folder / "accounts.key")]
        made = subprocess.run(command, input=signed.encode(), check=True, capture_output=True).stdout
        return f"{signed}.{_encoded(made)}"

    async def say(self, token: str, **changes: str) -> int:
        said = {"pod": f"{NAMESPACE}/{POD}", "revision": f"{NAMESPACE}/{REVISION}", "address": self.address}
        headers = {"Authorization": f"Bearer {token}"}
        url = f"http://{self.place}{PATH}"
        return (await self.world.http.post(url, json=said | changes, headers=headers)).status_code

    async def counts(self) -> dict[str, int]:
        text = (await self.world.http.get(f"http://{self.place}/metrics")).text
        return {match[1]: int(match[2]) for match in re.finditer(r'outcome="(\w+)"} (\d+)', text)}


@pytest.fixture
async def cluster(kube: Path) -> AsyncIterator[Cluster]:
    kubeconfig = kube / "kubeconfig"
    with ExitStack() as stack:
        async with client_of(kubeconfig, "tests") as client, httpx.AsyncClient(timeout=PATIENCE_S) as http:
            await _prepare(client)
            process = stack.enter_context(controller(kube, "controller-0", "podautoscaler"))
            autoscaler = Autoscaler()
            autoscaler.port, announce = await asyncio.to_thread(_ports, process)
            world = World(client, kubeconfig, NAMESPACE, "127.0.0.1", autoscaler, http)
            made = Cluster(kube, world, f"127.0.0.1:{announce}", own_address())
            try:
                await made.pod(POD, made.address)
                await made.pod(OTHER, own_address())
                await world.revision(REVISION, concurrency=1)
                await world.start()
                async with asyncio.timeout(PATIENCE_S):
                    while (await world.kubelet()).status_code != 200:  # nothing says that it is connected
                        await asyncio.sleep(0.02)
                yield made
            finally:
                if world.process is not None and world.process.returncode is None:
                    world.process.kill()
                    await world.process.wait()


async def _prepare(client: Client) -> None:
    for name in (NAMESPACE, SYSTEM):
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await client.apply(NAMESPACES, None, name, made, Json)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": NAMESPACE}}
    await client.apply(ACCOUNTS, NAMESPACE, "default", account, Json)


def _ports(process: subprocess.Popen[str]) -> tuple[int, int]:
    """Where the process listens for activators, and for sidecars."""
    for line in lines(process):
        found = re.search(r"activators to port (\d+), sidecars to port (\d+)", line["message"])
        if found:
            return int(found[1]), int(found[2])
    raise AssertionError("it ended before it listened")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def test_a_sidecar_announces_itself_and_gets_what_waits_while_others_are_not_believed(
    cluster: Cluster, origin: Origin, sidecar: Callable[..., Sidecar], tmp_path: Path
) -> None:
    good = await cluster.token(POD)
    asked = asyncio.create_task(cluster.world.ask(REVISION))
    refused = [
        await cluster.say("garbage"),
        await cluster.say(await cluster.token(POD, audience="https://localhost")),
        await cluster.say(cluster.expired(good)),
        await cluster.say(await cluster.token(OTHER)),
        await cluster.say(good, address="127.9.9.9"),
        await cluster.say(good, revision="ns/other"),
    ]
    assert refused == [401, 401, 401, 403, 403, 403]
    assert await cluster.counts() == {"forbidden": 3, "unauthenticated": 3}
    assert not asked.done(), "what is refused is told to nobody"

    (tmp_path / "token").write_text(good)
    began = time.monotonic()
    made = await asyncio.to_thread(
        sidecar,
        address=cluster.address,
        SERVING_NAMESPACE=NAMESPACE,
        SERVING_REVISION=REVISION,
        SERVING_POD=POD,
        SERVING_POD_IP=cluster.address,
        SERVING_READINESS_PROBE={"tcpSocket": {"host": "127.0.0.1", "port": origin.port}},
        PENSTOCK_ANNOUNCE_ADDRESS=cluster.place,
        PENSTOCK_ANNOUNCE_TOKEN_FILE=tmp_path / "token",
    )
    answer = await asked
    print(f"answered {time.monotonic() - began:.3f} s after the sidecar's start")
    assert (answer.status_code, answer.text) == (200, "hello")
    assert (await cluster.counts())["believed"] == 1
    for kind in (ENDPOINTS, ENDPOINT_SLICES):
        assert (await cluster.world.client.list(kind, Json, NAMESPACE))[0] == []
    assert "knows that this pod is ready" in made.stderr()

    await cluster.world.client.delete(PODS, NAMESPACE, POD, grace_s=0)
    async with asyncio.timeout(PATIENCE_S):
        while (status := await cluster.say(good)) == 204:  # the controller has not seen it yet
            await asyncio.sleep(0.02)
    assert status in (403, 503), "a pod that is gone is believed no more"
