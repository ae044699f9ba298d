"""Pods: the sidecar's image in real pods, through everything that Kubernetes does to a revision."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from dataplane.contract.ports import SERVING_PORT, STATS_PORT, USER_METRICS_PORT
from dataplane.contract.stat import decode
from tests.cluster import images, pods
from tests.cluster.cluster import Cluster, say
from tests.cluster.pods import PODS, READY_TIMEOUT_S
from tests.cluster.watch import Life, Watch

RATE = 200
"""Requests in a second."""

IMAGE_BYTES_MAX = 30 << 20
DRAIN_S = 30
"""How long no request may have started for a drain to end (1.17)."""

GONE_TIMEOUT_S = pods.TIMEOUT_S + 30
STEADY_S = 3.0
"""How long the load runs before anything is done to the pods, and after."""

SERVED = re.compile(rb"^http_server_request_duration_seconds_count\{[^}]*\} (\d+)$", re.MULTILINE)


def test_image_is_small_and_bare(sidecar_archive: Path) -> None:
    image = images.opened(sidecar_archive)
    size = image.compressed_bytes
    say(f"image: {size / (1 << 20):.1f} MiB compressed (at most {IMAGE_BYTES_MAX >> 20}), {len(image.files)} files")
    assert size <= IMAGE_BYTES_MAX
    assert image.user == "65532:65532"
    assert not [name for name in image.files if name.endswith(("/sh", "/gcc", "/dpkg", "/apt", ".pyx", "/pip"))]


def test_pods_become_ready(cluster: Cluster, watch: Watch) -> None:
    lives = watch.lives.values()
    whole = sorted(life.between("created", "ready") for life in lives)
    sidecar = sorted(life.between("running", "ready") for life in lives)
    say(f"cold: pod created → ready {whole[0]:.2f} to {whole[-1]:.2f} s ({PODS} at once)")
    say(f"      sidecar seen running → ready {sidecar[0]:.2f} to {sidecar[-1]:.2f} s")
    assert not any(any(life.restarts.values()) for life in lives)


def sidecar_memory_mib(cluster: Cluster, pod: str) -> float:
    """Resident memory of a sidecar, which is process 1 of its container, as its kernel counts it."""
    told = "print(open('/proc/1/status').read())"
    status = cluster.kubectl("exec", pod, "--container=queue-proxy", "--", "/usr/bin/python3", "-IS", "-c", told)
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@contextmanager
def load(cluster: Cluster, host: str, name: str = "") -> Iterator[dict[str, Any]]:
    """Load from a pod for as long as the block runs; afterwards the dictionary holds what came of it."""
    words = ["/usr/bin/python3", "-IS", "/load/load.py", host, "80", str(RATE), name or host]
    kubectl = cluster.start("exec", "-i", pods.CALLER, "--", *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    told: dict[str, Any] = {}
    try:
        yield told
        output, _ = kubectl.communicate("stop\n", timeout=60)
        told.update(json.loads(output))
    finally:
        kubectl.kill()
        kubectl.wait()


def under_load(
    cluster: Cluster, watch: Watch, what: str, action: Callable[[], object], ends: int, ready: int
) -> dict[str, Life]:
    """Does something to the pods under load, and waits until it has come to its end. Returns the lives that ended.

    ends    of the pods that serve now, so many are to end
    ready   pods that are to serve afterwards
    Fails   when one request failed, telling which and why
    """
    before = watch.serving()

    def ended() -> dict[str, Life]:
        return {name: watch.lives[name] for name in before if "gone" in watch.lives[name].seen}

    host = cluster.get("service", pods.service()["metadata"]["name"])["spec"]["clusterIP"]
    with load(cluster, host) as told:
        watch.steady(STEADY_S)
        action()
        watch.until(f"{ends} pods gone", lambda _: len(ended()) == ends, READY_TIMEOUT_S + pods.TIMEOUT_S)
        watch.until(f"{ready} pods ready", lambda _: len(watch.serving()) == ready, READY_TIMEOUT_S)
        watch.steady(STEADY_S)
    took = max(life.between("ending", "gone") for life in ended().values())
    say(
        f"{what}: {told['answered']} answered, {told['failed']} failed in {told['seconds']} s at {RATE}/s; "
        f"20 ms of work took {told['p50_ms']} ms at p50, {told['p99_ms']} at p99; "
        f"{told['told_to_close']} connections told to close; {ends} pods ended, {took:.1f} s at most"
    )
    causes = Counter(f"{one['kind']}: {one['cause']}" for one in told["failures"])
    assert not causes, "".join(f"\n{count} times {cause}" for cause, count in causes.most_common())
    assert told["told_to_close"] > 0
    assert told["answered"] >= RATE * 2 * STEADY_S
    return ended()


def assert_ended_well(ended: dict[str, Life]) -> None:
    """Nobody was killed, and the app outlived the quiet period (DP-166)."""
    for life in ended.values():
        assert life.exits == {"user-container": 0, "queue-proxy": 0}
        assert DRAIN_S <= life.between("ending", "gone") <= pods.TIMEOUT_S


@pytest.mark.spec("DP-160", "DP-161", "DP-163", "DP-166", "DP-172", "DP-237")
def test_rolling_update_fails_no_request(cluster: Cluster, namespace: str, watch: Watch) -> None:
    def update() -> None:
        cluster.apply(pods.deployment(namespace, PODS, version="2"))

    assert_ended_well(under_load(cluster, watch, "rolling update", update, ends=PODS, ready=PODS))


@pytest.mark.spec("DP-160", "DP-161", "DP-163", "DP-166", "DP-172", "DP-237")
def test_deletion_of_a_pod_fails_no_request(cluster: Cluster, watch: Watch) -> None:
    def delete() -> None:
        cluster.kubectl("delete", "pod", watch.serving()[0], "--wait=false")

    assert_ended_well(under_load(cluster, watch, "deletion of a pod", delete, ends=1, ready=PODS))


@contextmanager
def forwarded(cluster: Cluster, pod: str) -> Iterator[str]:
    """A local address that leads to the sidecar of a pod."""
    kubectl = cluster.start("port-forward", f"pod/{pod}", f":{SERVING_PORT}", stdout=subprocess.PIPE)
    try:
        assert kubectl.stdout is not None
        yield kubectl.stdout.readline().split()[2]
    finally:
        kubectl.kill()
        kubectl.communicate()


def status_of(address: str, path: str) -> int:
    host, _, port = address.partition(":")
    conn = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        conn.request("GET", path)
        return conn.getresponse().status
    finally:
        conn.close()


def test_sidecar_counts_what_it_served(cluster: Cluster, namespace: str, watch: Watch) -> None:
    """The autoscaler's record names the pod, and Prometheus' page counts its requests."""
    pod = watch.serving()[0]

    def page(port: int) -> bytes:
        return cluster.raw(f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/metrics")

    def served() -> int:
        return sum(int(count) for count in SERVED.findall(page(USER_METRICS_PORT)))

    before = served()
    with forwarded(cluster, pod) as address:
        assert [status_of(address, "/") for _ in range(5)] == [200] * 5
    assert served() - before == 5
    assert decode(page(STATS_PORT)).pod_name == pod
    memory = sorted(sidecar_memory_mib(cluster, name) for name in watch.serving())
    say(f"memory of {len(memory)} sidecars after the load: {memory[0]:.1f} to {memory[-1]:.1f} MiB resident")


@pytest.mark.spec("DP-160", "DP-161", "DP-163", "DP-166", "DP-172", "DP-237")
def test_scale_down_fails_no_request(cluster: Cluster, watch: Watch) -> None:
    def scale() -> None:
        cluster.kubectl("scale", f"deployment/{pods.REVISION}-deployment", "--replicas=1")

    assert_ended_well(under_load(cluster, watch, f"scale-down {PODS} → 1", scale, ends=PODS - 1, ready=1))


@pytest.mark.spec("DP-167", "DP-235")
def test_liveness_failure_restarts_only_the_app(cluster: Cluster, watch: Watch) -> None:
    """kubelet calls the drain hook for that, too; no TERM follows, and the sidecar goes on."""
    pod = watch.serving()[0]
    with forwarded(cluster, pod) as address:
        assert status_of(address, "/ill") == 200
        watch.until("the app started again", lambda lives: lives[pod].restarts["user-container"] == 1, READY_TIMEOUT_S)
        cluster.kubectl("wait", f"pod/{pod}", "--for=condition=Ready", f"--timeout={READY_TIMEOUT_S}s")
        assert status_of(address, "/alive") == 200
    assert watch.lives[pod].restarts["queue-proxy"] == 0


def test_grpc_passes(cluster: Cluster, watch: Watch) -> None:
    messages = [b"one", b"two" * 5000, b""]
    with forwarded(cluster, watch.serving()[0]) as address, grpc.insecure_channel(address) as channel:
        echoed = channel.stream_stream("/load.Echo/Stream")(iter(messages), timeout=10)
        assert list(echoed) == messages


@pytest.mark.spec("DP-166", "DP-240")
def test_websocket_outlives_its_pod_until_the_app_closes_it(cluster: Cluster, watch: Watch) -> None:
    """The app is told only when the drain is over, and its close frame reaches the caller."""
    pod = watch.serving()[0]
    with forwarded(cluster, pod) as address, connect(f"ws://{address}/socket") as socket:
        socket.send("before")
        assert socket.recv(timeout=10) == "before"
        cluster.kubectl("delete", "pod", pod, "--wait=false")
        watch.until("the pod ends", lambda lives: "ending" in lives[pod].seen, READY_TIMEOUT_S)
        socket.send("during")
        assert socket.recv(timeout=10) == "during"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=GONE_TIMEOUT_S)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    watch.until("the pod is gone", lambda lives: "gone" in lives[pod].seen, GONE_TIMEOUT_S)
    assert watch.lives[pod].exits == {"user-container": 0, "queue-proxy": 0}
