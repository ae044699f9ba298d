"""What is sent to make a child fit, and what is left alone."""

import msgspec
import pytest

from controller.api.autoscaling import PodAutoscaler
from controller.api.core import KubeService
from controller.api.serving import Service
from controller.children import (
    APPLIED,
    content_of,
    create_or_read,
    ensure,
    ensure_plain,
    holds,
    resource_of,
    settle,
    write_status,
)
from dataplane.kube.errors import AlreadyExists, Conflict, KubeError, NotFound
from dataplane.kube.resource import SERVICES

AUTOSCALERS = resource_of(PodAutoscaler)


class Server:
    """Answers an apply with what was applied, and keeps it."""

    def __init__(self, error=None):
        self.applied = []
        self.error = error

    async def apply(self, _resource, _namespace, name, body, kind, subresource=""):
        if self.error:
            raise self.error
        self.applied.append((name, subresource, body))
        return msgspec.convert(body, kind)

    async def create(self, _resource, _namespace, body, kind):
        raise AlreadyExists(409, "AlreadyExists", "there")

    async def read(self, _resource, _namespace, name, kind):
        return msgspec.convert({"metadata": {"name": name}}, kind)


class Events:
    def __init__(self):
        self.said = []

    def warning(self, _item, reason, message):
        self.said.append((reason, message))


def autoscaler(reachability="Reachable", **annotations):
    metadata = {"name": "a", "namespace": "ns", "annotations": annotations}
    return msgspec.convert({"metadata": metadata, "spec": {"reachability": reachability}}, PodAutoscaler)


@pytest.mark.parametrize(
    ("wanted", "live", "held"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, True),
        ({"a": 1}, {}, False),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": None}, {}, False),
    ],
)
def test_what_others_add_is_no_difference(wanted, live, held):
    assert holds(wanted, live) is held


async def test_nothing_is_sent_when_nothing_would_change():
    server = Server()
    live = await ensure(server, AUTOSCALERS, autoscaler(), None)
    assert await ensure(server, AUTOSCALERS, autoscaler(), live) is live
    assert len(server.applied) == 1


@pytest.mark.spec("SC-180")
@pytest.mark.parametrize(
    ("before", "wanted"),
    [(autoscaler(a="b"), autoscaler()), (autoscaler(), autoscaler("")), (autoscaler(), autoscaler("Unreachable"))],
    ids=["annotation gone", "field gone", "field changed"],
)
async def test_what_is_wanted_no_more_is_taken_away(before, wanted):
    server = Server()
    live = await ensure(server, AUTOSCALERS, before, None)
    assert await ensure(server, AUTOSCALERS, wanted, live) is not live
    assert server.applied[-1][2]["spec"] == content_of(wanted)["spec"]


async def test_what_others_have_changed_is_put_right():
    server = Server()
    live = await ensure(server, AUTOSCALERS, autoscaler(), None)
    changed = msgspec.structs.replace(live, spec=msgspec.structs.replace(live.spec, reachability="Unreachable"))
    await ensure(server, AUTOSCALERS, autoscaler(), changed)
    assert len(server.applied) == 2


async def test_a_mark_that_was_handed_down_does_not_count():
    server = Server()
    await ensure(server, AUTOSCALERS, autoscaler(**{APPLIED: "another's"}), None)
    await ensure(server, AUTOSCALERS, autoscaler(), None)
    assert server.applied[0] == server.applied[1]


async def test_plain_objects_are_compared_as_far_as_they_are_read():
    server = Server()
    wanted = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "ns"},
        "spec": {"ports": [{"name": "a", "port": 1, "targetPort": 2, "protocol": "TCP"}], "sessionAffinity": "None"},
    }  # fmt: skip
    await ensure_plain(server, SERVICES, wanted, None, KubeService)
    live = msgspec.convert(server.applied[0][2] | {"status": {}}, KubeService)
    await ensure_plain(server, SERVICES, wanted, live, KubeService)
    assert len(server.applied) == 1


async def test_who_has_the_name_is_read():
    found = await create_or_read(Server(), AUTOSCALERS, autoscaler(), PodAutoscaler)
    assert found.name == "a"


def service(observed=0):
    made = {"metadata": {"name": "s", "namespace": "ns", "generation": 2}, "status": {"observedGeneration": observed}}
    return msgspec.convert(made, Service)


@pytest.mark.spec("SC-025")
async def test_the_generation_is_observed_also_when_the_work_fails():
    server, events = Server(), Events()

    async def work(_conditions):
        raise KubeError(500, "", "etcd is away")

    with pytest.raises(KubeError):
        await settle(server, events, service(), ("A",), work)
    ((_, subresource, body),) = server.applied
    assert (subresource, body["status"]["observedGeneration"]) == ("status", 2)
    ready = next(each for each in body["status"]["conditions"] if each["type"] == "Ready")
    assert ready["reason"] == "NewObservedGenFailure"
    assert events.said == [("InternalError", "etcd is away")]


async def test_a_race_writes_nothing():
    server = Server()

    async def work(_conditions):
        raise Conflict(409, "Conflict", "changed")

    with pytest.raises(Conflict):
        await settle(server, Events(), service(), (), work)
    assert server.applied == []


async def test_a_status_that_is_the_same_is_not_written():
    server = Server()

    async def work(conditions):
        conditions.mark_false("A", "NotOwned", "x")
        return service().status

    again_s = await settle(server, Events(), service(), ("A",), work)
    assert again_s is not None
    written = msgspec.convert({**server.applied[0][2], "metadata": {"name": "s", "generation": 2}}, Service)
    await settle(server, Events(), written, ("A",), work)
    assert len(server.applied) == 1


async def test_an_object_that_has_gone_needs_no_status():
    gone = Server(NotFound(404, "NotFound", "gone"))
    await write_status(gone, resource_of(Service), service(), service(1).status, service().status)
