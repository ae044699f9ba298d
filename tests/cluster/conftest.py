"""Fixtures: one cluster and one pair of images for all of these tests; one namespace with the revision's pods."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import images, pods
from tests.cluster.cluster import Cluster, ClusterError, find_cluster, say
from tests.cluster.watch import Watch


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Comes first: without a cluster nothing is worth building. TERM ends the tests as an interrupt does, with the
    cluster brought down."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = find_cluster()
    except ClusterError as error:
        pytest.exit(f"cluster-test: {error}", returncode=2)
    try:
        yield found
    finally:
        if not os.environ.get("PENSTOCK_KEEP_CLUSTER"):
            found.down()


@pytest.fixture(scope="session")
def sidecar_archive(cluster: Cluster) -> Path:
    """Made after the cluster is up: without one, a build of some minutes is for nothing."""
    say("building the sidecar's image; the first time takes some minutes")
    images.WORK.mkdir(parents=True, exist_ok=True)
    return images.sidecar_image()


@pytest.fixture(scope="session")
def loaded(cluster: Cluster, sidecar_archive: Path) -> None:
    """Both images are on every node."""
    cluster.load([sidecar_archive, images.app_image()])


@pytest.fixture(scope="session")
def namespace(cluster: Cluster, loaded: None) -> Iterator[str]:
    name = f"penstock-{uuid.uuid4().hex[:8]}"
    cluster.apply(pods.restricted(name))
    cluster.namespace = name
    yield name
    if os.environ.get("PENSTOCK_KEEP_CLUSTER"):
        say(f"the namespace {name} stays")
    else:
        cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def watch(cluster: Cluster, namespace: str) -> Iterator[Watch]:
    """The revision with its pods ready, and what happens to them."""
    with Watch(cluster, pods.SELECTOR) as watching:
        cluster.apply(pods.service(), pods.deployment(namespace, pods.PODS))
        cluster.apply(*pods.caller((Path(__file__).parent / "load.py").read_text()))
        watching.until(f"{pods.PODS} pods ready", lambda _: len(watching.serving()) == pods.PODS, pods.READY_TIMEOUT_S)
        cluster.kubectl("wait", "pod", pods.CALLER, "--for=condition=Ready", f"--timeout={pods.READY_TIMEOUT_S}s")
        yield watching
