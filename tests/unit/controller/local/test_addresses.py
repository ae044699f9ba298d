"""Addresses and ports: each to one pod, and not again soon."""

import socket

import pytest

from controller.local.addresses import PORT_FIRST, PORT_LAST, AllTaken, Pool, addresses, nth_address, ports


def test_addresses_are_loopback_and_look_like_hosts():
    found = [nth_address(number) for number in (0, 253, 254, (1 << 14) * 254 - 1)]
    assert found == ["127.64.0.1", "127.64.0.254", "127.64.1.1", "127.127.255.254"]


def test_what_is_given_back_comes_last():
    pool = Pool(4, lambda number: number, lambda _: True)
    first, second = pool.take(), pool.take()
    pool.give_back(first)
    assert {pool.take(), pool.take()}.isdisjoint({first, second})
    assert pool.take() == first
    with pytest.raises(AllTaken):
        pool.take()


def test_what_the_machine_uses_is_passed_over():
    pool = Pool(3, lambda number: number, lambda number: number == 1)
    assert pool.take() == 1


def test_what_an_earlier_node_lent_is_not_lent_again():
    pool = Pool(2, lambda number: number, lambda _: True)
    pool.keep(0)
    assert pool.take() == 1


def test_a_port_that_somebody_listens_on_is_not_lent():
    pool = ports()
    port = pool.take()
    assert PORT_FIRST <= port <= PORT_LAST
    with socket.create_server(("127.0.0.1", port)):
        pool.give_back(port)
        assert pool.take() != port


def test_a_new_address_has_its_serving_port_free():
    with socket.create_server((addresses().take(), 8012)) as listener:
        assert listener.getsockname()[1] == 8012
