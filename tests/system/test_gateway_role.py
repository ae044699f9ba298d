"""A gateway as a process: routes from a controller, requests from curl's point of view, load to an autoscaler."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path as File
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_peer import GrpcPeer

from controller.autoscaler.intake import Intake
from controller.ingress.gate import Gate
from controller.ingress.state import GateState
from dataplane.contract.reports import Ready
from dataplane.contract.routes import Endpoint, Host, Path, Split, Target
from tests.sidecarfixture import MAIN_PORT

ROOT = File(__file__).resolve().parent.parent.parent
PATIENCE_S = 30
START = "import sys; from dataplane.roles.gateway import main; sys.exit(main())"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def to(target: str, ingress: str = "ns/route", **more: object) -> Host:
    return Host(ingress=ingress, hash="c0ffee", paths=(Path(splits=(Split(target=target),), **more),))


class App:
    """Answers every request with what it was asked."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.held: asyncio.Event | None = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                first, *lines = head.split("\r\n")[:-2]
                fields = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
                self.seen.append(fields)
                if self.held is not None:
                    await self.held.wait()
                body = json.dumps({"first": first, **fields}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class World:
    """A controller's gate, an autoscaler's intake, an app, and the gateway's process between them."""

    def __init__(self, state_file: File) -> None:
        self.state = GateState()
        self.gate = Gate(self.state)
        self.reports: asyncio.Queue = asyncio.Queue()
        self.intake = Intake(lambda *_: None, self.reports.put_nowait)
        self.app = App()
        self.public, self.private, self.admin = free_ports(3)
        self.state_file = state_file
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, controller: int, autoscaler: int, **more: str) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "POD_NAME": "gateway-0",
            "PENSTOCK_BIND_ADDRESS": "127.0.0.1",
            "PENSTOCK_PUBLIC_PORT": str(self.public),
            "PENSTOCK_PRIVATE_PORT": str(self.private),
            "PENSTOCK_ADMIN_PORT": str(self.admin),
            "PENSTOCK_CONTROLLER": f"ws://127.0.0.1:{controller}",
            "PENSTOCK_AUTOSCALER": f"ws://127.0.0.1:{autoscaler}",
            "PENSTOCK_STATE_FILE": str(self.state_file),
            "PENSTOCK_WORKERS": "2",
            **more,
        }
        self.process = await asyncio.create_subprocess_exec(sys.executable, "-c", START, cwd=ROOT, env=environ)

    async def publish(self, **changes: object) -> None:
        """Returns once the gateway uses them."""
        self.state.change(**changes)
        self.gate.publish()
        await self.gate.applied(self.state.version)

    async def ask(self, host: str, path: str = "/", port: int | None = None) -> httpx.Response:
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            return await client.get(f"http://127.0.0.1:{port or self.public}{path}", headers={"Host": host})


@asynccontextmanager
async def world_in(folder: File, **more: str) -> AsyncIterator[World]:
    world = World(folder / "routes.json")
    loop = asyncio.get_running_loop()
    ports = loop.create_future(), loop.create_future()
    tasks = [
        asyncio.create_task(world.gate.run("127.0.0.1", 0, ports[0])),
        asyncio.create_task(world.intake.run("127.0.0.1", 0, ports[1])),
    ]
    server = await asyncio.start_server(world.app, "127.0.0.1", 0)
    world.endpoint = Endpoint(address="127.0.0.1", port=server.sockets[0].getsockname()[1])
    try:
        async with asyncio.timeout(PATIENCE_S):
            await world.start(await ports[0], await ports[1], **more)
            await world.gate.applied(0)
            await world.intake.moved.wait()
            yield world
    finally:
        if world.process is not None and world.process.returncode is None:
            world.process.kill()
            await world.process.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def world(tmp_path: File) -> AsyncIterator[World]:
    async with world_in(tmp_path) as made:
        yield made


