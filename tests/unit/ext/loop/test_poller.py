"""Poller: edges once, levels again, and what was closed before everything else."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from ext.testing.loop import Eyes

IN, OUT, HUP, RDHUP = 1, 4, 16, 8192


@pytest.fixture
def pairs() -> Iterator[list[tuple[socket.socket, socket.socket]]]:
    made = [socket.socketpair() for _ in range(4)]
    yield made
    for pair in made:
        for end in pair:
            end.close()


def test_an_edge_is_told_once_and_again_when_more_comes(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    (near, far), eyes = pairs[0], Eyes()
    eyes.watch(near.fileno())
    assert eyes.turn() == [(near.fileno(), OUT)]
    far.send(b"x")
    assert eyes.turn() == [(near.fileno(), IN | OUT)]
    assert eyes.turn() == []
    far.send(b"y")
    assert eyes.turn() == [(near.fileno(), IN | OUT)]


def test_a_level_is_told_until_it_is_taken(pairs: list[tuple[socket.socket, socket.socket]]) -> None:
    (near, far), eyes = pairs[0], Eyes()
    eyes.watch(near.fileno(), level=True)
    far.send(b"x")
    assert eyes.turn() == eyes.turn() == [(near.fileno(), IN)]
    near.recv(1)
    assert eyes.turn() == []


def test_an_eager_watch_that_was_closed_goes_before_the_others(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    eyes = Eyes()
    for number, (near, _) in enumerate(pairs):
        eyes.watch(near.fileno(), eager=number == 3)
    eyes.turn()
    for _, far in pairs[:3]:
        far.send(b"a request")
    pairs[3][1].close()
    first, *others = eyes.turn()
    assert first[0] == pairs[3][0].fileno()
    assert first[1] & RDHUP
    assert len(others) == 3


def test_a_watch_that_was_forgotten_in_the_same_batch_is_not_called(
    pairs: list[tuple[socket.socket, socket.socket]],
) -> None:
    (one, _), (two, _) = pairs[:2]
    eyes = Eyes()
    eyes.watch(one.fileno())
    eyes.watch(two.fileno())
    eyes.reaction = lambda fd: eyes.forget(two.fileno() if fd == one.fileno() else one.fileno())
    assert len(eyes.turn()) == 1
