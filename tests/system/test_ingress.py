"""Ingresses from an API server to a gateway's process and the app behind it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.config.settings import Settings
from controller.local.admission import admission, kinds
from controller.local.api.server import Server
from dataplane.kube.resource import ENDPOINTS, SERVICES
from tests.controlplane import INGRESSES, SYSTEM, Plane, condition, plane, settings
from tests.origin import Origin
from tests.system.test_gateway_role import PATIENCE_S, ROOT, START, App, free_ports
from tests.wire.peers import take

Json = dict[str, Any]
NAMESPACE = "apps"
OURS = {"networking.knative.dev/ingress.class": "penstock.dev"}


@dataclass
class Land:
    """Controllers with their API server, and a gateway that follows them."""

    plane: Plane
    public: int
    private: int

    async def backend(self, name: str, port: int | None, port_name: str = "http") -> None:
        """A Service, whose only endpoint is that port of this machine; None: it has none."""
        spec = {"clusterIP": "None", "ports": [{"name": port_name, "port": 80, "targetPort": port or 1}]}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
        await self.plane.client.apply(SERVICES, NAMESPACE, name, service, Json)
        ports = [{"name": port_name, "port": port, "protocol": "TCP"}]
        subsets = [{"addresses": [{"ip": "127.0.0.1"}], "ports": ports}] if port else []
        found = {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": name}, "subsets": subsets}
        await self.plane.client.apply(ENDPOINTS, NAMESPACE, name, found, Json)

    async def ingress(self, name: str, *rules: Json, **spec: Any) -> Json:
        """Applies it, and returns it once it is ready."""
        made = {
            "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
            "metadata": {"name": name, "annotations": OURS}, "spec": {"rules": list(rules), **spec},
        }  # fmt: skip
        applied = await self.plane.client.apply(INGRESSES, NAMESPACE, name, made, Json)
        generation = applied["metadata"]["generation"]

        def is_ready(found: Json) -> bool:
            seen = found.get("status", {}).get("observedGeneration", 0)
            return bool(seen >= generation) and condition(found, "Ready") == "True"

        return await self.plane.until(INGRESSES, name, is_ready)

    async def ask(self, host: str, path: str = "/", port: int | None = None) -> httpx.Response:
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            return await client.get(f"http://127.0.0.1:{port or self.public}{path}", headers={"Host": host})


def split(name: str, percent: int | None = None, **more: Any) -> Json:
    made = {"serviceNamespace": NAMESPACE, "serviceName": name, "servicePort": 80, **more}
    return made if percent is None else made | {"percent": percent}


def rule(*splits: Json, host: str = "a.example.com", **more: Any) -> Json:
    return {"hosts": [host], "http": {"paths": [{"splits": list(splits), **more.pop("path", {})}]}, **more}


@pytest.fixture
async def land(tmp_path: Path) -> AsyncIterator[Land]:
    running: list[Plane] = []

    def now() -> Settings:
        return running[0].controllers.settings if running else settings()

    server = Server(tmp_path, kinds=kinds(), admission=admission(now, SYSTEM), namespaces=(NAMESPACE, SYSTEM))
    async with server.running():
        server.write_kubeconfig(tmp_path / "kubeconfig")
        async with plane(tmp_path / "kubeconfig", NAMESPACE, "kubectl") as found:
            running.append(found)
            public, private, admin = free_ports(3)
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", START, cwd=ROOT, env={
                    "PATH": os.environ["PATH"], "POD_NAME": "gateway-0", "PENSTOCK_BIND_ADDRESS": "127.0.0.1",
                    "PENSTOCK_PUBLIC_PORT": str(public), "PENSTOCK_PRIVATE_PORT": str(private),
                    "PENSTOCK_ADMIN_PORT": str(admin), "PENSTOCK_WORKERS": "2",
                    "PENSTOCK_CONTROLLER": f"ws://127.0.0.1:{found.controllers.gate_port}",
                    "PENSTOCK_AUTOSCALER": f"ws://127.0.0.1:{found.controllers.stats_port}",
                },
            )  # fmt: skip
            try:
                async with asyncio.timeout(PATIENCE_S):
                    while found.controllers.gate.count < 2:
                        await asyncio.sleep(0.02)
                yield Land(found, public, private)
            finally:
                process.kill()
                await process.wait()


@pytest.fixture
async def app() -> AsyncIterator[int]:
    """Port of an app that answers with what it was asked."""
    server = await asyncio.start_server(App(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.spec("NW-057", "NW-058")
async def test_a_ready_ingress_serves_and_names_its_gateways(land: Land, app: int) -> None:
    await land.backend("one", app)
    found = await land.ingress("one", rule(split("one")))
    assert (await land.ask("a.example.com")).status_code == 200
    for side in ("publicLoadBalancer", "privateLoadBalancer"):
        (where,) = found["status"][side]["ingress"]
        assert set(where) == {"domainInternal"}
        assert len(where["domainInternal"].split(".")) >= 3


@pytest.mark.spec("NW-075", "NW-076")
async def test_a_backend_without_a_share_need_not_be_there(land: Land, app: int) -> None:
    await land.backend("one", app)
    await land.backend("nobody", None)
    await land.ingress("one", rule(split("one", 100), split("nobody", 0), split("missing", 0)))
    assert (await land.ask("a.example.com")).status_code == 200


@pytest.mark.spec("NW-079", "NW-081")
async def test_a_port_named_http2_is_spoken_to_so_without_an_app_protocol(land: Land) -> None:
    with Origin(by_hand=True) as origin:
        await land.backend("two", origin.port, "http2")
        await land.ingress("two", rule(split("two")))

        def serve() -> int:
            for status in ("503", "200"):
                behind = take(origin, "h2")
                assert behind.head().path == f"/{status}"
                behind.send_head([(":status", status)], last=True)
                behind.close()
            return 2

        served = asyncio.create_task(asyncio.to_thread(serve))
        assert (await land.ask("a.example.com", "/503")).status_code == 503
        assert (await land.ask("a.example.com", "/200")).status_code == 200
        assert await served == 2


@pytest.mark.spec("NW-091", "NW-087", "NW-065")
async def test_an_update_may_lack_what_has_a_default(land: Land, app: int) -> None:
    await land.backend("one", app)
    await land.ingress("one", rule(split("one", 100)), httpOption="Enabled")
    for i in range(10):
        await land.ingress("one", rule(split("one"), path={"appendHeaders": {"X-Which": str(i)}}))
        assert (await land.ask("a.example.com")).json()["x-which"] == str(i)


@pytest.mark.spec("NW-090")
async def test_a_plain_service_is_followed_while_its_ingress_stays(land: Land, app: int) -> None:
    await land.backend("one", None)
    await land.ingress("one", rule(split("one")))
    assert (await land.ask("a.example.com")).status_code == 503
    await land.backend("one", app)
    async with asyncio.timeout(PATIENCE_S):
        while (await land.ask("a.example.com")).status_code != 200:
            await asyncio.sleep(0.02)


@pytest.mark.spec("NW-122", "NW-109", "NW-103")
async def test_a_host_shows_outside_what_its_external_rules_say(land: Land, app: int) -> None:
    await land.backend("one", app)
    inside = rule(split("one"), path={"path": "/in"}, visibility="ClusterLocal")
    outside = rule(split("one"), path={"path": "/out"}, visibility="ExternalIP")
    await land.ingress("one", inside, outside)
    asked = [(path, port) for port in (land.public, land.private) for path in ("/in", "/out")]
    told = [(await land.ask("a.example.com", path, port)).status_code for path, port in asked]
    assert told == [404, 200, 200, 200]
    await land.ingress("one", inside, outside, httpOption="Redirected")
    told = [(await land.ask("a.example.com", path, port)).status_code for path, port in asked]
    assert told == [404, 301, 200, 301]


@pytest.mark.spec("NW-097")
async def test_an_ingress_of_somebody_else_is_not_touched(land: Land, app: int) -> None:
    await land.backend("one", app)
    key = "networking.knative.dev/ingress.class"
    metas: list[Json] = [{}, {"annotations": {}}, {"annotations": {key: "other"}}, {"annotations": {key: ""}}]
    made = []
    for i, more in enumerate(metas):
        body = {
            "apiVersion": "networking.internal.knative.dev/v1alpha1", "kind": "Ingress",
            "metadata": {"name": f"foreign-{i}", **more},
            "spec": {"rules": [rule(split("one", 100), host=f"f{i}.example.com", visibility="ExternalIP")]},
        }  # fmt: skip
        made.append(await land.plane.client.create(INGRESSES, NAMESPACE, body, Json))
    await land.ingress("last", rule(split("one")))
    await land.plane.settled()
    for i, before in enumerate(made):
        after = await land.plane.get(INGRESSES, f"foreign-{i}")
        assert json.dumps(after, sort_keys=True) == json.dumps(before, sort_keys=True)
        assert "status" not in after
        assert (await land.ask(f"f{i}.example.com")).status_code == 404