async def test_hosts_lead_to_their_targets_and_others_nowhere(world: World) -> None:
    assert (await world.ask("a.example")).status_code == 404
    await world.publish(
        targets={"ns/svc:80": Target()},
        hosts={"a.example": to("ns/svc:80"), "a.ns": to("ns/svc:80", local=True)},
        endpoints={"ns/svc:80": (world.endpoint,)},
    )
    answer = await world.ask("A.example:8080", "/x?y")
    assert (answer.status_code, answer.json()["first"]) == (200, "GET /x?y HTTP/1.1")
    assert (await world.ask("a.ns")).status_code == 404
    assert (await world.ask("a.ns", port=world.private)).status_code == 200


async def test_a_request_for_a_revision_at_zero_waits_for_its_first_instance(world: World) -> None:
    await world.publish(
        targets={"ns/rev": Target(hold=True, concurrency=1, request_s=20)}, hosts={"a.example": to("ns/rev")}
    )
    asked = asyncio.create_task(world.ask("a.example"))
    report = await world.reports.get()
    assert report.revisions["ns/rev"].waiting == 1
    assert not asked.done()
    await world.publish(endpoints={"ns/rev": (world.endpoint,)})
    answer = (await asked).json()
    assert answer["k-proxy-request"] == "activator"
    assert answer["k-original-host"] == "a.example"


async def test_an_announced_instance_gets_what_waits_at_once(world: World) -> None:
    await world.publish(
        targets={"ns/rev": Target(hold=True, concurrency=1, request_s=20)}, hosts={"a.example": to("ns/rev")}
    )
    asked = asyncio.create_task(world.ask("a.example"))
    await world.reports.get()
    world.intake.announce(Ready(revision="ns/rev", address=world.endpoint.address, port=world.endpoint.port))
    assert (await asked).status_code == 200


async def test_a_gateway_without_its_controller_serves_what_it_knew(tmp_path: File) -> None:
    async with world_in(tmp_path) as world:
        await world.publish(
            targets={"ns/svc:80": Target()},
            hosts={"a.example": to("ns/svc:80")},
            endpoints={"ns/svc:80": (world.endpoint,)},
        )
        process = world.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        (nowhere,) = free_ports(1)
        await world.start(nowhere, nowhere)
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    if (await world.ask("a.example")).status_code == 200:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)  # it does not listen yet


async def test_a_gateway_that_leaves_finishes_what_it_has(world: World) -> None:
    world.app.held = asyncio.Event()
    await world.publish(
        targets={"ns/svc:80": Target()},
        hosts={"a.example": to("ns/svc:80")},
        endpoints={"ns/svc:80": (world.endpoint,)},
    )
    asked = asyncio.create_task(world.ask("a.example"))
    while not world.app.seen:
        await asyncio.sleep(0.01)
    assert world.process is not None
    world.process.send_signal(signal.SIGTERM)
    world.app.held.set()
    assert (await asked).status_code == 200
    assert await world.process.wait() == 0


async def test_spans_of_gateway_and_sidecar_are_one_trace(sidecar, tmp_path: File) -> None:
    peer = GrpcPeer()
    said = {"tracing": {"protocol": "grpc", "endpoint": peer.url, "samplingRate": 1}}
    behind = sidecar(OBSERVABILITY_CONFIG=said, PENSTOCK_QUIET_MS="0")
    try:
        async with world_in(tmp_path, OBSERVABILITY_CONFIG=json.dumps(said)) as world:
            await world.publish(
                targets={"ns/svc:80": Target()},
                hosts={"a.example": to("ns/svc:80")},
                endpoints={"ns/svc:80": (Endpoint(address=behind.address, port=MAIN_PORT),)},
            )
            assert (await world.ask("a.example")).status_code == 200
            assert world.process is not None
            world.process.terminate()
            assert await world.process.wait() == 0
        front = spans_of(peer.next())
        behind.term()
        back = spans_of(peer.next())
    finally:
        peer.close()
    assert set(front) == {"GET", "penstock.gateway.proxy", "penstock.gateway.wait", "HTTP GET"}
    assert front["GET"].parent_span_id == b""
    assert back["GET"].trace_id == front["GET"].trace_id
    assert back["GET"].parent_span_id == front["HTTP GET"].span_id


