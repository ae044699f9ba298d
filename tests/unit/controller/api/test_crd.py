"""The CRDs and the schemas that they are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.api.crd import FOLDER, crd, files, write
from controller.api.registry import BY_KIND, KINDS, Kind
from controller.api.schema import pruned, shape_problems
from tests.unit.controller.api.sent import make_service

SERVICE = BY_KIND[("serving.knative.dev", "Service")]


def test_the_files_of_the_chart_are_what_the_structs_say() -> None:
    kept = {file.name: file.read_text() for file in FOLDER.glob("*.yaml")}
    assert {name: text == kept.get(name) for name, text in files().items()} == dict.fromkeys(files(), True), (
        "run `python -m controller.api.crd`"
    )


def test_a_kind_that_is_gone_takes_its_file_along(tmp_path: Path) -> None:
    stale, foreign = tmp_path / "gone.yaml", tmp_path / "mine.yaml"
    write(tmp_path)
    stale.write_text(next(iter(files().values())))
    foreign.write_text("a: b\n")
    write(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {*files(), "mine.yaml"}


@pytest.mark.spec("SC-020", "SC-048")
@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("Service", ["URL", "LatestCreated", "LatestReady", "Ready", "Reason"]),
        ("Configuration", ["LatestCreated", "LatestReady", "Ready", "Reason"]),
        ("Revision", ["Config Name", "Generation", "Ready", "Reason", "Actual Replicas", "Desired Replicas"]),
        ("Route", ["URL", "Ready", "Reason"]),
    ],
)
def test_users_see_the_columns_that_they_know(kind: str, columns: list[str]) -> None:
    version = crd(BY_KIND[("serving.knative.dev", kind)])["spec"]["versions"][0]
    assert [column["name"] for column in version["additionalPrinterColumns"]] == columns


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_crd_has_one_version_with_a_status(kind: Kind) -> None:
    document = crd(kind)
    assert document["metadata"]["name"] == f"{kind.plural}.{kind.group}"
    version = document["spec"]["versions"][0]
    assert (version["name"], version["served"], version["storage"]) == (kind.version, True, True)
    assert version["subresources"] == {"status": {}}
    assert yaml.load(files()[f"{kind.group}_{kind.plural}.yaml"], Loader=yaml.CSafeLoader) == document


def structural_faults(schema: dict[str, Any], path: str) -> list[str]:
    """What Kubernetes asks of a structural schema: every place has a type, or is a number or text, or is open."""
    faults = [] if "type" in schema or schema.get("x-kubernetes-int-or-string") else [path]
    for name, inner in schema.get("properties", {}).items():
        faults += structural_faults(inner, f"{path}.{name}")
    for field in ("items", "additionalProperties"):
        if field in schema:
            faults += structural_faults(schema[field], f"{path}.{field}")
    return faults


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_schema_is_structural(kind: Kind) -> None:
    assert structural_faults(kind.schema, kind.kind) == []


def test_fields_that_nobody_knows_are_dropped() -> None:
    document = make_service({"containers": [{"image": "a", "odd": 1, "env": None}], "odd": 2})
    document["spec"]["odd"] = 3
    document["status"] = {"odd": 4}
    kept = pruned(document, SERVICE.schema)
    assert kept["spec"]["template"]["spec"] == {"containers": [{"image": "a", "odd": 1}], "odd": 2}
    assert "odd" not in kept["spec"]
    assert kept["status"] == {}
    assert kept["metadata"] == document["metadata"]


def test_a_document_of_the_right_shape_has_no_problems() -> None:
    spec = {"containers": [{"image": "a", "resources": {"limits": {"cpu": 1, "memory": "1Gi"}}}]}
    assert shape_problems(make_service(spec), SERVICE.schema) == []
