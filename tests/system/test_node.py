"""Process node: pods of Deployments as real processes, each with a real sidecar, on the embedded API."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
from ast import literal_eval
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.api.core import Endpoints
from controller.local.api.server import Server
from controller.local.api.status import ApiError
from controller.local.process import birth
from dataplane.kube.client import Client
from dataplane.kube.resource import CONFIG_MAPS, DEPLOYMENTS, PODS, SECRETS, SERVICES
from tests.nodefixture import (
    APP,
    DEPLOYMENT,
    NAMESPACE,
    PRIVATE,
    REVISION,
    Machine,
    config,
    container,
    deployment,
    machine,
    make_node,
    running,
    sidecar,
)
from tests.sidecarfixture import ROOT

SILENT = "import time\nprint('no port for me', flush=True)\ntime.sleep(600)\n"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + APP.replace("signal.signal(", "print(")
FAILING = "print('first line')\nprint('cannot find the database')\nraise SystemExit(5)\n"
GREEDY = "import time\nkept = []\nwhile True: kept.append(bytearray(b'x' * (1 << 20)))\n"


@pytest.fixture
async def m(tmp_path: Path) -> AsyncIterator[Machine]:
    async with machine(tmp_path) as found:
        await found.make(SERVICES, PRIVATE)
        yield found


async def get(address: str, path: str = "/", port: int = 8012) -> tuple[int, bytes]:
    """Status and body of one request."""
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def pids(machine: Machine) -> dict[str, int]:
    """Of the containers of all pods."""
    return {
        f"{pod.name}/{one.name}": one.process.pid
        for pod in machine.node.pods.values()
        for one in pod.containers
        if one.process is not None
    }


@pytest.mark.spec("SC-154", "SC-155")
async def test_a_deployment_becomes_a_pod_that_serves(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image())))
    (address,) = await m.ready()
    status, body = await get(address)
    said = literal_eval(body.decode())
    pod = m.node.pods[NAMESPACE, (await m.pod()).name]
    assert status == 200
    assert (said["PORT"], said["K_REVISION"]) == (str(pod.port), REVISION)
    assert address.startswith("127.")


async def test_a_pod_says_how_it_fares(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image())))
    (address,) = await m.ready()

    async def is_ready() -> bool:
        said = (await m.pod()).status.get("conditions", ())  # requests may come before the status does
        return any(each["type"] == "Ready" and each["status"] == "True" for each in said)

    await m.until(is_ready, "Ready")
    pod = await m.pod()
    assert pod.name.startswith(f"{DEPLOYMENT}-")
    assert (pod.status["phase"], pod.status["podIP"], pod.spec["nodeName"]) == ("Running", address, "penstock")
    assert [each["type"] for each in pod.status["conditions"]] == [
        "PodScheduled", "Initialized", "ContainersReady", "Ready",
    ]  # fmt: skip
    assert [(each["name"], each["ready"], each["restartCount"]) for each in pod.status["containerStatuses"]] == [
        ("user-container", True, 0), ("queue-proxy", True, 0),
    ]  # fmt: skip

    async def is_complete() -> bool:
        return (await m.deployment()).status.get("readyReplicas") == 1

    await m.until(is_complete, "the Deployment's status")
    said = (await m.deployment()).status
    assert (said["observedGeneration"], said["availableReplicas"]) == (1, 1)
    assert {each["type"]: each["status"] for each in said["conditions"]} == {"Available": "True", "Progressing": "True"}


async def test_growing_and_shrinking_follow_the_replicas(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image()), replicas=0))
    await m.scale(3)
    assert len(set(await m.ready(3))) == 3
    await m.scale(1)
    await m.ready(1)
    await m.scale(0)
    await m.ready(0)
    await m.until(lambda: not m.node.pods, "no pods")
    assert await m.pods() == []


async def test_a_pod_that_is_deleted_drains_and_another_takes_its_place(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image())))
    (address,) = await m.ready()
    first = await m.pod()
    processes = pids(m)
    await m.client.delete(PODS, NAMESPACE, first.name)

    async def is_out() -> bool:
        return address not in await m.addresses()

    await m.until(is_out, "out of the endpoints")
    (other,) = await m.ready()
    assert other != address
    for pid in processes.values():
        await m.ended(pid)

    async def is_gone() -> bool:
        return first.name not in [pod.name for pod in await m.pods()]

    await m.until(is_gone, "the object has gone")
    log = b"".join([part async for part in m.node.log(NAMESPACE, first.name, {"container": "user-container"})])
    assert log.splitlines()[-1] == b"leaving"


async def test_an_app_that_does_not_leave_is_killed_when_its_time_is_up(m: Machine) -> None:
    app = container(m.image(source=STUBBORN))
    del app["lifecycle"]
    await m.make(DEPLOYMENTS, deployment(app, terminationGracePeriodSeconds=1))
    await m.ready()
    processes = pids(m)
    await m.scale(0)
    for pid in processes.values():
        await m.ended(pid)
    await m.until(lambda: not m.node.pods, "no pods")


@pytest.mark.spec("SC-159", "SC-166")
async def test_a_crash_is_told_with_the_end_of_the_log_and_tried_again(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image(source=FAILING))))
    said = await m.waits("CrashLoopBackOff")
    assert said.startswith("back-off 10s restarting failed container=user-container")
    status = await m.app()
    ended = status["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (5, "Error")
    assert ended["message"] == "first line\ncannot find the database\n"
    assert status["restartCount"] == 2
    assert await m.addresses() == ()
    (pod,) = m.node.pods.values()
    log = b"".join([part async for part in m.node.log(NAMESPACE, pod.name, {"previous": "true", "tailLines": "1"})])
    assert log == b"cannot find the database\n"


async def test_an_app_that_crashes_once_is_back_at_once(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image())))
    (address,) = await m.ready()
    assert (await get(address, "/crash"))[0] == 502

    async def is_back() -> bool:
        return (await m.app()).get("restartCount") == 1 and (await get(address))[0] == 200

    await m.until(is_back, "another run")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"command": ["no-such-program"]}, 'command: "no-such-program" is not there'),
        ({"workingDir": "/no/such/folder"}, "workingDir: /no/such/folder is no folder of this machine"),
    ],
    ids=["command", "folder"],
)
async def test_what_cannot_be_started_says_why(m: Machine, fields: dict[str, Any], said: str) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image(), **fields)))
    await m.waits("CrashLoopBackOff")
    ended = (await m.app())["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert ended["message"].startswith(said)


async def test_an_image_that_is_not_here_says_what_to_do(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container("example.com/app:1")))
    assert "penstock deploy FOLDER --name NAME" in await m.waits("ErrImagePull")


async def test_volumes_are_refused_by_name(m: Machine) -> None:
    app = container(m.image())
    await m.make(DEPLOYMENTS, deployment(app, volumes=[{"name": "data", "emptyDir": {}}]))
    assert 'volume "data" (emptyDir)' in await m.waits("CreateContainerConfigError")
    assert pids(m) == {}


async def test_config_maps_secrets_and_fields_become_variables(m: Machine) -> None:
    def named(name: str, **more: Any) -> dict[str, Any]:
        return {"metadata": {"name": name, "namespace": NAMESPACE}, **more}

    await m.make(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", **named("settings", data={"COLOUR": "blue"})})
    secret = {"KEY": base64.b64encode(b"hidden").decode()}
    await m.make(SECRETS, {"apiVersion": "v1", "kind": "Secret", **named("keys", data=secret)})
    env = [
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "KEY"}}},
        {"name": "UID_OF_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
        {"name": "ADDRESS", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    app = container(m.image(), env=env, envFrom=[{"configMapRef": {"name": "settings"}}])
    await m.make(DEPLOYMENTS, deployment(app))
    (address,) = await m.ready()
    said = literal_eval((await get(address))[1].decode())
    assert (said["COLOUR"], said["KEY"], said["ADDRESS"]) == ("blue", "hidden", address)
    assert said["UID_OF_POD"] == (await m.pod()).metadata.uid


async def test_a_variable_without_its_source_is_named(m: Machine) -> None:
    app = container(m.image(), envFrom=[{"secretRef": {"name": "keys"}}])
    await m.make(DEPLOYMENTS, deployment(app))
    assert (await m.waits("CreateContainerConfigError")).startswith('envFrom[0].secretRef: Secret "keys" is not there')


async def test_a_new_template_rolls_without_a_gap(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image())))
    (first,) = await m.ready()
    image = m.image("other", APP.replace("hello from", "other from"))
    seen: list[tuple[str, ...]] = []
    change = {"name": "user-container", "image": image}
    await m.change({"spec": {"template": {"spec": {"containers": [change]}}}})

    async def has_rolled() -> bool:
        seen.append(await m.addresses())
        return len(seen[-1]) == 1 and seen[-1] != (first,)

    await m.until(has_rolled, "the new pod alone")
    assert () not in seen


async def test_an_app_that_never_listens_ends_in_a_reason(m: Machine) -> None:
    app = container(m.image(source=SILENT))
    await m.make(DEPLOYMENTS, deployment(app, progressDeadlineSeconds=1))

    async def timed_out() -> list[str]:
        said = (await m.deployment()).status.get("conditions", ())
        return [each["message"] for each in said if each["reason"] == "ProgressDeadlineExceeded"]

    (message,) = await m.until(timed_out, "ProgressDeadlineExceeded")
    (pod,) = m.node.pods.values()
    assert f'"user-container" does not listen on port {pod.port}' in message
    assert message.endswith("Its log ends with: no port for me")


async def test_a_failing_liveness_probe_starts_the_container_again(m: Machine) -> None:
    probe = {"httpGet": {"path": "/bad", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    startup = {"tcpSocket": {"port": 8080}, "periodSeconds": 1, "failureThreshold": 10}
    app = container(m.image(), livenessProbe=probe, startupProbe=startup)
    await m.make(DEPLOYMENTS, deployment(app))

    async def again() -> bool:
        return (await m.app()).get("restartCount", 0) >= 1

    await m.until(again, "a restart")
    assert (await m.app())["lastState"]["terminated"]["exitCode"] == 0


@pytest.mark.spec("SC-158")
async def test_commands_ask_an_app_whether_it_is_ready(m: Machine) -> None:
    image = m.image()
    app = container(
        image,
        startupProbe={"tcpSocket": {"port": "user-port"}, "periodSeconds": 1, "failureThreshold": 10},
        readinessProbe={"exec": {"command": ["test", "-e", "ready"]}, "periodSeconds": 1},
    )
    await m.make(DEPLOYMENTS, deployment(app))

    async def sidecar_ready() -> bool:
        found = (await m.pods())[0].status.get("containerStatuses", ()) if await m.pods() else ()
        return any(each["name"] == "queue-proxy" and each["ready"] for each in found)

    await m.until(sidecar_ready, "the sidecar is ready")
    assert await m.addresses() == ()
    made = m.images.get(image)
    assert made is not None
    (Path(made.folder) / "ready").touch()
    await m.ready()


async def test_http_probes_are_answered_by_the_sidecar(m: Machine) -> None:
    probe = '{"successThreshold":1,"httpGet":{"host":"127.0.0.1","port":8080,"path":"/","scheme":"HTTP"}}'
    await m.make(
        DEPLOYMENTS, deployment(container(m.image()), beside=sidecar(SERVING_READINESS_PROBE=probe))
    )  # fmt: skip
    (address,) = await m.ready()
    assert (await get(address))[0] == 200


async def test_memory_above_the_limit_ends_the_container(m: Machine) -> None:
    if not os.access("/sys/fs/cgroup", os.W_OK) or os.geteuid() != 0:
        pytest.skip("no cgroups for this user")
    app = container(m.image(source=GREEDY), resources={"limits": {"memory": "48Mi"}})
    await m.make(DEPLOYMENTS, deployment(app))

    async def killed() -> bool:
        ended = (await m.app()).get("lastState", {}).get("terminated", {})
        return (ended.get("reason"), ended.get("exitCode")) == ("OOMKilled", 137)

    await m.until(killed, "OOMKilled")


async def test_logs_can_be_asked_for_wrongly(m: Machine) -> None:
    for query, said in (
        ({"container": "none"}, 'container "none" in pod "hello" not found'),
        ({"tailLines": "x"}, 'tailLines: "x" is no count of lines'),
        ({"limitBytes": "0"}, 'limitBytes: "0" is no count of bytes'),
        ({"timestamps": "true"}, "timestamps: lines have no times here"),
    ):
        with pytest.raises(ApiError, match=said):
            await anext(m.node.log(NAMESPACE, "hello", query))


async def test_nothing_is_left_when_the_node_ends(tmp_path: Path) -> None:
    async with machine(tmp_path) as m:
        await m.make(SERVICES, PRIVATE)
        await m.make(DEPLOYMENTS, deployment(container(m.image()), replicas=2))
        await m.ready(2)
        processes = pids(m)
    assert len(processes) == 4
    assert [name for name, pid in processes.items() if birth(pid) is not None] == []


async def test_pods_outlive_a_node_that_is_killed(tmp_path: Path) -> None:
    """The next node takes them up as they are; what nobody wants any more it ends."""
    server = Server(tmp_path / "api")
    async with server.running(), Client(config(server.plain_url, server.token), "test") as client:
        command = [sys.executable, "-m", "tests.nodefixture", str(tmp_path), server.plain_url, server.token]
        alone = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
        try:
            seen = Machine(client, make_node(client, tmp_path), tmp_path)
            await seen.make(SERVICES, PRIVATE)
            await seen.make(DEPLOYMENTS, deployment(container(seen.image()), replicas=2))
            both = await seen.ready(2)

            async def told() -> Any:
                found = await seen.pods()
                said = [pod.status.get("containerStatuses", [{"ready": False}]) for pod in found]
                return found if all(one["ready"] for pod in said for one in pod) else None

            gone, kept = await seen.until(told, "both pods say that they are ready")
        finally:
            alone.kill()
            await alone.wait()
        assert [(await get(address))[0] for address in both] == [200, 200]
        orphans = [int(one["containerID"].removeprefix("process://")) for one in gone.status["containerStatuses"]]
        await client.delete(PODS, NAMESPACE, gone.name, grace_s=0)
        await seen.scale(1)
        async with running(client, tmp_path) as m:
            await m.until(lambda: m.node.pods, "the pod is taken up")
            for pid in orphans:
                await m.ended(pid)
            await m.ready(1)
            pod = await m.pod()
            assert (pod.name, pod.status["podIP"]) == (kept.name, kept.status["podIP"])
            before = [one["containerID"] for one in kept.status["containerStatuses"]]
            assert [one["containerID"] for one in pod.status["containerStatuses"]] == before
            assert (await get(pod.status["podIP"]))[0] == 200
            os.kill(int(before[0].removeprefix("process://")), signal.SIGKILL)

            async def again() -> bool:
                return (await m.app()).get("restartCount") == 1 and (await get(pod.status["podIP"]))[0] == 200

            await m.until(again, "a restart of what was taken up")


async def test_sidecars_start_without_a_forkserver(tmp_path: Path) -> None:
    async with machine(tmp_path, forkserver=()) as m:
        await m.make(SERVICES, PRIVATE)
        await m.make(DEPLOYMENTS, deployment(container(m.image())))
        (address,) = await m.ready()
        assert (await get(address))[0] == 200


async def test_the_end_of_the_forkserver_ends_no_sidecar(tmp_path: Path) -> None:
    """One that ends soon after its start is not tried again: then sidecars start the long way."""
    async with machine(tmp_path) as m:
        await m.make(SERVICES, PRIVATE)
        await m.make(DEPLOYMENTS, deployment(container(m.image())))
        (address,) = await m.ready()
        (sidecar_pid,) = [pid for name, pid in pids(m).items() if name.endswith("/queue-proxy")]
        os.kill(parent_of(sidecar_pid), signal.SIGKILL)
        await m.scale(2)
        both = await m.ready(2)
        assert address in both
        assert [(await get(one))[0] for one in both] == [200, 200]


async def test_a_sidecar_that_dies_is_told_with_its_exit_code(m: Machine) -> None:
    await m.make(DEPLOYMENTS, deployment(container(m.image())))
    (address,) = await m.ready()
    (sidecar_pid,) = [pid for name, pid in pids(m).items() if name.endswith("/queue-proxy")]
    os.kill(sidecar_pid, signal.SIGKILL)

    async def again() -> Any:
        said = (await m.pod()).status.get("containerStatuses", [{}])[-1]
        return said.get("restartCount") == 1 and said["ready"] and said["lastState"]["terminated"]

    assert (await m.until(again, "another sidecar"))["exitCode"] == 137
    assert (await get(address))[0] == 200


class Heard:
    """Takes what a node says of what requests wait for."""

    def __init__(self) -> None:
        self.ready: list[tuple[Any, ...]] = []
        self.served: list[tuple[str, ...]] = []

    def instance_ready(self, *said: Any) -> None:
        self.ready.append(said)

    def endpoints_told(self, found: Endpoints) -> None:
        self.served.append(found.ready_addresses)


async def test_a_wish_becomes_a_pod_before_the_api_server_knows_and_so_does_its_address(tmp_path: Path) -> None:
    heard = Heard()
    async with machine(tmp_path, listener=heard) as m:
        await m.make(SERVICES, PRIVATE)
        await m.make(DEPLOYMENTS, deployment(container(m.image()), replicas=0))
        key = (NAMESPACE, DEPLOYMENT)
        await m.until(lambda: m.node.wish(key, 1, 0.25) or m.node.pods, "a pod")
        (pod,) = m.node.pods.values()
        assert not pod.known.is_set()
        await m.until(lambda: heard.ready, "ready")
        (name, address, decided_s, steps_s), *more = heard.ready
        assert (name, address, decided_s, more) == ((NAMESPACE, REVISION), pod.address, 0.25, [])
        assert all(step_s > 0 for step_s in steps_s)
        await m.until(lambda: (pod.address,) in heard.served, "its address")
        assert (await m.deployment()).spec["replicas"] == 0
        await m.scale(1)
        assert await m.ready() == (pod.address,)
        assert [one.name for one in m.node.pods.values()] == [pod.name]
        m.node.wish(key, 0, 0.0)
        await m.scale(0)
        assert await m.ready(0) == ()
        assert heard.served[-1] == ()


async def test_a_wish_that_is_taken_back_leaves_no_pod(tmp_path: Path) -> None:
    async with machine(tmp_path) as m:
        await m.make(DEPLOYMENTS, deployment(container(m.image()), replicas=0))
        key = (NAMESPACE, DEPLOYMENT)
        await m.until(lambda: m.node.wish(key, 2, 0.0) or m.node.pods, "pods")
        assert len(m.node.pods) == 2
        m.node.wish(key, 0, 0.0)
        await m.until(lambda: not m.node.pods, "no pods")
        assert await m.pods() == []
