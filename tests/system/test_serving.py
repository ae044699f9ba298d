"""The controllers on a real kube-apiserver and on our own: from a Service to a URL, and quiet afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from controller.config.settings import Settings
from controller.local.admission import admission, kinds
from controller.local.api.server import Server
from dataplane.kube.resource import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    ENDPOINTS,
    EVENTS,
    NAMESPACES,
    PODS,
    SERVICES,
)  # fmt: skip
from tests.apiserverfixture import assets
from tests.controlplane import (
    CONFIGURATIONS,
    INGRESSES,
    KSERVICES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROUTES,
    SERVERLESS_SERVICES,
    SIDECAR,
    SYSTEM,
    Plane,
    another,
    client_of,
    conditions,
    ksvc,
    plane,
    settings,
)

Planes = Callable[[], AbstractAsyncContextManager[Plane]]


@asynccontextmanager
async def _on_kube(kubeconfig: Path, namespace: str, kubectl_path: str) -> AsyncIterator[Plane]:
    async with client_of(kubeconfig, "tests") as client:
        for name in (namespace, SYSTEM):
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await client.apply(NAMESPACES, None, name, made, dict[str, Any])
        async with plane(kubeconfig, namespace, kubectl_path) as found:
            yield found
        await client.delete(NAMESPACES, None, namespace)
        for one in (await client.list(CONFIG_MAPS, dict[str, Any], SYSTEM))[0]:
            await client.delete(CONFIG_MAPS, SYSTEM, one["metadata"]["name"])


@asynccontextmanager
async def _on_embedded(folder: Path, namespace: str, kubectl_path: str) -> AsyncIterator[Plane]:
    running: list[Plane] = []

    def now() -> Settings:
        return running[0].controllers.settings if running else settings()

    server = Server(folder, kinds=kinds(), admission=admission(now, SYSTEM), namespaces=(namespace, SYSTEM))
    async with server.running():
        server.write_kubeconfig(folder / "kubeconfig")
        async with plane(folder / "kubeconfig", namespace, kubectl_path) as found:
            running.append(found)
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


@pytest.mark.spec("SC-001", "SC-003", "SC-004", "SC-139", "SC-141")
async def test_a_service_becomes_ready_and_then_nothing_is_written(planes: Planes) -> None:
    async with planes() as plane:
        await plane.kubectl("apply", "-f", "-", text=json.dumps(ksvc("hello")))
        found = await plane.until_ready("hello")
        host = f"hello.{plane.namespace}.svc.cluster.local"
        assert found["status"]["url"] == f"http://{host}"
        assert found["status"]["address"]["url"] == f"http://{host}"
        assert found["status"]["latestReadyRevisionName"] == "hello-00001"
        assert found["status"]["traffic"] == [{"revisionName": "hello-00001", "percent": 100, "latestRevision": True}]
        certificate = conditions(await plane.get(ROUTES, "hello"))["CertificateProvisioned"]
        assert (certificate["status"], certificate["reason"]) == ("True", "TLSNotEnabled")
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
        for one in plane.controllers.running:
            for key in [item.key for item in plane.controllers.observed.revisions] + [(plane.namespace, "hello")]:
                one.queue.add(key)
        await plane.settled()
        assert plane.writer.writes[before:] == []


CRASHED = {
    "conditions": [{"type": "Ready", "status": "False"}],
    "containerStatuses": [
        {
            "name": "user-container", "ready": False, "restartCount": 1, "image": "x", "imageID": "x",
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 5, "reason": "Error", "message": "oops"}},
        }
    ],
}  # fmt: skip


async def apply(plane: Plane, document: dict[str, Any]) -> None:
    await plane.kubectl("apply", "-f", "-", text=json.dumps(document))


async def reasons(plane: Plane) -> set[str]:
    return {event["reason"] for event in await plane.all(EVENTS)}


def splits(ingress: dict[str, Any]) -> dict[str, int]:
    """Of the first rule."""
    found = ingress["spec"]["rules"][0]["http"]["paths"][0]["splits"]
    return {split["serviceName"]: split["percent"] for split in found}


@pytest.mark.spec("SC-007", "SC-008", "SC-009", "SC-010", "SC-111", "SC-047")
async def test_only_a_change_of_the_template_makes_a_revision(planes: Planes) -> None:
    async with planes() as plane:
        await apply(plane, ksvc("hello"))
        await plane.until_ready("hello")
        await apply(plane, ksvc("hello", metadata={"labels": {"a": "b"}, "annotations": {"c": "d"}}))
        labelled = await plane.until(CONFIGURATIONS, "hello", lambda it: it["metadata"]["labels"].get("a") == "b")
        assert labelled["metadata"]["annotations"]["c"] == "d"
        await apply(plane, ksvc("hello", env=[{"name": "A", "value": "1"}]))
        await plane.until(KSERVICES, "hello", lambda it: it["status"].get("latestReadyRevisionName") == "hello-00002")
        await plane.until_ready("hello")
        moved = await plane.until(INGRESSES, "hello", lambda it: splits(it) == {"hello-00002": 100})
        assert moved["metadata"]["generation"] == 2
        half = [{"revisionName": "hello-00001", "percent": 50}, {"latestRevision": True, "percent": 50}]
        await apply(plane, ksvc("hello", env=[{"name": "A", "value": "1"}], traffic=half))
        await plane.until(INGRESSES, "hello", lambda it: splits(it) == {"hello-00001": 50, "hello-00002": 50})
        await plane.until_ready("hello")
        assert (await plane.get(CONFIGURATIONS, "hello"))["metadata"]["generation"] == 2
        assert len(await plane.all(REVISIONS)) == 2
        await plane.settled()
        assert {"Created", "ConfigurationReady", "LatestReadyUpdate", "RevisionReady"} <= await reasons(plane)


@pytest.mark.spec("SC-013", "SC-046", "SC-116", "SC-166", "SC-047")
async def test_a_revision_that_crashes_leaves_the_old_one_serving(planes: Planes) -> None:
    async with planes() as plane:
        await apply(plane, ksvc("hello"))
        await plane.until_ready("hello")
        plane.kubelet.pod_status["hello-00002"] = CRASHED
        await apply(plane, ksvc("hello", env=[{"name": "A", "value": "1"}]))
        found = conditions(await plane.until_ready("hello", status="False"))
        message = 'Revision "hello-00002" failed with message: Container failed with: oops.'
        assert (found["ConfigurationsReady"]["reason"], found["Ready"]["message"]) == ("RevisionFailed", message)
        assert found["RoutesReady"]["status"] == "True"
        assert splits(await plane.get(INGRESSES, "hello")) == {"hello-00001": 100}
        autoscaler = await plane.until(
            POD_AUTOSCALERS, "hello-00002", lambda it: it["spec"].get("reachability") == "Unreachable"
        )
        assert autoscaler["metadata"]["ownerReferences"][0]["kind"] == "Revision"
        await plane.settled()
        assert "LatestCreatedFailed" in await reasons(plane)


@pytest.mark.spec("SC-108", "SC-109", "SC-117")
async def test_a_tag_has_a_name_a_rule_and_a_service_until_it_goes(planes: Planes) -> None:
    async with planes() as plane:
        tagged = [
            {"latestRevision": True, "percent": 100},
            {"revisionName": "hello-00001", "percent": 0, "tag": "old"},
        ]
        await apply(plane, ksvc("hello", traffic=tagged))
        found = await plane.until_ready("hello")
        url = f"http://old-hello.{plane.namespace}.svc.cluster.local"
        assert [one.get("url") for one in found["status"]["traffic"]] == [None, url]
        assert (await plane.get(SERVICES, "old-hello"))["spec"]["externalName"] == f"gateway.{SYSTEM}.svc.cluster.local"
        await apply(plane, ksvc("hello", traffic=[{"latestRevision": True, "percent": 100}]))
        await plane.until(INGRESSES, "hello", lambda it: len(it["spec"]["rules"]) == 1)
        await plane.until_ready("hello")
        await plane.settled()
        assert sorted(one["metadata"]["name"] for one in await plane.all(SERVICES)) == [
            "hello", "hello-00001", "hello-00001-private",
        ]  # fmt: skip


@pytest.mark.spec("SC-014")
@pytest.mark.parametrize("kind", [CONFIGURATIONS, ROUTES], ids=["Configuration", "Route"])
async def test_a_foreign_child_is_left_as_it_is(planes: Planes, kind: Any) -> None:
    async with planes() as plane:
        spec = {"template": {"spec": {"containers": [{"image": "dev.local/other"}]}}}
        if kind is ROUTES:
            spec = {"traffic": [{"configurationName": "other", "latestRevision": True, "percent": 100}]}
        foreign = {
            "apiVersion": "serving.knative.dev/v1", "kind": kind.kind, "metadata": {"name": "hello"}, "spec": spec,
        }  # fmt: skip
        await apply(plane, foreign)
        before = (await plane.get(kind, "hello"))["spec"]
        await apply(plane, ksvc("hello"))
        found = conditions(await plane.until_ready("hello", status="False"))["Ready"]
        message = f'There is an existing {kind.kind} "hello" that we do not own.'
        assert (found["reason"], found["message"]) == ("NotOwned", message)
        assert (await plane.get(kind, "hello"))["spec"] == before


@pytest.mark.spec("SC-118")
async def test_a_foreign_service_of_the_routes_name_is_left_as_it_is(planes: Planes) -> None:
    async with planes() as plane:
        foreign = {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hello"}, "spec": {"ports": [{"port": 1}]},
        }  # fmt: skip
        await apply(plane, foreign)
        await apply(plane, ksvc("hello"))
        found = conditions(await plane.until_ready("hello", ROUTES, "False"))["IngressReady"]
        message = 'There is an existing placeholder Service "hello" that we do not own.'
        assert (found["reason"], found["message"]) == ("NotOwned", message)
        assert (await plane.get(SERVICES, "hello"))["spec"]["ports"][0]["port"] == 1


@pytest.mark.spec("SC-018", "SC-019", "SC-042")
async def test_children_come_back_as_they_should_be(planes: Planes) -> None:
    async with planes() as plane:
        await apply(plane, ksvc("hello"))
        await plane.until_ready("hello")
        old = {}
        for kind, name in ((REVISIONS, "hello-00001"), (ROUTES, "hello"), (CONFIGURATIONS, "hello")):
            old[kind.kind] = uid = (await plane.get(kind, name))["metadata"]["uid"]
            await plane.client.delete(kind, plane.namespace, name)
            await plane.until(kind, name, lambda it, uid=uid: it["metadata"]["uid"] != uid)  # type: ignore[misc]
        await plane.until_ready("hello")
        change = {"spec": {"template": {"spec": {"timeoutSeconds": 7}}}, "metadata": {"labels": {"odd": "x"}}}
        await plane.client.patch(CONFIGURATIONS, plane.namespace, "hello", change, dict[str, Any])
        put_right = await plane.until(CONFIGURATIONS, "hello", lambda it: "odd" not in it["metadata"]["labels"])
        assert put_right["spec"]["template"]["spec"]["timeoutSeconds"] == 300


@pytest.mark.spec("SC-017", "SC-023")
async def test_with_the_service_everything_goes(planes: Planes) -> None:
    async with planes() as plane:
        made = ksvc("x")
        made["metadata"] = {"generateName": "gen-"}
        said = await plane.kubectl("create", "-o", "name", "-f", "-", text=json.dumps(made))
        name = said.strip().partition("/")[2]
        await plane.until_ready(name)
        assert (await plane.get(REVISIONS, f"{name}-00001"))["metadata"]["labels"][
            "serving.knative.dev/service"
        ] == name
        await plane.kubectl("delete", "--cascade=foreground", "ksvc", name)
        for kind in (KSERVICES, CONFIGURATIONS, ROUTES, REVISIONS, INGRESSES, POD_AUTOSCALERS, DEPLOYMENTS):
            assert await plane.all(kind) == []


@pytest.mark.spec("SC-120", "SC-121", "SC-122", "SC-123", "SC-003")
async def test_settings_and_labels_change_the_names_of_what_is_there(planes: Planes) -> None:
    async with planes() as plane:
        tagged = [{"latestRevision": True, "percent": 100, "tag": "t"}]
        await apply(plane, ksvc("hello", traffic=tagged))
        await plane.until_ready("hello")
        space = plane.namespace
        await config_map(plane, "config-domain", {"example.com": ""})
        found = await plane.until(
            ROUTES, "hello", lambda it: it["status"]["url"] == f"http://hello.{space}.example.com"
        )
        assert found["status"]["traffic"][0]["url"] == f"http://t-hello.{space}.example.com"
        await plane.kubectl("label", "service", "t-hello", "networking.knative.dev/visibility=cluster-local")
        local = f"http://t-hello.{space}.svc.cluster.local"
        found = await plane.until(ROUTES, "hello", lambda it: it["status"]["traffic"][0]["url"] == local)
        assert found["status"]["url"] == f"http://hello.{space}.example.com"
        await plane.kubectl("label", "ksvc", "hello", "networking.knative.dev/visibility=cluster-local")
        await plane.until(
            KSERVICES, "hello", lambda it: it["status"]["url"] == f"http://hello.{space}.svc.cluster.local"
        )
        rules = (await plane.get(INGRESSES, "hello"))["spec"]["rules"]
        assert {rule["visibility"] for rule in rules} == {"ClusterLocal"}


@pytest.mark.spec("SC-125", "SC-116", "SC-142")
async def test_what_makes_no_ingress_leaves_the_last_one(planes: Planes) -> None:
    async with planes() as plane:
        await config_map(plane, "config-domain", {"example.com": ""})
        await apply(plane, ksvc("hello"))
        await plane.until_ready("hello")
        before = (await plane.get(INGRESSES, "hello"))["spec"]
        template = '{{index .Annotations "sub"}}.{{.Domain}}'
        await config_map(plane, "config-network", {"domain-template": template, "ingress-class": "penstock.dev"})
        found = conditions(await plane.until_ready("hello", ROUTES, "False"))["AllTrafficAssigned"]
        assert found["reason"] == "ErrorConfig"
        assert found["message"].startswith('domain name error: invalid domain name ".example.com"')
        assert (await plane.get(INGRESSES, "hello"))["spec"] == before
        await config_map(plane, "config-network", {"http-protocol": "redirected", "ingress-class": "penstock.dev"})
        await plane.until_ready("hello", ROUTES)
        assert (await plane.get(INGRESSES, "hello"))["spec"]["httpOption"] == "Redirected"
        await plane.kubectl("annotate", "ksvc", "hello", "networking.knative.dev/http-protocol=odd")
        found = conditions(await plane.until_ready("hello", ROUTES, "False"))["AllTrafficAssigned"]
        assert found["message"] == "incorrect http-protocol annotation: odd"


def counts_for_prometheus(deployment: dict[str, Any]) -> bool:
    said = deployment["spec"]["template"]["spec"]["containers"][-1]["env"]
    (document,) = (one["value"] for one in said if one["name"] == "OBSERVABILITY_CONFIG")
    return bool(json.loads(document) == {"requestMetrics": {"protocol": "prometheus"}})


async def config_map(plane: Plane, name: str, data: dict[str, str]) -> None:
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    await plane.client.apply(CONFIG_MAPS, SYSTEM, name, made, dict[str, Any])


@pytest.mark.spec("SC-176", "SC-180", "SC-172")
async def test_a_deployment_keeps_its_replicas_and_follows_the_settings(planes: Planes) -> None:
    async with planes() as plane:
        await apply(plane, ksvc("hello", template={"annotations": {"autoscaling.knative.dev/min-scale": "3"}}))
        await plane.until_ready("hello")
        await plane.until(DEPLOYMENTS, "hello-00001-deployment", lambda it: it["spec"]["replicas"] == 3)
        await plane.until(REVISIONS, "hello-00001", lambda it: it["status"].get("actualReplicas") == 3)
        await config_map(plane, "config-deployment", {"queue-sidecar-image": "example.com/queue-proxy:2"})
        changed = await plane.until(
            DEPLOYMENTS, "hello-00001-deployment",
            lambda it: it["spec"]["template"]["spec"]["containers"][-1]["image"] != SIDECAR,
        )  # fmt: skip
        assert changed["spec"]["replicas"] == 3
        await config_map(plane, "config-observability", {"request-metrics-protocol": "prometheus"})
        await plane.until(DEPLOYMENTS, "hello-00001-deployment", counts_for_prometheus)
        await plane.kubectl("annotate", "revision", "hello-00001", "autoscaling.knative.dev/min-scale-")
        gone = await plane.until(
            POD_AUTOSCALERS, "hello-00001",
            lambda it: "autoscaling.knative.dev/min-scale" not in it["metadata"]["annotations"],
        )  # fmt: skip
        assert gone["spec"]["scaleTargetRef"]["name"] == "hello-00001-deployment"
        await config_map(plane, "config-deployment", {"queue-sidecar-image": SIDECAR})


@pytest.mark.spec("SC-024", "SC-036", "SC-037", "SC-038")
async def test_a_revision_may_be_named_and_taken_again(planes: Planes) -> None:
    async with planes() as plane:
        first, second = [{"name": "A", "value": "1"}], [{"name": "A", "value": "2"}]
        await apply(plane, ksvc("hello", template={"name": "hello-one"}, env=first))
        await plane.until_ready("hello")
        await apply(plane, ksvc("hello", template={"name": "hello-two"}, env=second))
        await plane.until(KSERVICES, "hello", lambda it: it["status"]["latestReadyRevisionName"] == "hello-two")
        await apply(plane, ksvc("hello", template={"name": "hello-one"}, env=first))
        await plane.until(KSERVICES, "hello", lambda it: it["status"]["latestReadyRevisionName"] == "hello-one")
        await plane.until(INGRESSES, "hello", lambda it: splits(it) == {"hello-one": 100})
        await plane.until_ready("hello")
        assert len(await plane.all(REVISIONS)) == 2
        await apply(plane, ksvc("hello", template={"name": "hello-two"}, env=[{"name": "A", "value": "3"}]))
        found = conditions(await plane.until_ready("hello", status="False"))
        assert found["ConfigurationsReady"]["message"].startswith("Revision creation failed with message:")
        assert found["RoutesReady"]["reason"] == "RevisionNameTaken"
        assert splits(await plane.get(INGRESSES, "hello")) == {"hello-one": 100}


@pytest.mark.spec("SC-214", "SC-215", "SC-217")
async def test_activators_stand_in_the_path_until_enough_pods_do(planes: Planes) -> None:
    async with planes() as plane:
        ports = [{"name": "http", "port": 8012}, {"name": "http2", "port": 8013}, {"name": "metrics", "port": 9090}]
        activators = {
            "apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "activator-service"},
            "subsets": [{"addresses": [{"ip": "10.1.0.1"}, {"ip": "10.1.0.2"}], "ports": ports}],
        }  # fmt: skip
        await plane.client.apply(ENDPOINTS, SYSTEM, "activator-service", activators, dict[str, Any])
        no_burst = {"annotations": {"autoscaling.knative.dev/target-burst-capacity": "0"}}
        await apply(plane, ksvc("hello", template=no_burst))
        held = await plane.until(ENDPOINTS, "hello-00001", lambda it: addresses(it) == {"10.1.0.1", "10.1.0.2"})
        assert [port["port"] for port in held["subsets"][0]["ports"]] == [8012]
        await plane.until_ready("hello")
        pod = {one["status"]["podIP"] for one in await plane.all(PODS)}
        await plane.until(ENDPOINTS, "hello-00001-private", lambda it: addresses(it) == pod)
        await plane.client.delete(ENDPOINTS, SYSTEM, "activator-service")
        await plane.until(ENDPOINTS, "hello-00001", lambda it: addresses(it) == pod)


def addresses(endpoints: dict[str, Any]) -> set[str]:
    return {one["ip"] for subset in endpoints.get("subsets", ()) for one in subset.get("addresses", ())}


async def test_a_controller_that_starts_anew_changes_nothing(planes: Planes) -> None:
    async with planes() as plane:
        await apply(plane, ksvc("hello"))
        await plane.until_ready("hello")
        await plane.settled()
        before = {kind: (await plane.get(kind, "hello"))["metadata"]["resourceVersion"] for kind in (KSERVICES, ROUTES)}
        async with another(plane) as controllers:
            for one in controllers.running:
                await one.queue.idle()
        after = {kind: (await plane.get(kind, "hello"))["metadata"]["resourceVersion"] for kind in (KSERVICES, ROUTES)}
        assert after == before


@pytest.mark.spec("SC-060")
@pytest.mark.parametrize("planes", ["embedded"], indirect=True)
async def test_new_defaults_change_nothing_that_is_stored(planes: Planes) -> None:
    async with planes() as plane:
        await apply(plane, ksvc("hello"))
        await plane.until_ready("hello")
        await plane.settled()
        kinds = ((CONFIGURATIONS, "hello"), (REVISIONS, "hello-00001"), (DEPLOYMENTS, "hello-00001-deployment"))
        before = [(await plane.get(*each))["spec"] for each in kinds]
        await config_map(plane, "config-defaults", {"revision-timeout-seconds": "77"})
        async with another(plane) as controllers:
            for one in controllers.running:
                await one.queue.idle()
        assert [(await plane.get(*each))["spec"] for each in kinds] == before
        await apply(plane, ksvc("later"))
        await plane.until_ready("later")
        assert (await plane.get(REVISIONS, "later-00001"))["spec"]["timeoutSeconds"] == 77
