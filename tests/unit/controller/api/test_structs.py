"""Objects survive the way through a struct."""

from __future__ import annotations

import gc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.api.meta import ObjectMeta, Resource
from controller.api.registry import BY_KIND, KINDS, Kind
from controller.api.serving import Configuration, Revision, RevisionTemplate, Service
from tests.unit.controller.api.sent import make_service

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
POD = st.dictionaries(st.text(min_size=1, max_size=12), JSON, min_size=1, max_size=4)


def through(document: dict[str, Any], struct: type[Resource]) -> dict[str, Any]:
    decoded = msgspec.json.decode(msgspec.json.encode(document), type=struct)
    again: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(decoded))
    return again


@given(POD, POD)
def test_fields_of_a_pod_that_nobody_knows_survive(spec: dict[str, Any], container: dict[str, Any]) -> None:
    document = make_service({**spec, "containers": [container]}, traffic=[{"percent": 0, "latestRevision": False}])
    del document["spec"]["template"]["metadata"]
    assert through(document, Service) == document


@given(POD)
def test_a_revision_keeps_its_spec_as_it_is(spec: dict[str, Any]) -> None:
    document = {"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": {"name": "a"}, "spec": spec}
    assert through(document, Revision) == document


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_an_empty_object_is_its_identity(kind: Kind) -> None:
    identity = {"apiVersion": f"{kind.group}/{kind.version}", "kind": kind.kind}
    assert through(identity, kind.struct) == identity
    assert BY_KIND[(kind.group, kind.kind)] is kind


def test_a_whole_status_survives() -> None:
    document = {
        **make_service(),
        "status": {
            "observedGeneration": 3,
            "conditions": [
                {"type": "Ready", "status": "False", "severity": "Info", "lastTransitionTime": "2026-01-01T00:00:00Z",
                 "reason": "a", "message": "b"}
            ],
            "annotations": {"a": "b"},
            "latestCreatedRevisionName": "demo-2",
            "latestReadyRevisionName": "demo-1",
            "url": "http://demo",
            "address": {"name": "a", "url": "http://demo.default", "CACerts": "pem", "audience": "b"},
            "traffic": [{"tag": "a", "revisionName": "demo-1", "latestRevision": False, "percent": 0, "url": "http://a"}],
        },
    }  # fmt: skip
    del document["spec"]["template"]["metadata"]
    assert through(document, Service) == document


def test_only_what_is_said_is_applied() -> None:
    configuration = Configuration(metadata=ObjectMeta(name="demo", namespace="default"))
    assert msgspec.json.encode(configuration) == (
        b'{"apiVersion":"serving.knative.dev/v1","kind":"Configuration","metadata":{"name":"demo","namespace":"default"}}'
    )


def test_a_template_reads_the_fields_that_are_ours() -> None:
    containers = [{"image": "a"}, {"image": "b", "ports": [{"name": "h2c", "containerPort": 8080}]}]
    own = {"containerConcurrency": 5, "timeoutSeconds": 60, "responseStartTimeoutSeconds": 30, "idleTimeoutSeconds": 20}
    template = RevisionTemplate(spec={"containers": containers, **own})
    assert template.containers == containers
    assert template.init_containers == []
    assert template.serving_container is containers[1]
    assert template.protocol == "h2c"
    assert (template.container_concurrency, template.timeout_seconds) == (5, 60)
    assert (template.response_start_timeout_seconds, template.idle_timeout_seconds) == (30, 20)
    assert template.pod_spec() == {"containers": containers}
    assert RevisionTemplate().protocol == "http1"


def test_objects_are_no_work_for_the_collector() -> None:
    service = msgspec.json.decode(msgspec.json.encode(make_service()), type=Service)
    assert not gc.is_tracked(service)
    assert not gc.is_tracked(service.metadata)
    with pytest.raises(AttributeError):
        service.kind = "Other"  # type: ignore[misc]
    assert service.key == ("default", "demo")
