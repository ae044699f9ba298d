"""The embedded API server answers as kube-apiserver does: status codes, objects, watch events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.apiserverfixture import assets
from tests.system.kubeapi.cases import CASES
from tests.system.kubeapi.serve import embedded
from tests.system.kubeapi.transcripts import ANSWERS, kube_apiserver, transcript


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with embedded(tmp_path_factory.mktemp("embedded")) as (endpoint, _), endpoint.client() as http:
        yield http


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    binaries = assets()
    if binaries is None:
        pytest.skip("no kube-apiserver here: KUBEBUILDER_ASSETS names its folder")
    with kube_apiserver(binaries, tmp_path_factory.mktemp("real")) as endpoint, endpoint.client() as http:
        yield http


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ANSWERS.read_text())
    return found


@pytest.mark.parametrize("name", CASES)
def test_the_embedded_server_answers_as_recorded(name: str, ours: httpx.Client, recorded: dict[str, Any]) -> None:
    said = transcript(ours, name)

    if not isinstance(recorded[name], str):
        assert said == recorded[name]


@pytest.mark.parametrize("name", CASES)
def test_kube_apiserver_answers_as_recorded(name: str, theirs: httpx.Client, recorded: dict[str, Any]) -> None:
    said = transcript(theirs, name)

    if not isinstance(recorded[name], str):
        assert said == recorded[name]


def test_every_case_is_recorded(recorded: dict[str, Any]) -> None:
    assert set(recorded) == set(CASES)
    print(f"{len(CASES)} API cases")
