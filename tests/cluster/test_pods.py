"""Pods: the image as the sidecar of real pods, under load, while Kubernetes replaces and removes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.callers import Callers
from tests.cluster.images import compressed_bytes
from tests.cluster.kit import Cluster
from tests.cluster.objects import NAME, deployment, service

MIB = 1 << 20
IMAGE_MAX = 30 * MIB
PER_SECOND = 200
PODS = ("pods", "-l", f"app={NAME}")


def pods(cluster: Cluster) -> set[str]:
    return {pod["metadata"]["name"] for pod in cluster.get(*PODS)["items"]}


def settle(cluster: Cluster, leaving: set[str]) -> None:
    """Until the Deployment is as it was asked for, and these pods are gone, their drain included."""
    cluster.kubectl("rollout", "status", f"deployment/{NAME}", "--timeout=180s")
    for pod in leaving:
        cluster.kubectl("wait", "--for=delete", f"pod/{pod}", "--timeout=240s")


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> str:
    """Of the Service, with two pods that are ready behind it."""
    cluster.apply(deployment(2, "one"), service())
    settle(cluster, set())
    found: str = cluster.get("service", NAME)["spec"]["clusterIP"]
    return found


@pytest.fixture
def callers(address: str) -> Iterator[Callers]:
    made = Callers(address, 80, PER_SECOND)
    made.start()
    yield made
    made.end()


def test_the_image_is_small(sidecar_archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size = compressed_bytes(sidecar_archive)
    with capsys.disabled():
        print(f"\nimage: {size / MIB:.1f} MiB compressed; at most {IMAGE_MAX // MIB}")
    assert size <= IMAGE_MAX


@pytest.mark.spec("DP-011", "DP-023", "DP-026")
def test_a_pod_becomes_ready_with_nothing_allowed_to_its_sidecar(cluster: Cluster, address: str) -> None:
    for pod in cluster.get(*PODS)["items"]:
        states = {state["name"]: state for state in pod["status"]["containerStatuses"]}
        assert states["queue-proxy"]["ready"]
        assert states["queue-proxy"]["restartCount"] == 0


def test_a_rolling_update_loses_no_request(
    cluster: Cluster, callers: Callers, capsys: pytest.CaptureFixture[str]
) -> None:
    before = pods(cluster)
    cluster.apply(deployment(2, "two"))
    settle(cluster, before)
    callers.end()
    report(capsys, "rolling update", callers)
    assert callers.failed == {}
    assert pods(cluster).isdisjoint(before)


def test_scaling_down_loses_no_request(cluster: Cluster, callers: Callers, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.kubectl("scale", f"deployment/{NAME}", "--replicas=3")
    settle(cluster, set())
    before = pods(cluster)
    cluster.kubectl("scale", f"deployment/{NAME}", "--replicas=1")
    settle(cluster, before - one_that_stays(cluster))
    callers.end()
    report(capsys, "scale down", callers)
    assert callers.failed == {}


def one_that_stays(cluster: Cluster) -> set[str]:
    """Once the other pods have been told to leave."""
    cluster.kubectl("wait", "--for=jsonpath={.spec.replicas}=1", f"deployment/{NAME}", "--timeout=60s")
    cluster.kubectl("wait", "--for=jsonpath={.status.replicas}=1", f"deployment/{NAME}", "--timeout=60s")
    items = cluster.get(*PODS)["items"]
    return {pod["metadata"]["name"] for pod in items if "deletionTimestamp" not in pod["metadata"]}


def report(capsys: pytest.CaptureFixture[str], what: str, callers: Callers) -> None:
    with capsys.disabled():
        answered, failed = sum(callers.answered.values()), sum(callers.failed.values())
        print(f"\n{what}: {answered} requests at {callers.per_second}/s, {failed} failed", dict(callers.failed) or "")