def spans_of(message: ExportTraceServiceRequest) -> dict[str, Any]:
    """Spans by name."""
    return {span.name: span for one in message.resource_spans for scope in one.scope_spans for span in scope.spans}


async def test_settings_that_cannot_be_used_are_named_all_at_once() -> None:
    environ = {"PATH": os.environ["PATH"], "PENSTOCK_PUBLIC_PORT": "x", "PENSTOCK_CONTROLLER": "http://a"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", START, cwd=ROOT, env=environ, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    lines = said.decode().splitlines()
    assert len(lines) == 4
    assert all(line.startswith("penstock-gateway: ") for line in lines)
    assert {line.split(": ")[1] for line in lines} == {
        "POD_NAME",
        "PENSTOCK_AUTOSCALER",
        "PENSTOCK_CONTROLLER",
        "PENSTOCK_PUBLIC_PORT",
    }


SILENCE_S = 10.0


async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Is silent before its head, or, for /after, before its body."""
    first = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0]
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
    if b"/after" in first:
        writer.write(head)
        await writer.drain()
    await asyncio.sleep(SILENCE_S)  # what is proved is that nobody minds
    writer.write(b"done" if b"/after" in first else head + b"done")
    await writer.drain()
    writer.close()


@pytest.mark.spec("NW-082", "NW-083", "NW-084")
async def test_ten_seconds_of_silence_are_tolerated(world: World) -> None:
    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    endpoints = (Endpoint(address="127.0.0.1", port=server.sockets[0].getsockname()[1]),)
    await world.publish(
        targets={"ns/svc:80": Target(), "ns/rev": Target(hold=True, request_s=300.0)},
        hosts={"plain.example": to("ns/svc:80"), "held.example": to("ns/rev")},
        endpoints={"ns/svc:80": endpoints, "ns/rev": endpoints},
    )

    async def asked(host: str, path: str) -> tuple[int, str, float]:
        """Status, body, and the seconds between the head and the body."""
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            url = f"http://127.0.0.1:{world.public}{path}"
            async with client.stream("GET", url, headers={"Host": host}) as answer:
                head_s = asyncio.get_running_loop().time()
                body = await answer.aread()
                return answer.status_code, body.decode(), asyncio.get_running_loop().time() - head_s

    hosts = ("plain.example", "held.example")
    told = await asyncio.gather(*[asked(host, path) for host in hosts for path in ("/before", "/after")])
    server.close()
    assert [one[:2] for one in told] == [(200, "done")] * 4
    assert [gap_s > SILENCE_S / 2 for _, _, gap_s in told] == [False, True] * 2


@pytest.mark.spec("NW-161")
async def test_a_route_becomes_live_among_five_thousand_as_among_ten(world: World) -> None:
    async def quickest_s() -> float:
        """Until the gateway says that all of its workers use another host with a target of its own."""
        best_s = float("inf")
        for i in range(20):
            name = f"more-{len(world.state.hosts_from('ns/more'))}-{i}"
            begun_s = time.perf_counter()
            await world.publish(
                targets={f"ns/{name}": Target()}, hosts={f"{name}.example": to(f"ns/{name}", "ns/more")}
            )
            best_s = min(best_s, time.perf_counter() - begun_s)
        return best_s

    def siblings(first: int, last: int) -> dict[str, dict[str, object]]:
        numbers = range(first, last)
        return {
            "targets": {f"ns/s-{i}": Target() for i in numbers},
            "hosts": {f"s-{i}.example": to(f"ns/s-{i}", f"ns/s-{i}") for i in numbers},
        }

    await world.publish(**siblings(0, 10))
    few_s = await quickest_s()
    await world.publish(**siblings(10, 5000))
    many_s = await quickest_s()
    assert many_s < few_s + 0.010, (few_s, many_s)
    assert (await world.ask("s-4999.example")).status_code == 503
