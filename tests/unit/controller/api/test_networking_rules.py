"""What an Ingress and a ServerlessService may be."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from controller.api.networking import HeaderMatch, IngressHttp, IngressPath, IngressRule, IngressSpec, IngressSplit
from tests.unit.controller.api.sent import Api

SPLIT = {"serviceName": "a", "serviceNamespace": "default", "servicePort": 80}
PATH = "spec.rules[0].http.paths[0]"


def send(api: Api, kind: str, spec: dict[str, Any]) -> str:
    document = {
        "apiVersion": "networking.internal.knative.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "demo", "namespace": "default"},
        "spec": spec,
    }
    return api.send(document).message.removeprefix("validation failed: ")


def splits(*found: dict[str, Any], **path: Any) -> dict[str, Any]:
    return {"rules": [{"http": {"paths": [{"splits": list(found), **path}]}}]}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "missing field(s): spec"),
        ({"httpOption": "Enabled"}, "missing field(s): spec.rules"),
        ({"rules": [{"hosts": ["a"]}]}, "missing field(s): spec.rules[0].http"),
        ({"rules": [{"http": {"paths": []}}]}, "missing field(s): spec.rules[0].http.paths"),
        (splits(path="/a"), f"missing field(s): {PATH}.splits"),
        (splits({**SPLIT, "percent": 101}), f"invalid value: 101: {PATH}.splits[0].percent"),
        (splits({**SPLIT, "serviceName": ""}), f"missing field(s): {PATH}.splits[0].serviceName"),
        (splits({**SPLIT, "servicePort": 0}), f"missing field(s): {PATH}.splits[0].servicePort"),
        (splits({**SPLIT, "serviceNamespace": ""}), f"missing field(s): {PATH}.splits[0].serviceNamespace"),
        (
            splits({**SPLIT, "serviceNamespace": "other"}),
            f"service namespace must match ingress namespace: {PATH}.splits[0].serviceNamespace",
        ),
        (
            splits({**SPLIT, "percent": 40}, {**SPLIT, "percent": 50}),
            f"traffic split percentage must total to 100, but was 90: {PATH}.splits",
        ),
        ({**splits(SPLIT), "httpOption": "Off"}, "invalid value: Off: spec.httpOption"),
        ({**splits(SPLIT), "tls": [{}]}, "missing field(s): spec.tls[0]"),
        (
            {**splits(SPLIT), "tls": [{"hosts": ["a"]}]},
            "missing field(s): spec.tls[0].secretName, spec.tls[0].secretNamespace",
        ),
        (splits(SPLIT), ""),
        (splits({**SPLIT, "percent": 40, "servicePort": "http"}, {**SPLIT, "percent": 60}), ""),
    ],
    ids=str,
)
def test_an_ingress_says_where_every_path_leads(api: Api, spec: dict[str, Any], said: str) -> None:
    assert send(api, "Ingress", spec) == said


def test_an_ingress_without_what_the_schema_asks_for_is_refused(api: Api) -> None:
    said = send(api, "Ingress", {"rules": [{"http": {"paths": [{"splits": [{"serviceName": "a"}]}]}}]})
    assert said.startswith("decoding request failed: Required value: ")
    assert f"{PATH}.splits[0].serviceNamespace" in said


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "missing field(s): spec"),
        (
            {"mode": "Maybe", "objectRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}},
            "invalid value: Maybe: spec.mode\nmissing field(s): spec.protocolType",
        ),
        (
            {
                "mode": "Serve",
                "protocolType": "h2c",
                "objectRef": {"apiVersion": "apps/v1", "kind": "A b", "name": "a"},
            },
            "invalid value: is no identifier: spec.objectRef.kind",
        ),
    ],
)
def test_a_serverless_service_says_how_and_to_whom(api: Api, spec: dict[str, Any], said: str) -> None:
    assert send(api, "ServerlessService", spec) == said


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, "a25000a350642c8abef53078b329bd043e18758f6063c1172d53b04e14fcf5c1"),
        ({"Foo": "bar"}, "6b652c7abed871354affd4a9cb699d33816f24541fac942149b91ad872fe63ca"),
    ],
)
def test_the_spec_is_written_in_the_order_that_its_hash_needs(headers: dict[str, str], wanted: str) -> None:
    path = IngressPath(splits=(IngressSplit(service_name="blah", append_headers=headers),))
    spec = IngressSpec(rules=(IngressRule(hosts=("example.com",), http=IngressHttp(paths=(path,))),))
    assert hashlib.sha256(msgspec.json.encode(spec)).hexdigest() == wanted


def test_a_path_writes_its_fields_in_the_order_of_the_hash() -> None:
    path = IngressPath(path="/", rewrite_host="a", headers={"a": HeaderMatch(exact="")}, append_headers={"b": "c"})
    assert msgspec.json.encode(path) == (
        b'{"path":"/","rewriteHost":"a","headers":{"a":{"exact":""}},"splits":[],"appendHeaders":{"b":"c"}}'
    )
