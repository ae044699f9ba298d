"""Admission answers whatever it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.api import podspec
from controller.api.registry import BY_KIND, KINDS, Kind
from controller.config.features import FLAGS
from tests.unit.controller.api.sent import Api, make_service

SCALARS = (
    st.none() | st.booleans() | st.integers(-2, 70000) | st.sampled_from(["", "a", "A b", "1x", "/dev", "PORT", "-"])
)
MAX_DEPTH = 7


def matching(schema: podspec.Schema, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of a schema's shape, now and then of another."""
    if depth > MAX_DEPTH:
        return SCALARS
    kind = schema.get("type")
    if kind == "array":
        return st.lists(matching(schema["items"], depth + 1), max_size=2)
    if "properties" in schema:
        fields = {name: matching(inner, depth + 1) for name, inner in schema["properties"].items()}
        return st.fixed_dictionaries({}, optional=fields)
    if "additionalProperties" in schema:
        return st.dictionaries(st.sampled_from(["a", "cpu", "X"]), matching(schema["additionalProperties"]), max_size=2)
    by_type = {"string": st.sampled_from(["", "a", "A b", "/dev", "PORT", "100m"]), "boolean": st.booleans()}
    if kind == "object":
        return st.dictionaries(st.sampled_from(["a", "runAsUser"]), SCALARS, max_size=2)
    return by_type.get(kind or "", st.integers(-2, 70000))


REVISION_SPECS = matching(podspec.REVISION_SPEC)


@settings(max_examples=300, deadline=None)
@given(REVISION_SPECS, st.booleans())
def test_a_pod_of_the_right_shape_is_judged(spec: dict[str, Any], is_open: bool) -> None:
    api = Api()
    if is_open:
        api.enable(*FLAGS)
    api.user = "ann"
    admission = api.send(make_service(spec))
    assert admission.is_allowed == (admission.message == "")
    if admission.is_allowed:
        assert api.send(admission.document, admission.document).document == admission.document


NAMES = ["containers", "name", "spec", "template", "traffic", "metadata", "rules", "http"]
SHAPES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(SHAPES)
def test_an_object_of_any_shape_gets_an_answer(spec: Any) -> None:
    for kind in KINDS:
        identity = {"apiVersion": f"{kind.group}/{kind.version}", "kind": kind.kind}
        admission = Api().send({**identity, "metadata": {"name": "demo"}, "spec": spec})
        assert admission.is_allowed == (admission.message == "")


@pytest.mark.parametrize("metadata", ["x", [], None, 3, {"labels": "x"}, {"ownerReferences": [None]}], ids=str)
@pytest.mark.parametrize("kind", [BY_KIND[("serving.knative.dev", "Service")]], ids=lambda kind: kind.kind)
def test_odd_metadata_gets_an_answer(kind: Kind, metadata: Any) -> None:
    document = {"apiVersion": "serving.knative.dev/v1", "kind": kind.kind, "metadata": metadata}
    assert not Api().send(document).is_allowed
