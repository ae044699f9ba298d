"""An activator as a process: an API server, sidecars and an autoscaler around it, requests through it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.utils import accept_key

from controller.local.admission import kinds
from controller.local.api.server import Server
from dataplane.kube.resource import NAMESPACES
from dataplane.sources.kube import REVISIONS
from tests.activatorfixture import OTHER_IP, PATIENCE_S, POD_IP, ROOT, START, SYSTEM, World, world_of
from tests.controlplane import client_of

REV = "hello-00001"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """On the embedded API server."""
    server = Server(tmp_path, kinds=kinds(), namespaces=("ns", SYSTEM))
    async with server.running():
        server.write_kubeconfig(tmp_path / "kubeconfig")
        async with (
            client_of(tmp_path / "kubeconfig", "tests") as client,
            world_of(client, tmp_path / "kubeconfig", "ns", "127.0.0.1") as made,
        ):
            yield made


@pytest.fixture
async def real_world(kube: Path) -> AsyncIterator[World]:
    """On a kube-apiserver, which wants pods to have addresses of a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host = probe.getsockname()[0]
    async with client_of(kube, "tests") as client:
        for name in ("ns", SYSTEM):
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await client.apply(NAMESPACES, None, name, made, dict[str, Any])
        async with world_of(client, kube, "ns", host) as world:
            yield world


async def from_zero_and_back(world: World) -> None:
    await world.revision(REV, concurrency=1)
    await world.start()
    await world.ready()
    asked = asyncio.create_task(world.ask(REV, "/x?y"))
    ((namespace, name, stat),) = await world.autoscaler.batch()
    assert (namespace, name) == ("ns", REV)
    assert (stat.pod_name, stat.average_concurrent_requests, stat.request_count) == ("act-0", 1, 1)
    pod = await world.sidecar()
    await world.private(REV, ready=[pod])
    answer = await asked
    assert (answer.status_code, answer.json()["first"]) == (200, "GET /x?y HTTP/1.1")
    await world.private(REV)
    gone = asyncio.create_task(world.ask(REV))
    async with asyncio.timeout(PATIENCE_S):
        while (await asyncio.wait([gone], timeout=0.5))[0]:  # it was faster than the endpoints
            gone = asyncio.create_task(world.ask(REV))
    await world.private(REV, ready=[pod])
    assert (await gone).status_code == 200
    await world.client.delete(REVISIONS, "ns", REV)
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await world.ask(REV)).status_code != 404:
            await asyncio.sleep(0.02)
    assert f'"{REV}" not found' in answer.text


@pytest.mark.spec("DP-182", "DP-186", "DP-204", "DP-217", "DP-222")
async def test_from_zero_and_back(world: World) -> None:
    await from_zero_and_back(world)


@pytest.mark.spec("DP-186", "DP-204", "DP-217")
async def test_from_zero_and_back_on_a_kube_apiserver(real_world: World) -> None:
    await from_zero_and_back(real_world)


@pytest.mark.spec("DP-180", "DP-181", "DP-183", "DP-206", "DP-207", "DP-208")
async def test_a_pod_serves_once_it_answers_the_probe(world: World) -> None:
    pod = await world.sidecar(body="queue, almost")
    await world.revision(REV, concurrency=1)
    await world.private(REV, ready=[pod])
    await world.start(PROBE_FREQUENCY="50ms")
    asked = asyncio.create_task(world.ask(REV))
    await pod.probed_times(3)
    assert not asked.done()
    pod.body = "queue"
    seen = (await asked).json()
    assert seen["k-proxy-request"] == "activator"
    assert seen["k-original-host"] == f"127.0.0.1:{world.ports[0]}"
    assert seen["host"] == f"127.0.0.1:{pod.place[1]}"
    assert "knative-serving-revision" not in seen
    lines = pod.probes[0].split("\r\n")
    assert lines[0] == "GET /healthz HTTP/1.1"
    assert {"K-Network-Probe: queue", "User-Agent: Knative-Activator-Probe"} <= set(lines)
    count = len(pod.probes)
    await asyncio.sleep(0.2)  # four periods in which nothing may happen
    assert len(pod.probes) == count
    by_host = await world.ask("", Host=f"{REV}.ns.svc.cluster.local:80")
    assert by_host.status_code == 200


@pytest.mark.spec("DP-187")
async def test_without_a_pod_the_time_of_the_revision_counts(world: World) -> None:
    await world.revision(REV, timeout_s=1)
    await world.start()
    answer = await world.ask(REV)
    assert (answer.status_code, answer.text) == (504, "activator request timeout")


