"""Fixtures of the tests that run whole processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.api.registry import KINDS
from tests.apiserverfixture import assets, define, real_apiserver
from tests.certificates import Pair, make_pair
from tests.sidecarfixture import sidecar
from tests.system.tools import GoApp

__all__ = ["sidecar"]


@pytest.fixture(scope="session")
def go_app() -> Iterator[GoApp]:
    """Go's net/http as the app, for all tests of one pytest process."""
    made = GoApp()
    yield made
    made.close()


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """tls.crt and tls.key as the platform mounts them, in a folder of their own."""
    return make_pair(tmp_path / "certs", "tls")


@pytest.fixture(scope="module")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The kubeconfig of a kube-apiserver that knows our kinds."""
    programs = assets()
    if programs is None:
        pytest.skip("no kube-apiserver: neither KUBEBUILDER_ASSETS nor PENSTOCK_CLUSTER_KIT leads to one")
    folder = tmp_path_factory.mktemp("apiserver")
    with real_apiserver(programs, folder) as endpoint, endpoint.client() as http:
        define(http, KINDS)
        yield folder / "kubeconfig"
