"""Memory: gives back to the system what a burst of held requests has left behind.

The C library keeps freed memory for the next burst, which may never come.
"""

from __future__ import annotations

import asyncio
import ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LOOK_S = 1.0
"""Between two looks at whether a burst is over."""
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


class Ebb:
    """Looks every second while there are connections, and gives back once a burst is over.

    connections  how many are open now
    """

    def __init__(self, connections: Callable[[], int], give: Callable[[], None] | None = None) -> None:
        self._connections = connections
        self._give = give or give_back
        self._tide = Tide()
        self._is_awake = False

    def wake(self) -> None:
        """Somebody waits, which may be the beginning of a burst."""
        if not self._is_awake:
            self._look()

    def _look(self) -> None:
        conns = self._connections()
        if self._tide.has_ebbed(conns):
            self._give()
        self._is_awake = conns > 0
        if self._is_awake:
            asyncio.get_running_loop().call_later(LOOK_S, self._look)


def give_back() -> None:
    """Where the C library can (mallopt(3)); elsewhere nothing happens."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