@pytest.mark.spec("DP-209", "DP-211")
async def test_a_pod_that_answers_is_believed_before_it_is_ready(world: World) -> None:
    pod = await world.sidecar()
    await world.revision(REV, concurrency=1)
    await world.private(REV, not_ready=[pod])
    await world.start()
    assert (await world.ask(REV)).status_code == 200
    await world.private(REV, ready=[pod])
    pod.status = 500
    count = len(pod.probes)
    await world.private(REV, not_ready=[pod])
    await pod.probed_times(count + 2)  # what the first has found is known when the second comes
    held = asyncio.create_task(world.ask(REV))
    await pod.probed_times(count + 4)
    assert not held.done()
    pod.status = 200
    assert (await held).status_code == 200


@pytest.mark.spec("DP-210")
async def test_with_an_exec_probe_only_kubernetes_is_believed(world: World) -> None:
    pod = await world.sidecar()
    await world.revision(REV, concurrency=1, readinessProbe={"exec": {"command": ["true"]}})
    await world.private(REV, not_ready=[pod])
    await world.start(PROBE_FREQUENCY="50ms")
    held = asyncio.create_task(world.ask(REV))
    await pod.probed_times(3)
    assert not held.done()
    await world.private(REV, ready=[pod])
    assert (await held).status_code == 200


@pytest.mark.spec("DP-212")
async def test_without_a_mesh_ready_pods_are_not_probed(world: World) -> None:
    pod = await world.sidecar(status=503)
    await world.setting("config-network", mesh_compatibility_mode="disabled")
    await world.revision(REV)
    await world.private(REV, ready=[pod])
    await world.start()
    assert (await world.ask(REV)).status_code == 200
    assert pod.probes == []


@pytest.mark.spec("DP-213")
async def test_with_a_mesh_the_service_is_used(world: World) -> None:
    pod, service = await world.sidecar(), await world.sidecar()
    await world.setting("config-network", mesh_compatibility_mode="enabled")
    await world.revision(REV, concurrency=2)
    await world.service(REV, service.place)
    await world.private(REV, ready=[pod])
    await world.start()
    assert (await world.ask(REV)).status_code == 200
    assert (pod.probes, pod.requests, len(service.requests)) == ([], [], 1)


@pytest.mark.spec("DP-214")
async def test_where_pods_answer_as_a_mesh_does_the_service_is_used(world: World) -> None:
    pod, service = await world.sidecar(status=503), await world.sidecar()
    await world.revision(REV)
    await world.service(REV, service.place)
    await world.private(REV, ready=[pod])
    await world.start()
    assert (await world.ask(REV)).status_code == 200
    assert (pod.requests, len(service.requests)) == ([], 1)


@pytest.mark.spec("DP-185")
async def test_an_addressable_mesh_wants_the_name_of_the_service(world: World) -> None:
    pod = await world.sidecar()
    await world.setting("config-network", enable_mesh_pod_addressability="true")
    await world.revision(REV)
    await world.private(REV, ready=[pod])
    await world.start()
    seen = (await world.ask(REV)).json()
    assert (seen["host"], seen["k-passthrough-lb"]) == (f"{REV}-private.ns", "true")
    assert {f"Host: {REV}-private.ns", "K-Passthrough-Lb: true"} <= set(pod.probes[0].split("\r\n"))


@pytest.mark.spec("DP-194", "DP-200")
async def test_two_activators_have_each_their_own_pods(world: World) -> None:
    pods = sorted([await world.sidecar() for _ in range(4)], key=lambda pod: f"127.0.0.1:{pod.place[1]}")
    for pod in pods:
        pod.held = asyncio.Event()
    await world.revision(REV, concurrency=1)
    await world.public(REV, POD_IP, OTHER_IP)
    await world.private(REV, ready=pods)
    await world.start()
    asked = [asyncio.create_task(world.ask(REV)) for _ in range(4)]
    await asyncio.gather(*(pod.reached.wait() for pod in pods[:2]))
    for pod in pods:
        assert pod.held is not None
        pod.held.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
    assert [pod.most for pod in pods] == [1, 1, 0, 0]


@pytest.mark.spec("DP-190")
async def test_a_pod_that_refuses_costs_no_request_and_comes_back(world: World) -> None:
    first, second = sorted([await world.sidecar() for _ in range(2)], key=lambda pod: f"127.0.0.1:{pod.place[1]}")
    await world.revision(REV, concurrency=1)
    await world.private(REV, ready=[first, second])
    await world.start(PROBE_FREQUENCY="50ms")
    while not (first.probes and second.probes):
        await asyncio.sleep(0.02)
    assert (await world.ask(REV)).status_code == 200
    await first.stop()
    for _ in range(5):
        assert (await world.ask(REV)).status_code == 200
    assert second.requests
    await first.start("127.0.0.1", first.place[1])
    first.requests.clear()
    async with asyncio.timeout(PATIENCE_S):
        while not first.requests:
            assert (await world.ask(REV)).status_code == 200


