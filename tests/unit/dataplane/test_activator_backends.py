"""Backends of a revision: the rounds of 2.7."""

from __future__ import annotations

import pytest

from dataplane.activator.backends import Backends, Found, Outcome, Probes, text_of
from dataplane.config.network import AUTO, DISABLED, ENABLED, Network, read_network

A, B, C = (("10.0.0.1", 8012), ("10.0.0.2", 8012), ("10.0.0.10", 8012))
SERVICE = ("10.96.0.1", 80)
UP = Outcome(is_healthy=True, is_not_mesh=True)
DOWN = Outcome()
MESH = Outcome()
NOT_FOUND = Outcome(is_not_mesh=True)


def some(*addresses):
    return frozenset(addresses)


def backends(ready=(), not_ready=(), mesh=AUTO, addressable=False, **more):
    made = Backends(network=Network(mesh=mesh, addressable=addressable), **more)
    made.set_addresses(some(*ready), some(*not_ready))
    return made


@pytest.mark.spec("DP-208")
def test_all_are_probed_and_published_once_they_answer():
    them = backends([A, B])
    assert them.begin() == Probes(pods=some(A, B))
    assert them.pods_probed({A: UP, B: DOWN}) == Found(pods=(A,))
    assert them.unsettled
    assert them.begin() == Probes(pods=some(B))
    assert them.pods_probed({B: DOWN}) is None
    assert them.begin() == Probes(pods=some(B))
    assert them.pods_probed({B: UP}) == Found(pods=(A, B))
    assert not them.unsettled
    assert them.begin() is None


def test_pods_are_in_the_order_of_text():
    them = backends([A, B, C])
    them.begin()
    assert them.pods_probed({A: UP, B: UP, C: UP}) == Found(pods=tuple(sorted([A, B, C], key=text_of)))
    assert text_of(("::1", 80)) == "[::1]:80"


def test_no_address_means_nobody():
    them = backends([A])
    them.begin()
    them.pods_probed({A: UP})
    them.set_addresses(some(), some())
    assert them.begin() == Found()
    assert not them.unsettled


@pytest.mark.spec("DP-209", "DP-210")
@pytest.mark.parametrize(("optimised", "found"), [(True, Found(pods=(A,))), (False, None)], ids=["trusted", "not"])
def test_a_pod_that_is_not_ready(optimised, found):
    them = backends([], [A], optimised=optimised)
    assert them.begin() == Probes(pods=some(A))
    assert them.pods_probed({A: UP}) == found
    assert them.unsettled is not optimised


@pytest.mark.spec("DP-211")
def test_a_pod_that_falls_is_dropped_and_asked():
    them = backends([A, B])
    them.begin()
    them.pods_probed({A: UP, B: UP})
    them.set_addresses(some(A), some(B))
    assert them.begin() == Probes(pods=some(B))
    assert them.pods_probed({B: DOWN}) == Found(pods=(A,))
    assert them.begin() == Probes(pods=some(B))
    assert them.pods_probed({B: UP}) == Found(pods=(A, B))


def test_a_pod_that_goes_is_left_out_without_a_probe():
    them = backends([A, B])
    them.begin()
    them.pods_probed({A: UP, B: UP})
    them.set_addresses(some(A), some())
    assert them.begin() == Found(pods=(A,))
    assert not them.unsettled


@pytest.mark.spec("DP-212")
def test_without_a_mesh_ready_means_healthy_and_the_service_is_never_used():
    them = backends([A], [B], mesh=DISABLED, service=SERVICE)
    assert them.begin() == Probes(pods=some(B))
    assert them.pods_probed({B: DOWN}) == Found(pods=(A,))
    them = backends([], [B], mesh=DISABLED, service=SERVICE)
    assert them.begin() == Probes(pods=some(B))
    assert them.pods_probed({B: MESH}) is None


@pytest.mark.spec("DP-213")
def test_with_a_mesh_only_the_service_is_asked():
    them = backends([A, B], mesh=ENABLED, service=SERVICE)
    assert them.begin() == Probes(service=SERVICE)
    assert them.service_probed(False) is None
    assert them.begin() == Probes(service=SERVICE)
    assert them.service_probed(True) == Found(service=SERVICE, ready=2)
    assert not them.unsettled
    them.set_addresses(some(A), some())
    assert them.begin() == Found(service=SERVICE, ready=1)


def test_with_an_addressable_mesh_pods_are_asked():
    them = backends([], [A], mesh=ENABLED, addressable=True, service=SERVICE)
    assert them.begin() == Probes(pods=some(A))
    assert them.pods_probed({A: MESH}) is None


@pytest.mark.spec("DP-214")
def test_once_only_the_service_answers_it_stays_with_it():
    them = backends([A, B], service=SERVICE)
    assert them.begin() == Probes(pods=some(A, B))
    assert them.pods_probed({A: MESH, B: MESH}) == Probes(service=SERVICE)
    assert them.service_probed(True) == Found(service=SERVICE, ready=2)
    them.set_addresses(some(), some())
    assert them.begin() == Found()
    them.set_addresses(some(A), some())
    assert them.begin() == Probes(service=SERVICE)


@pytest.mark.spec("DP-215")
def test_an_answer_that_no_mesh_gives_keeps_it_with_the_pods():
    them = backends([A, B], service=SERVICE)
    them.begin()
    assert them.pods_probed({A: MESH, B: NOT_FOUND}) is None


def test_without_a_service_there_is_nothing_to_fall_back_to():
    them = backends([A])
    them.begin()
    assert them.pods_probed({A: MESH}) is None


def test_who_refused_is_asked_before_it_comes_back():
    them = backends([A, B])
    them.begin()
    them.pods_probed({A: UP, B: UP})
    them.refused(A)
    assert them.unsettled
    assert them.begin() == Probes(pods=some(A))
    assert them.pods_probed({A: UP}) == Found(pods=(A, B))
    assert them.begin() is None


def test_who_refused_and_does_not_answer_is_out():
    them = backends([A, B])
    them.begin()
    them.pods_probed({A: UP, B: UP})
    them.refused(A)
    them.begin()
    assert them.pods_probed({A: DOWN}) == Found(pods=(B,))


def test_a_service_that_refused_is_asked_again():
    them = backends([A], mesh=ENABLED, service=SERVICE)
    them.begin()
    them.service_probed(True)
    them.refused(SERVICE)
    assert them.begin() == Probes(service=SERVICE)


def test_an_announced_instance_is_believed():
    them = backends()
    assert them.announced(A) == Found(pods=(A,))
    assert them.announced(A) is None
    them.set_addresses(some(), some(A))
    assert them.begin() is None
    assert not them.unsettled


@pytest.mark.parametrize(
    ("data", "expected", "problems"),
    [
        ({}, Network(), 0),
        ({"mesh-compatibility-mode": "Enabled"}, Network(mesh=ENABLED), 0),
        ({"enable-mesh-pod-addressability": "true"}, Network(addressable=True), 0),
        ({"mesh-compatibility-mode": "x", "enable-mesh-pod-addressability": "y"}, Network(), 2),
    ],
    ids=["nothing", "mesh", "addressable", "wrong"],
)
def test_the_map_of_the_network(data, expected, problems):
    network, said = read_network(data)
    assert (network, len(said)) == (expected, problems)
