"""TLS end: what is under way when our side ends is neither lost nor taken for a cut; both were found by tests.fuzz."""

from __future__ import annotations

import pytest

from ext.testing import fuzz_tls
from tests.fuzz.scripts import OPENED, PEER_REKEY, PEER_WRITE, PUMP, SHUT, WRITE, step

SERVER, CLIENT = 0, 1
ALL_WAS_HEARD = 0
FILLS_THE_SOCKET = step(WRITE, 13) * 8


@pytest.mark.parametrize("side", [SERVER, CLIENT], ids=["server", "client"])
def test_close_notify_waits_for_room_and_the_fin_for_close_notify(side: int) -> None:
    assert fuzz_tls.run("tls", bytes([side]) + OPENED + FILLS_THE_SOCKET + step(SHUT)) == ALL_WAS_HEARD


@pytest.mark.parametrize("side", [SERVER, CLIENT], ids=["server", "client"])
def test_a_peer_that_changes_keys_after_our_end_is_heard(side: int) -> None:
    late = step(PUMP) + step(PEER_REKEY, 1) * 2 + step(PEER_WRITE, 14)
    assert fuzz_tls.run("tls", bytes([side]) + OPENED + step(SHUT) + late) == ALL_WAS_HEARD


def test_close_notify_follows_an_answer_to_new_keys_that_waits_for_room() -> None:
    full = OPENED + step(WRITE, 13) * 6 + step(PEER_REKEY, 1) * 14 + step(PUMP)
    assert fuzz_tls.run("tls", bytes([CLIENT]) + full + step(SHUT)) == ALL_WAS_HEARD
