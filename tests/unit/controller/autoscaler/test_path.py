"""The probe of the activator's path, against a real listener."""

import asyncio
from contextlib import asynccontextmanager

import httpx2
import pytest

from controller.autoscaler.intake import Intake
from controller.autoscaler.path import AcknowledgedPath, EitherPath, ProbedPath


class Answering:
    """Answers each probe by script; the last answer is repeated."""

    def __init__(self, *answers):
        self.answers, self.requests, self.address = list(answers), [], ""

    async def serve(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        self.requests.append(head.decode())
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def probing(*answers):
    script, told = Answering(*answers), asyncio.Queue()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    path = ProbedPath(httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0)), told.put_nowait)
    task = asyncio.create_task(path.run())
    try:
        async with asyncio.timeout(20):
            yield path, script, told
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.close()


@pytest.mark.spec("SC-221")
async def test_an_activator_that_answers_is_in_the_path(monkeypatch):
    monkeypatch.setattr("controller.autoscaler.path.PROBE_S", 0.05)
    async with probing((400, "queue"), (200, "queue"), (200, "activator")) as (path, script, told):
        path.wants("ns/a", script.address)
        assert not path.is_confirmed("ns/a")
        assert await told.get() == "ns/a"
        assert path.is_confirmed("ns/a")
        assert not path.is_acknowledged("ns/a")
        assert len(script.requests) == 3
        assert script.requests[0].startswith("GET /healthz HTTP/1.1\r\n")
        head = script.requests[0].lower()
        assert "k-network-probe: activator\r\n" in head
        assert "user-agent: knative-autoscaling-probe\r\n" in head
        path.wants("ns/a", script.address)
        path.wants("ns/a", None)
        assert not path.is_confirmed("ns/a")


async def test_a_path_that_nobody_answers_for_is_given_up_and_may_be_asked_for_again(monkeypatch):
    monkeypatch.setattr("controller.autoscaler.path.PROBE_S", 0.02)
    monkeypatch.setattr("controller.autoscaler.path.PROBED_S", 0.1)
    async with probing((503, "")) as (path, script, told):
        path.wants("ns/a", script.address)
        await told.get()
        assert not path.is_confirmed("ns/a")
        script.answers = [(200, "activator")]
        path.wants("ns/a", script.address)
        await told.get()
        assert path.is_confirmed("ns/a")


async def test_on_a_cluster_a_probe_stands_in_where_no_activator_of_ours_is_connected(monkeypatch):
    monkeypatch.setattr("controller.autoscaler.path.PROBE_S", 0.05)
    async with probing((200, "activator")) as (probed, script, told):
        intake = Intake(lambda *_: None, lambda _: None)
        path = EitherPath(intake, AcknowledgedPath(intake), probed)
        path.wants("ns/a", script.address)
        await told.get()
        assert (path.is_confirmed("ns/a"), path.is_acknowledged("ns/a")) == (True, False)
        assert list(path.wanted()) == ["ns/a"]
        path.wants("ns/a", None)
        assert not path.is_confirmed("ns/a")
