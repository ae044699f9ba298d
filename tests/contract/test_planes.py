"""Both ends of what the planes say to each other: gateway and gate, activator and intake, over real WebSockets."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import WebSocketException

from controller.autoscaler.intake import Intake
from controller.ingress.gate import Gate
from controller.ingress.state import GateState
from dataplane.contract.reports import Ready
from dataplane.contract.routes import Endpoint, Target
from dataplane.contract.stat_batch import decode_batch
from dataplane.reporter import Seen
from dataplane.sources.autoscaler import AutoscalerLink
from dataplane.sources.stream import RouteStream

PATIENCE_S = 20


@asynccontextmanager
async def running(*coroutines):
    """Tasks that end with the block."""
    tasks = [asyncio.ensure_future(one) for one in coroutines]
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Engine:
    """Stands for the workers: remembers what it was told to use."""

    def __init__(self):
        self.used = asyncio.Queue()

    async def use(self, delta):
        self.used.put_nowait(delta)
        return []


@asynccontextmanager
async def gate_of(state):
    gate = Gate(state)
    bound = asyncio.get_running_loop().create_future()
    async with running(gate.run("127.0.0.1", 0, bound)):
        yield gate, f"ws://127.0.0.1:{await bound}"


@asynccontextmanager
async def stream_to(address, engine, said=None, kept=None):
    stream = RouteStream(address, "g-0", engine.use, (said if said is not None else []).append, kept)
    async with running(stream.run()):
        yield stream


async def test_a_gateway_follows_the_controller_and_says_so():
    state, engine = GateState(), Engine()
    state.change(targets={"ns/a": Target(hold=True)})
    async with gate_of(state) as (gate, address), stream_to(address, engine):
        assert set((await engine.used.get()).targets) == {"ns/a"}
        await gate.applied(state.version)
        state.change(endpoints={"ns/a": (Endpoint(address="10.0.0.1", port=8012),)})
        gate.publish()
        delta = await engine.used.get()
        assert (delta.targets, delta.endpoints["ns/a"][0].address) == ({}, "10.0.0.1")
        await gate.applied(state.version)


async def test_a_new_controller_takes_away_what_it_does_not_know(tmp_path):
    first, engine = GateState(), Engine()
    first.change(targets={"ns/a": Target(), "ns/b": Target()})
    second = GateState()
    second.change(targets={"ns/b": Target()})
    kept = tmp_path / "routes.json"
    async with gate_of(first) as (_, address), stream_to(address, engine, kept=kept):
        await engine.used.get()
    again = Engine()
    stream = RouteStream("ws://127.0.0.1:1", "g-0", again.use, print, kept)
    assert await stream.restore()
    assert set((await again.used.get()).targets) == {"ns/a", "ns/b"}
    async with gate_of(second) as (_, address):
        stream._address = address
        async with running(stream.run()):
            assert (await again.used.get()).targets == {"ns/a": None, "ns/b": Target()}


async def test_a_state_file_that_cannot_be_read_is_left_out(tmp_path):
    kept, said = tmp_path / "routes.json", []
    kept.write_text('{"version": 1, "targets": {"a": 5}}')
    stream = RouteStream("ws://127.0.0.1:1", "g-0", Engine().use, said.append, kept)
    assert not await stream.restore()
    assert 'targets["a"]' in said[0]


async def test_a_state_file_of_version_1_keeps_local_hosts_local(tmp_path):
    kept, engine = tmp_path / "routes.json", Engine()
    paths = [{"splits": [{"target": "ns/a"}]}, {"prefix": "/b", "splits": [{"target": "ns/a"}]}]
    host = {"ingress": "ns/a", "hash": "0", "paths": paths}
    kept.write_text(json.dumps({"version": 5, "hosts": {"a.ns": {**host, "visibility": "local"}, "a.example": host}}))
    stream = RouteStream("ws://127.0.0.1:1", "g-0", engine.use, print, kept)
    assert await stream.restore()
    hosts = (await engine.used.get()).hosts
    assert {name: [path.local for path in host.paths] for name, host in hosts.items()} == {
        "a.ns": [True, True],
        "a.example": [False, False],
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"protocol": "penstock.routes.v9", "delta": {"version": 1}}', 'protocol: "penstock.routes.v9" is not'),
        ('{"protocol": 2, "delta": {"version": 1}}', 'protocol: "2" is not'),
        ('{"protocol": "penstock.routes.v2"}', "delta"),
        ('{"version": 1, "hosts": {"a": {"visibility": "local", "paths": 5}}}', "version 1"),
        ('{"version": 1, "hosts": []}', "version 1"),
        ("[]", "no object"),
    ],
)
async def test_a_state_file_of_another_version_is_left_out(tmp_path, text, problem):
    kept, said = tmp_path / "routes.json", []
    kept.write_text(text)
    assert not await RouteStream("ws://127.0.0.1:1", "g-0", Engine().use, said.append, kept).restore()
    assert problem in said[0]


async def test_a_gateway_of_another_version_is_sent_away():
    async with gate_of(GateState()) as (gate, address):
        with pytest.raises(WebSocketException):
            async with connect(address, subprotocols=["penstock.routes.v1"]):
                pass
        assert gate.count == 0


class Counters:
    """What an engine has counted."""

    def __init__(self):
        self.seen = {}

    def __call__(self):
        return dict(self.seen)


@asynccontextmanager
async def intake():
    stats, reports = asyncio.Queue(), asyncio.Queue()
    made = Intake(lambda name, stat: stats.put_nowait((name, stat)), reports.put_nowait)
    bound = asyncio.get_running_loop().create_future()
    async with running(made.run("127.0.0.1", 0, bound)):
        made.reports = reports
        yield made, f"ws://127.0.0.1:{await bound}"


@asynccontextmanager
async def link_to(address, counters, on_ready=print):
    link = AutoscalerLink(address, "act-0", counters, on_ready, print)
    async with running(link.run()):
        yield link


async def test_a_wanted_revision_is_reported_without_a_tick():
    counters = Counters()
    async with intake() as (made, address), link_to(address, counters) as link:
        await made.moved.wait()
        counters.seen = {"ns/a": Seen(requests=1, busy_ns=0, pending=1, waiting=1)}
        link.wanted()
        report = await made.reports.get()
        assert (report.sender, report.sequence) == ("act-0", 1)
        assert (report.revisions["ns/a"].waiting, report.revisions["ns/a"].running) == (1, 0)
        later = await made.reports.get()
        assert later.sequence == 2
        assert later.life == report.life


async def test_the_path_is_acknowledged_and_readiness_announced():
    told = asyncio.Queue()
    async with intake() as (made, address), link_to(address, Counters(), told.put_nowait):
        made.set_path(frozenset({"ns/a"}))
        while not made.is_in_path("ns/a"):
            await made.moved.wait()
            made.moved.clear()
        assert not made.is_in_path("ns/b")
        ready = Ready(revision="ns/a", address="127.64.0.1", port=8012)
        made.announce(ready)
        assert await told.get() == ready


async def test_an_activator_that_has_gone_is_not_in_the_path():
    async with intake() as (made, address):
        made.set_path(frozenset({"ns/a"}))
        async with link_to(address, Counters()):
            while not made.is_in_path("ns/a"):
                await made.moved.wait()
                made.moved.clear()
        while made.count:
            await made.moved.wait()
            made.moved.clear()
        assert not made.is_in_path("ns/a")


@pytest.mark.spec("DP-217", "DP-218", "DP-219")
async def test_upstreams_autoscaler_gets_its_own_frames():
    frames = asyncio.Queue()

    async def upstream(connection):
        async for frame in connection:
            frames.put_nowait(frame)

    async with serve(upstream, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        counters = Counters()
        async with link_to(f"ws://127.0.0.1:{port}", counters) as link:
            counters.seen = {"ns/a": Seen(1, 0, 1, 1), "ns/b": Seen(1, 0, 1, 1)}
            link.wanted()
            first = decode_batch(await frames.get())
            assert [(space, name, stat.average_concurrent_requests) for space, name, stat in first] == [
                ("ns", "a", 1.0),
                ("ns", "b", 1.0),
            ]
            began = time.monotonic_ns()
            counters.seen = {name: Seen(2, one.busy_ns + 10**10, 2, 2) for name, one in counters.seen.items()}
            second = decode_batch(await frames.get())
            assert time.monotonic_ns() > began
            assert [stat.request_count for _, _, stat in second] == [1.0, 1.0]
