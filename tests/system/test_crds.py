"""The CRDs in a real kube-apiserver: it takes them, and treats our objects as the structs do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from controller.api.admission import admit
from controller.api.crd import crd
from controller.api.registry import BY_KIND, KINDS
from controller.config.settings import Settings
from tests.apiserverfixture import assets, real_apiserver

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SERVICES = "/apis/serving.knative.dev/v1/namespaces/default/services"
SERVICE = BY_KIND[("serving.knative.dev", "Service")]


class Server:
    """A client that answers with status and document."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        answer = self._client.request(method, path, json=body, headers={"Content-Type": kind})
        return answer.status_code, answer.json()

    def get(self, path: str, headers: dict[str, str]) -> Any:
        return self._client.get(path, headers=headers).json()

    def until_established(self, name: str) -> None:
        """Watches a definition until the server serves it."""
        query = {"watch": "1", "timeoutSeconds": "30", "fieldSelector": f"metadata.name={name}"}
        with self._client.stream("GET", CRDS, params=query) as events:
            for line in events.iter_lines():
                status = json.loads(line)["object"].get("status", {})
                conditions = {each["type"]: each["status"] for each in status.get("conditions", ())}
                assert conditions.get("NonStructuralSchema", "False") == "False", status
                if conditions.get("Established") == conditions.get("NamesAccepted") == "True":
                    return
        raise AssertionError(f"{name} is not established after 30 s")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    programs = assets()
    if programs is None:
        pytest.skip("no kube-apiserver: neither KUBEBUILDER_ASSETS nor PENSTOCK_CLUSTER_KIT leads to one")
    with real_apiserver(programs, tmp_path_factory.mktemp("apiserver")) as endpoint, endpoint.client() as client:
        found = Server(client)
        for kind in KINDS:
            status, answer = found.ask("POST", CRDS, crd(kind))
            assert status == 201, answer
        for kind in KINDS:
            found.until_established(f"{kind.plural}.{kind.group}")
        yield found


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"image": "example.com/demo"}]}}, **spec},
    }


def test_discovery_shows_names_and_categories(server: Server) -> None:
    for kind in KINDS:
        _, found = server.ask("GET", f"/apis/{kind.group}/{kind.version}")
        row = next(each for each in found["resources"] if each["name"] == kind.plural)
        assert (row["kind"], row["singularName"], row["namespaced"]) == (kind.kind, kind.singular, True)
        assert row.get("shortNames", []) == list(kind.short_names)
        assert row["categories"] == list(kind.categories)
        assert any(each["name"] == f"{kind.plural}/status" for each in found["resources"])


def test_an_object_with_its_defaults_is_stored_as_it_is(server: Server) -> None:
    sent = admit(SERVICE, "CREATE", service("whole"), None, "ann", Settings()).document
    status, stored = server.ask("POST", SERVICES, sent)
    assert status == 201, stored
    assert stored["spec"] == sent["spec"]
    assert stored["metadata"]["annotations"] == sent["metadata"]["annotations"]


def test_fields_of_a_pod_that_nobody_knows_reach_the_rules(server: Server) -> None:
    odd = service("odd")
    odd["spec"]["template"]["spec"] |= {"odd": {"a": [1]}, "hostNetwork": True}
    odd["spec"]["template"]["spec"]["containers"][0]["odd"] = None
    _, stored = server.ask("POST", f"{SERVICES}?fieldValidation=Strict", odd)
    assert stored["spec"]["template"]["spec"] == odd["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"traffic": [{"percent": "x"}]}, "spec.traffic[0].percent"),
        ({"traffic": "x"}, "spec.traffic"),
        ({"template": {"spec": {"containers": [{"image": 3}]}}}, "spec.template.spec.containers[0].image"),
        (
            {"template": {"spec": {"containers": [{"resources": {"limits": {"cpu": "1x"}}}]}}},
            "spec.template.spec.containers[0].resources.limits.cpu",
        ),
    ],
    ids=["number", "list", "text", "quantity"],
)
def test_a_wrong_type_is_refused_as_our_own_check_refuses_it(server: Server, spec: Any, field: str) -> None:
    document = service("wrong", **spec)
    status, answer = server.ask("POST", SERVICES, document)
    assert status == 422
    causes = {cause["field"]: cause["message"] for cause in answer["details"]["causes"]}
    assert list(causes) == [field]
    ours = admit(SERVICE, "CREATE", document, None, "", Settings()).errors
    assert [error.paths for error in ours] == [(field,)]
    assert ours[0].message == causes[field]


def test_fields_that_nobody_knows_are_dropped_or_named(server: Server) -> None:
    odd = service("dropped", odd=1)
    strict, answer = server.ask("POST", f"{SERVICES}?fieldValidation=Strict", odd)
    assert strict == 400
    assert 'unknown field "spec.odd"' in answer["message"]
    _, stored = server.ask("POST", SERVICES, odd)
    assert "odd" not in stored["spec"]


def test_a_status_is_written_apart(server: Server) -> None:
    _, stored = server.ask("POST", SERVICES, {**service("told"), "status": {"url": "http://ignored"}})
    assert "url" not in stored.get("status", {})
    condition = {"type": "Ready", "status": "Unknown", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    patch = {"status": {"conditions": [condition], "observedGeneration": 1, "url": "http://told"}}
    merge = "application/merge-patch+json"
    status, written = server.ask("PATCH", f"{SERVICES}/told/status", patch, merge)
    assert (status, written["status"]) == (200, patch["status"])


@pytest.mark.spec("SC-020", "SC-048")
def test_a_table_has_the_columns_of_the_registry(server: Server) -> None:
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    for kind in KINDS:
        table = server.get(f"/apis/{kind.group}/{kind.version}/{kind.plural}", accept)
        names = [column["name"] for column in table["columnDefinitions"]]
        assert names == ["Name", *(column.name for column in kind.columns)]