@pytest.mark.spec("DP-173", "DP-223", "DP-225", "DP-226")
async def test_losing_the_autoscaler_fails_no_probe_once_it_was_there(world: World) -> None:
    await world.setting("config-observability", metrics_protocol="prometheus")
    pod = await world.sidecar()
    await world.revision(REV)
    await world.private(REV, ready=[pod])
    await world.autoscaler.stop()
    await world.start()
    answer = await world.kubelet()
    assert (answer.status_code, answer.text) == (500, "connection has not yet been established\n")
    reachable, errors = (
        f'kn_activator_stats_conn_{what}{{peer="autoscaler"}}' for what in ("reachable", "errors_total")
    )
    assert (await world.metrics())[reachable] == 0
    await world.autoscaler.start()
    await world.ready()
    figures = await world.metrics()
    assert (figures[reachable], figures[errors]) == (1, 0)
    assert (await world.ask(REV)).status_code == 200
    await world.autoscaler.batch()
    await world.autoscaler.stop()
    async with asyncio.timeout(PATIENCE_S):
        while (figures := await world.metrics())[reachable]:
            await asyncio.sleep(0.02)
    assert figures[errors] == 1
    named = f'kn_revision_name="{REV}",k8s_namespace_name="ns"'
    assert figures[f"kn_revision_request_queued{{{named}}}"] == figures[f"kn_revision_request_active{{{named}}}"] == 0
    assert f'kn_revision_request_concurrency{{kn_service_name="svc",kn_configuration_name="",{named}}}' in figures
    assert (await world.kubelet()).status_code == 200
    assert (await world.ask(REV)).status_code == 200
    world.autoscaler.connected.clear()
    await world.autoscaler.start()
    await world.autoscaler.connected.wait()


@pytest.mark.spec("DP-218", "DP-219", "DP-220")
async def test_a_quiet_revision_is_reported_once_more(world: World) -> None:
    pod = await world.sidecar()
    pod.held = asyncio.Event()
    for name in (REV, "other-00001"):
        await world.revision(name)
        await world.private(name, ready=[pod])
    await world.start()
    await world.ready()
    asked = [asyncio.create_task(world.ask(name)) for name in (REV, "other-00001")]
    frames = [await world.autoscaler.batch()]
    while len(frames[-1]) < 2:
        frames.append(await world.autoscaler.batch())
    assert {name for _, name, _ in frames[-1]} == {REV, "other-00001"}
    pod.held.set()
    await asyncio.gather(*asked)
    while any(stat.average_concurrent_requests or stat.request_count for _, _, stat in frames[-1]):
        frames.append(await world.autoscaler.batch())
    assert (await world.ask(REV)).status_code == 200
    ((_, name, stat),) = await world.autoscaler.batch()
    assert (name, stat.average_concurrent_requests, stat.request_count) == (REV, 1, 1)


@pytest.mark.spec("DP-174", "DP-230")
async def test_it_leaves_when_the_endpoints_and_the_last_request_have(world: World) -> None:
    pod = await world.sidecar()
    pod.held = asyncio.Event()
    await world.own(POD_IP, OTHER_IP)
    await world.public(REV, POD_IP)
    await world.revision("other-00001")
    await world.revision(REV)
    await world.private(REV, ready=[pod])
    await world.start()
    await world.ready()
    assert world.process is not None
    slow = asyncio.create_task(world.ask(REV))
    await pod.reached.wait()
    waiting = asyncio.create_task(world.ask("other-00001"))
    while not any(name == "other-00001" for _, name, _ in await world.autoscaler.batch()):
        pass
    world.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        while (answer := await world.kubelet()).status_code == 200:
            await asyncio.sleep(0.02)
    assert (answer.status_code, answer.text) == (500, "received SIGTERM from kubelet\n")
    late = asyncio.create_task(world.ask(REV))
    while len(pod.requests) < 2:
        await asyncio.sleep(0.02)
    await world.own(OTHER_IP)
    await world.public(REV, OTHER_IP)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(world.process.wait()), 1.5)
    pod.held.set()
    assert [(await one).status_code for one in (slow, late)] == [200, 200]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(world.process.wait()), 1.5)
    await world.private("other-00001", ready=[pod])
    assert (await waiting).status_code == 200
    async with asyncio.timeout(PATIENCE_S):
        assert await world.process.wait() == 0


