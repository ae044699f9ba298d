"""Siblings: what a change of one Ingress costs does not depend on how many others there are."""

import sys

import msgspec
import pytest

from controller.ingress.gate import Gate
from controller.ingress.reconcile import GatewayPlace, IngressReconciler
from controller.ingress.state import GateState
from controller.kube.events import Recorder
from controller.observe import Observed
from dataplane.kube.watch import Changed
from tests.unit.controller.ingress.test_translate import ingress, rule, split, to_revision

CLASS = "networking.knative.dev/ingress.class"


class Server:
    """Takes every status."""

    async def apply(self, _resource, _namespace, _name, body, kind, subresource=""):
        return msgspec.convert(body, kind)


def made(i, word="a"):
    only = split("rev", headers=to_revision(f"rev-{i}") | {"X-Word": word})
    one = ingress({"rules": [rule({"splits": [only]}, hosts=(f"h{i}.example",))]}, name=f"i{i}")
    metadata = msgspec.structs.replace(one.metadata, annotations={CLASS: "ours"})
    return msgspec.structs.replace(one, metadata=metadata)


async def one_by_one(items):
    for item in items:
        yield Changed(item)


class World:
    """A reconciler with that many Ingresses behind it."""

    async def begin(self, count):
        client = Server()
        self.observed = Observed(client, "system")
        self.gate = Gate(GateState())
        place = GatewayPlace("ours", "out.example.com", "in.example.com")
        self.reconcile = IngressReconciler(client, self.observed, Recorder(client, "test"), self.gate, place)
        await self.observed.ingresses.follow(one_by_one(made(i) for i in range(count)))
        for i in range(count):
            await self.reconcile(("ns", f"i{i}"))
        return self

    async def calls_for(self, item):
        """Python functions and built-in ones that a change calls, from the watch to the frame."""
        calls = 0

        def count(_frame, event, _argument):
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            await self.observed.ingresses.follow(one_by_one([item]))
            await self.reconcile(item.key)
        finally:
            sys.setprofile(None)
        return calls


@pytest.mark.spec("NW-161")
async def test_a_change_among_five_thousand_is_as_much_work_as_among_ten():
    few, many = await World().begin(10), await World().begin(5000)
    for item in (made(3, "b"), made(5001), made(3, "c")):
        among_few = await few.calls_for(item)
        before = many.gate.state.version
        assert await many.calls_for(item) <= among_few * 1.1
        (delta,) = many.gate.state.since(before)
        assert set(delta.hosts) == set(item.spec.rules[0].hosts)
