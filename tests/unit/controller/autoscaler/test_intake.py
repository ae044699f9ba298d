"""The stat WebSocket, with a real client: upstream's binary frames, our own subprotocol, probes and pages."""

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from controller.autoscaler.intake import RESTARTING, Intake
from controller.autoscaler.path import AcknowledgedPath
from dataplane.contract.document import document
from dataplane.contract.reports import SUBPROTOCOL, Counts, Ready, Report
from dataplane.contract.stat import Stat
from dataplane.contract.stat_batch import encode_batch


class Heard:
    """What the intake was told."""

    def __init__(self):
        self.stats, self.reports, self.gone = [], [], []
        self.changed = asyncio.Event()

    def stat(self, name, stat):
        self.stats.append((name, stat))
        self.changed.set()

    def report(self, report):
        self.reports.append(report)
        self.changed.set()

    def left(self, sender):
        self.gone.append(sender)
        self.changed.set()

    async def until(self, seen):
        while not seen():
            await self.changed.wait()
            self.changed.clear()


def page(path):
    return json.dumps({"path": path}) if path == "/decisions/ns/a" else None


@asynccontextmanager
async def served():
    heard = Heard()
    intake = Intake(heard.stat, heard.report, heard.left, page)
    bound = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(intake.run("127.0.0.1", 0, bound))
    try:
        async with asyncio.timeout(20):
            yield intake, heard, f"127.0.0.1:{await bound}"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def ours(address):
    return connect(f"ws://{address}", subprotocols=[SUBPROTOCOL])


async def told(socket):
    return json.loads(await socket.recv())


async def moved(intake, seen):
    while not seen():
        await intake.moved.wait()
        intake.moved.clear()


async def say_report(socket, sender="activator-1"):
    report = Report(sender=sender, life="1", sequence=1, time_s=5.0, revisions={"ns/a": Counts(requests=1, waiting=1)})
    await socket.send(json.dumps({"report": document(report)}))
    return report


@pytest.mark.spec("SC-203")
async def test_upstreams_records_arrive():
    stat = Stat(pod_name="activator-1", average_concurrent_requests=1.5, request_count=3.0)
    async with served() as (intake, heard, address), connect(f"ws://{address}") as socket:
        await socket.send(encode_batch([("ns", "a", stat), ("other", "b", Stat())]))
        await heard.until(lambda: len(heard.stats) == 2)
        assert heard.stats == [("ns/a", stat), ("other/b", Stat())]
        assert intake.count == 0


async def test_our_reports_arrive_and_we_are_counted():
    async with served() as (intake, heard, address):
        async with ours(address) as socket:
            assert await told(socket) == {"path": {"version": 0}}
            assert intake.count == 1
            report = await say_report(socket)
            await heard.until(lambda: heard.reports)
            assert heard.reports == [report]
        await heard.until(lambda: heard.gone)
        assert (heard.gone, intake.count) == (["activator-1"], 0)


async def test_an_activator_that_is_back_before_its_old_connection_is_seen_to_be_dead_is_not_gone():
    async with served() as (intake, heard, address), ours(address) as new:
        async with ours(address) as old:
            for socket in (old, new):
                await say_report(socket)
            await heard.until(lambda: len(heard.reports) == 2)
        await moved(intake, lambda: intake.count == 1)
        assert heard.gone == []


@pytest.mark.parametrize(
    "frame",
    [b"\xff\xff", "no json", "[]", '{"report": {"sender": 5}}', '{"unknown": {}}', "[" * 100_000],
    ids=["binary", "text", "list", "fields", "name", "depth"],
)
async def test_a_frame_that_is_wrong_is_left_out_and_the_next_one_counts(frame):
    async with served() as (_intake, heard, address), ours(address) as socket:
        await socket.send(frame)
        await say_report(socket)
        await heard.until(lambda: heard.reports)


async def test_who_did_not_ask_for_our_subprotocol_is_not_believed_to_speak_it():
    async with served() as (_intake, heard, address), connect(f"ws://{address}") as socket:
        await say_report(socket)
        await socket.send(encode_batch([("ns", "a", Stat())]))
        await heard.until(lambda: heard.stats)
        assert heard.reports == []


@pytest.mark.spec("SC-221")
async def test_a_path_is_acknowledged_when_every_activator_has_said_so():
    async with served() as (intake, _heard, address), ours(address) as one, ours(address) as two:
        path = AcknowledgedPath(intake)
        await moved(intake, lambda: intake.count == 2)
        for socket in (one, two):
            await told(socket)
        path.wants("ns/a", "a.ns:80")
        wanted = {"version": 1, "revisions": ["ns/a"]}
        assert (await told(one), await told(two)) == ({"path": wanted}, {"path": wanted})
        assert not path.is_acknowledged("ns/a")
        for socket in (one, two):
            assert not path.is_confirmed("ns/a")
            await socket.send(json.dumps({"in_path": wanted}))
            await intake.moved.wait()
            intake.moved.clear()
        await moved(intake, lambda: path.is_confirmed("ns/a"))
        path.wants("ns/b", "b.ns:80")
        assert path.is_acknowledged("ns/a"), "another revision's way takes nothing back"
        assert not path.is_acknowledged("ns/b")
        assert sorted(path.wanted()) == ["ns/a", "ns/b"]
        path.wants("ns/a", None)
        assert not path.is_acknowledged("ns/a")


async def test_nobody_in_the_path_acknowledges_nothing_and_who_comes_later_has_to():
    async with served() as (intake, _heard, address):
        path = AcknowledgedPath(intake)
        path.wants("ns/a", "a.ns:80")
        assert not path.is_acknowledged("ns/a")
        async with ours(address) as socket:
            assert (await told(socket))["path"]["revisions"] == ["ns/a"]
            assert not path.is_acknowledged("ns/a")
            await socket.send(json.dumps({"in_path": {"version": 1, "revisions": ["ns/a"]}}))
            await moved(intake, lambda: path.is_acknowledged("ns/a"))
        await moved(intake, lambda: intake.count == 0)
        assert not path.is_acknowledged("ns/a")


async def test_an_instance_that_serves_is_announced_to_ours_only():
    async with served() as (intake, heard, address), ours(address) as mine, connect(f"ws://{address}") as other:
        await told(mine)
        await other.send(encode_batch([("ns", "a", Stat())]))
        await heard.until(lambda: heard.stats)
        intake.announce(Ready(revision="ns/a", address="10.0.0.1", port=8012))
        assert await told(mine) == {"ready": {"revision": "ns/a", "address": "10.0.0.1", "port": 8012}}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await other.recv()


async def test_kubelets_probe_is_answered_and_pages_are_read():
    async with served() as (_intake, _heard, address), httpx.AsyncClient() as client:
        probe = await client.get(f"http://{address}/", headers={"User-Agent": "kube-probe/1.34"})
        assert probe.status_code == 200
        found = await client.get(f"http://{address}/decisions/ns/a?pretty")
        assert (found.status_code, found.headers["Content-Type"]) == (200, "application/json")
        assert found.json() == {"path": "/decisions/ns/a"}
        assert (await client.get(f"http://{address}/decisions/ns/b")).status_code == 404


async def test_who_is_connected_is_told_that_we_restart():
    async with served() as (_intake, _heard, address):
        socket = await ours(address)
        await told(socket)
    with pytest.raises(ConnectionClosed) as closed:
        await socket.recv()
    assert closed.value.rcvd.code == RESTARTING
