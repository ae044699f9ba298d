"""Memory: gives back to the system what a burst of held requests has left behind.

The C library keeps freed memory for the next burst, which may never come.
"""

from __future__ import annotations

import ctypes

BURST = 1000
"""Connections at once whose memory is worth a call that takes milliseconds."""


class Tide:
    """Decides when to give back; told now and then how many connections there are."""

    def __init__(self) -> None:
        self.highest = 0

    def has_ebbed(self, conns: int) -> bool:
        """There was a burst, and a tenth of it is left at most; then the next is waited for."""
        self.highest = max(self.highest, conns)
        if self.highest < BURST or conns * 10 > self.highest:
            return False
        self.highest = conns
        return True


def give_back() -> None:
    """Where the C library can (mallopt(3)); elsewhere nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
