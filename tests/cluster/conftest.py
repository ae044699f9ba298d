"""A cluster with both images in it, for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.images import make_app, make_sidecar
from tests.cluster.kit import Cluster, NoCluster


@pytest.fixture(scope="session")
def sidecar_archive() -> Path:
    return make_sidecar()


@pytest.fixture(scope="session")
def cluster(sidecar_archive: Path) -> Iterator[Cluster]:
    made = Cluster()
    try:
        made.open()
    except NoCluster as why:
        pytest.exit(str(why), returncode=1)
    try:
        made.load(sidecar_archive)
        made.load(make_app())
        yield made
    finally:
        made.close()
