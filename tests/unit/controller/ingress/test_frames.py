"""Frames: what a gateway is sent depends on what there is, and never on the order in which it was seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.ingress.gate import encode
from controller.ingress.reconcile import endpoints_of
from controller.ingress.state import GateState
from controller.ingress.translate import backends_of, hosts_of
from dataplane.contract.routes import Target
from tests.unit.controller.ingress.test_translate import ingress, rule, split

NAMES = tuple(f"i{n}" for n in range(6))


def made(name, headers):
    first = {"path": "/first", "splits": [split(f"{name}-a", 40, headers), split(f"{name}-b", 60)], "headers": {}}
    second = {"splits": [split(f"{name}-a")], "appendHeaders": headers}
    return ingress({"rules": [rule(second, first, hosts=(f"{name}.example.com", f"{name}.ns"))]}, name=name)


def frame(order, headers):
    """The whole state after these Ingresses have come one by one."""
    state = GateState()
    for name in order:
        one = made(name, headers)
        backends = backends_of(one)
        state.change(
            hosts=hosts_of(one),
            targets={backend.target: Target() for backend in backends},
            endpoints={backend.target: endpoints_of(None, 80) for backend in backends},
        )
    state.version = 1
    (delta,) = state.since(0)
    return encode(delta)


@pytest.mark.spec("NW-156")
@given(st.permutations(NAMES), st.permutations([("X-A", "1"), ("X-B", "2"), ("X-C", "3")]))
def test_the_same_input_makes_the_same_bytes_in_any_order(order, headers):
    assert frame(order, dict(headers)) == frame(NAMES, {"X-A": "1", "X-B": "2", "X-C": "3"})
