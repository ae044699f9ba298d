"""Mailbox: nothing is lost and nobody's letters change their order, however many send at once."""

from __future__ import annotations

import pytest

from ext.testing.loop import stress


@pytest.mark.parametrize(("senders", "letters"), [(1, 1), (1, 50_000), (2, 50_000), (8, 20_000)], ids=str)
def test_every_letter_is_read_once_and_in_the_order_of_its_sender(senders: int, letters: int) -> None:
    read, out_of_order, idle = stress(senders, letters)
    assert (read, out_of_order) == (senders * letters, 0)
    assert idle < 10, "the bell rings for what is in the box"
