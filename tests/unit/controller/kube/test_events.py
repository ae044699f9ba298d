"""Kubernetes Events: written once, counted when they are said again, and never in anybody's way."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from controller.api.meta import ObjectMeta, Resource
from controller.kube import events
from controller.kube.events import Recorder
from dataplane.kube.errors import KubeError, NotFound

ITEM = Resource(api_version="v1", kind="Thing", metadata=ObjectMeta(name="a", namespace="ns", uid="u"))


class Server:
    """Keeps Events; fails as it is told."""

    def __init__(self):
        self.writes = []
        self.moved = asyncio.Event()
        self.errors = []

    async def create(self, _resource, namespace, body, _kind):
        await self._write("create", namespace, body)

    async def patch(self, _resource, namespace, _name, body, _kind):
        await self._write("patch", namespace, body)

    async def _write(self, verb, namespace, body):
        self.writes.append((verb, namespace, body))
        self.moved.set()
        if self.errors:
            raise self.errors.pop(0)

    async def until(self, count):
        async with asyncio.timeout(10):
            while len(self.writes) < count:
                self.moved.clear()
                await self.moved.wait()


@asynccontextmanager
async def recording():
    server = Server()
    recorder = Recorder(server, "tests")
    task = asyncio.create_task(recorder.run())
    try:
        yield server, recorder
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_event_says_what_happened_to_whom():
    async with recording() as (server, recorder):
        recorder.warning(ITEM, "Broken", "it broke")
        await server.until(1)
    ((verb, namespace, body),) = server.writes
    assert (verb, namespace, body["type"], body["reason"], body["message"]) == (
        "create", "ns", "Warning", "Broken", "it broke",
    )  # fmt: skip
    assert body["involvedObject"] == {
        "apiVersion": "v1", "kind": "Thing", "name": "a", "namespace": "ns", "uid": "u", "resourceVersion": "",
    }  # fmt: skip
    assert body["source"] == {"component": "tests"}
    assert body["count"] == 1


async def test_what_is_said_again_is_counted_and_not_written_at_once():
    async with recording() as (server, recorder):
        for _ in range(5):
            recorder.normal(ITEM, "Same", "same")
        recorder.normal(ITEM, "Other", "other")
        await server.until(2)
    assert [(verb, body["reason"], body["count"]) for verb, _, body in server.writes] == [
        ("create", "Same", 5), ("create", "Other", 1),
    ]  # fmt: skip


async def test_later_the_count_is_brought_up_to_date(monkeypatch):
    monkeypatch.setattr(events, "REPEAT_S", 0.0)
    async with recording() as (server, recorder):
        recorder.normal(ITEM, "Same", "same")
        await server.until(1)
        recorder.normal(ITEM, "Same", "same")
        await server.until(2)
    verb, _, body = server.writes[1]
    assert (verb, body["count"]) == ("patch", 2)


@pytest.mark.parametrize("error", [NotFound(404, "", "gone"), KubeError(500, "", "etcd is away")])
async def test_an_event_that_cannot_be_written_ends_nothing(error):
    async with recording() as (server, recorder):
        server.errors = [error]
        recorder.normal(ITEM, "First", "first")
        await server.until(1)
        recorder.normal(ITEM, "Second", "second")
        await server.until(2)


async def test_too_many_events_are_left_out(caplog):
    server = Server()
    recorder = Recorder(server, "tests")
    for number in range(events.WAITING_MAX + 1):
        recorder.normal(ITEM, "Many", str(number))
    assert "too many events" in caplog.text
