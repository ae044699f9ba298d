"""transcripts: what a server answers to every case, and what kube-apiserver answered when it was last asked.

`python -m tests.system.kubeapi.transcripts` asks kube-apiserver again and writes `answers.json`.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.apiserverfixture import Endpoint, assets, real_apiserver
from tests.system.kubeapi import changing_cases, owning_cases, reading_cases
from tests.system.kubeapi.cases import CASES
from tests.system.kubeapi.client import Case
from tests.system.kubeapi.samples import WIDGET_DEFINITION
from tests.waiting import until

ANSWERS = Path(__file__).with_name("answers.json")
MODULES = (changing_cases, owning_cases, reading_cases)
"""Importing them fills the list."""


def transcript(http: httpx.Client, name: str) -> Any:
    """What a server says in one case. A string is its excuse for not being able to answer here."""
    namespace = "case-" + name.replace("_", "-")[:50].strip("-")
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    assert http.post("/api/v1/namespaces", json=body).status_code == 201
    case = Case(http, namespace)
    CASES[name](case)
    return case.excuse or json.loads(json.dumps(case.transcript))


@contextlib.contextmanager
def kube_apiserver(binaries: Path, folder: Path) -> Iterator[Endpoint]:
    """kube-apiserver, knowing the kind of the cases."""
    with real_apiserver(binaries, folder) as endpoint, endpoint.client() as http:
        made = http.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", json=WIDGET_DEFINITION)
        assert made.status_code == 201, made.text
        until(lambda: "cases.penstock.dev" in http.get("/openapi/v3").text, "the kind of the cases is served", 30)
        yield endpoint


def record() -> None:
    binaries = assets()
    assert binaries is not None, "name the folder of etcd and kube-apiserver in KUBEBUILDER_ASSETS"
    with (
        tempfile.TemporaryDirectory() as folder,
        kube_apiserver(binaries, Path(folder)) as endpoint,
        endpoint.client() as http,
    ):
        found = {name: transcript(http, name) for name in CASES}
    lines = [f"{json.dumps(name)}: {json.dumps(said, sort_keys=True)}" for name, said in sorted(found.items())]
    ANSWERS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(found)} cases")


if __name__ == "__main__":
    record()