@pytest.mark.spec("DP-227")
async def test_the_request_log_is_switched_while_it_runs(world: World) -> None:
    pod = await world.sidecar()
    await world.revision(REV)
    await world.private(REV, ready=[pod])
    reading, world.output = os.pipe()
    reader = asyncio.StreamReader()
    try:
        await world.start()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(reading, "rb")
        )
        assert (await world.ask(REV, "/before")).status_code == 200
        parts = (
            "Request.URL.Path",
            "Response.Code",
            "Revision.Namespace",
            "Revision.Name",
            "Revision.Service",
            "TraceID",
        )
        template = " ".join(f"{{{{.{part}}}}}" for part in parts)
        on = {"logging.enable-request-log": "true", "logging.request-log-template": template}
        await world.setting("config-observability", **on)
        asking = asyncio.create_task(ask_until_cancelled(world))
        lines = []
        async with asyncio.timeout(PATIENCE_S):
            while not lines or not lines[-1].startswith("/x"):
                lines.append((await reader.readline()).decode())
        asking.cancel()
        assert lines[-1] == f"/x 200 ns {REV} svc abc\n"
        assert not any(line.startswith("/before") for line in lines)
    finally:
        os.close(world.output)


async def ask_until_cancelled(world: World) -> None:
    while True:
        await world.ask(REV, "/x", **{"X-B3-Traceid": "abc"})
        await asyncio.sleep(0.05)


@pytest.mark.spec("DP-224")
async def test_an_autoscaler_that_answers_no_ping_is_left(world: World) -> None:
    pings: list[float] = []
    again = asyncio.Event()
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        if seen == 2:
            again.set()
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.partition(": ")[2] for line in head.split("\r\n") if line.startswith("Sec-WebSocket-Key"))
        accept = ["HTTP/1.1 101 X", "Upgrade: websocket", "Connection: Upgrade"]
        writer.write("\r\n".join([*accept, f"Sec-WebSocket-Accept: {accept_key(key)}", "", ""]).encode())
        try:
            while True:
                first, length = await reader.readexactly(2)
                await reader.readexactly(4 + (length & 0x7F))
                if first == 0x89 and seen == 1:
                    pings.append(asyncio.get_running_loop().time())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    began = asyncio.get_running_loop().time()
    try:
        await world.start(PENSTOCK_AUTOSCALER=f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await asyncio.wait_for(again.wait(), PATIENCE_S)
    finally:
        server.close()
    assert pings
    assert pings[0] - began > 3
    assert asyncio.get_running_loop().time() - pings[0] > 9


async def test_what_held_requests_took_is_given_back(world: World) -> None:
    count = 3000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * count:
        pytest.skip(f"only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * count), hard))
    await world.revision(REV, concurrency=100)
    await world.start()
    assert world.process is not None
    before = resident_kib(world.process.pid)
    head = f"GET / HTTP/1.1\r\nHost: {REV}.ns.svc.cluster.local\r\n\r\n".encode()
    lines = [await asyncio.open_connection("127.0.0.1", world.ports[0]) for _ in range(count)]
    try:
        for _, writer in lines:
            writer.write(head)
        await world.private(REV, ready=[await world.sidecar()])
        heads = await asyncio.gather(*(reader.readuntil(b"\r\n\r\n") for reader, _ in lines))
    finally:
        for _, writer in lines:
            writer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(b" 200 " in head for head in heads)
    async with asyncio.timeout(PATIENCE_S):
        while resident_kib(world.process.pid) > before + 6 * 1024:
            await asyncio.sleep(0.1)


def resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


async def test_it_goes_on_without_the_api_server(tmp_path: Path) -> None:
    server = Server(tmp_path, kinds=kinds(), namespaces=("ns", SYSTEM))
    config = tmp_path / "kubeconfig"
    async with AsyncExitStack() as kept:
        async with server.running():
            server.write_kubeconfig(config)
            client = await kept.enter_async_context(client_of(config, "tests"))
            world = await kept.enter_async_context(world_of(client, config, "ns", "127.0.0.1"))
            pod = await world.sidecar()
            await world.revision(REV)
            await world.private(REV, ready=[pod])
            await world.start()
            assert (await world.ask(REV)).status_code == 200
        assert (await world.ask(REV)).status_code == 200


@pytest.mark.spec("DP-216")
async def test_settings_that_cannot_be_used_are_named_all_at_once() -> None:
    environ = {
        "PATH": os.environ["PATH"],
        "POD_IP": "here",
        "PROBE_TIMEOUT": "300",
        "PROBE_FREQUENCY": "often",
        "MAX_IDLE_PROXY_CONNS": "many",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, cwd=ROOT, env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    named = [line.split(": ")[:2] for line in said.decode().splitlines()]
    assert {name for name, _ in named} == {"penstock-activator"}
    assert sorted(where for _, where in named) == [
        "MAX_IDLE_PROXY_CONNS",
        "POD_IP",
        "POD_NAME",
        "PROBE_FREQUENCY",
        "PROBE_TIMEOUT",
        "SYSTEM_NAMESPACE",
    ]
