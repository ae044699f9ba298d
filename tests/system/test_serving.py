"""The controllers on a real kube-apiserver and on our own: from a Service to a URL, and quiet afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.api.crd import crd
from controller.api.registry import KINDS
from controller.local.api.server import Server
from controller.local.knative import admission, kinds
from dataplane.kube.resource import DEPLOYMENTS, ENDPOINTS, NAMESPACES, SERVICES
from tests.apiserverfixture import assets, real_apiserver
from tests.controlplane import (
    CONFIGURATIONS,
    INGRESSES,
    KSERVICES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROUTES,
    SERVERLESS_SERVICES,
    SYSTEM,
    Plane,
    client_of,
    ksvc,
    plane,
    settings,
)

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Planes = Callable[[], AbstractAsyncContextManager[Plane]]


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a kube-apiserver that knows our kinds."""
    programs = assets()
    if programs is None:
        pytest.skip("no kube-apiserver: neither KUBEBUILDER_ASSETS nor PENSTOCK_CLUSTER_KIT leads to one")
    folder = tmp_path_factory.mktemp("apiserver")
    with real_apiserver(programs, folder) as endpoint, endpoint.client() as http:
        for kind in KINDS:
            answer = http.post(CRDS, json=crd(kind))
            assert answer.status_code == 201, answer.text
        for kind in KINDS:
            _until_served(http, kind.plural, kind.group)
        yield folder / "kubeconfig"


def _until_served(http: Any, plural: str, group: str) -> None:
    query = {"watch": "1", "timeoutSeconds": "30", "fieldSelector": f"metadata.name={plural}.{group}"}
    with http.stream("GET", CRDS, params=query) as events:
        for line in events.iter_lines():
            found = json.loads(line)["object"].get("status", {}).get("conditions", ())
            if {"Established"} <= {one["type"] for one in found if one["status"] == "True"}:
                return
    raise AssertionError(f"{plural} is not served after 30 s")


@asynccontextmanager
async def _on_kube(kubeconfig: Path, namespace: str, kubectl_path: str) -> AsyncIterator[Plane]:
    async with client_of(kubeconfig, "tests") as client:
        for name in (namespace, SYSTEM):
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await client.apply(NAMESPACES, None, name, made, dict[str, Any])
        async with plane(kubeconfig, namespace, kubectl_path) as found:
            yield found
        for one in (await client.list(KSERVICES, dict[str, Any], namespace))[0]:
            await client.delete(KSERVICES, namespace, one["metadata"]["name"])


@asynccontextmanager
async def _on_embedded(folder: Path, namespace: str, kubectl_path: str) -> AsyncIterator[Plane]:
    server = Server(folder, kinds=kinds(), admission=admission(settings, SYSTEM), namespaces=(namespace, SYSTEM))
    async with server.running():
        server.write_kubeconfig(folder / "kubeconfig")
        async with plane(folder / "kubeconfig", namespace, kubectl_path) as found:
            yield found


@pytest.fixture(params=["kube-apiserver", "embedded"])
def planes(request: pytest.FixtureRequest, tmp_path: Path) -> Planes:
    """Makes the plane of a test, on one API server or the other."""
    programs = assets()
    if programs is None:
        pytest.skip("no kubectl: neither KUBEBUILDER_ASSETS nor PENSTOCK_CLUSTER_KIT leads to one")
    kubectl = str(programs / "kubectl")
    name = "n" + format(abs(hash(request.node.nodeid)) % 10**10, "x")
    if request.param == "embedded":
        return lambda: _on_embedded(tmp_path, name, kubectl)
    kubeconfig = request.getfixturevalue("kube")
    return lambda: _on_kube(kubeconfig, name, kubectl)


@pytest.mark.spec("SC-001", "SC-003", "SC-004", "SC-139")
async def test_a_service_becomes_ready_and_then_nothing_is_written(planes: Planes) -> None:
    async with planes() as plane:
        await plane.kubectl("apply", "-f", "-", text=json.dumps(ksvc("hello")))
        found = await plane.until_ready("hello")
        host = f"hello.{plane.namespace}.svc.cluster.local"
        assert found["status"]["url"] == f"http://{host}"
        assert found["status"]["address"]["url"] == f"http://{host}"
        assert found["status"]["latestReadyRevisionName"] == "hello-00001"
        assert found["status"]["traffic"] == [{"revisionName": "hello-00001", "percent": 100, "latestRevision": True}]
        owners = {}
        for kind, name in (
            (CONFIGURATIONS, "hello"), (ROUTES, "hello"), (REVISIONS, "hello-00001"), (INGRESSES, "hello"),
            (POD_AUTOSCALERS, "hello-00001"), (SERVERLESS_SERVICES, "hello-00001"),
            (DEPLOYMENTS, "hello-00001-deployment"), (SERVICES, "hello"), (SERVICES, "hello-00001"),
            (SERVICES, "hello-00001-private"), (ENDPOINTS, "hello-00001"),
        ):  # fmt: skip
            owner = (await plane.get(kind, name))["metadata"]["ownerReferences"]
            assert [(one["controller"], one["blockOwnerDeletion"]) for one in owner] == [(True, True)]
            owners[kind.kind, name] = owner[0]["kind"]
        assert owners["Configuration", "hello"] == owners["Route", "hello"] == "Service"
        await plane.settled()
        before = len(plane.writer.writes)
        for one in plane.controllers._all():
            for key in [item.key for item in plane.controllers.observed.revisions] + [(plane.namespace, "hello")]:
                one.queue.add(key)
        await plane.settled()
        assert plane.writer.writes[before:] == []
