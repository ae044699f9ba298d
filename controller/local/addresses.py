"""Address: where a pod listens on this machine, and the port of its app.

Every pod has an address of 127.64.0.0/10 to itself, so the fixed ports of all
sidecars stay as they are. Apps share the machine's network and differ by port.
What was given away comes again only after everything else: whoever still knows
an old address finds nobody there, and not somebody else.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from dataplane.contract.ports import SERVING_PORT

T = TypeVar("T", bound=Hashable)

NETWORK = 127 << 24 | 64 << 16
"""127.64.0.0/10: within loopback, and away from what people use by hand."""

HOST_COUNT = 1 << 22
HOSTS_USED = 254
"""Of each 256: the ends .0 and .255 look like a network and a broadcast."""

PORT_FIRST = 20_000
PORT_LAST = 32_767
"""Below the ports that the kernel gives to outgoing connections."""


class AllTaken(Exception):
    """Nothing is free."""


class Pool(Generic[T]):
    """Things that are lent, one after the other, beginning anywhere.

    count    how many there are
    nth      the thing of a number from 0
    is_free  whether the machine would let us use it
    """

    def __init__(self, count: int, nth: Callable[[int], T], is_free: Callable[[T], bool]) -> None:
        self._count = count
        self._nth = nth
        self._is_free = is_free
        self._next = random.randrange(count)
        self._lent: set[T] = set()

    def take(self) -> T:
        """Raises AllTaken."""
        for _ in range(self._count):
            found = self._nth(self._next)
            self._next = (self._next + 1) % self._count
            if found not in self._lent and self._is_free(found):
                self._lent.add(found)
                return found
        raise AllTaken

    def keep(self, thing: T) -> None:
        """Lent by an earlier process, and still in use."""
        self._lent.add(thing)

    def give_back(self, thing: T) -> None:
        self._lent.discard(thing)


def addresses() -> Pool[str]:
    """Of pods."""
    return Pool(HOST_COUNT // 256 * HOSTS_USED, nth_address, lambda address: can_bind(address, SERVING_PORT))


def ports() -> Pool[int]:
    """Of apps."""
    return Pool(PORT_LAST - PORT_FIRST + 1, lambda number: PORT_FIRST + number, lambda port: can_bind("", port))


def nth_address(number: int) -> str:
    block, host = divmod(number, HOSTS_USED)
    whole = NETWORK + block * 256 + host + 1
    return ".".join(str(whole >> shift & 255) for shift in (24, 16, 8, 0))


def can_bind(address: str, port: int) -> bool:
    """Whether a listener would be let in; an empty address means all of both families."""
    both = not address and socket.has_dualstack_ipv6()
    with socket.socket(socket.AF_INET6 if both else socket.AF_INET) as probe:
        if both:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
