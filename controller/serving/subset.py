"""Subset: which activators carry a revision: always the same ones, as far as they are there (SC 2.1, SC-218).

Rendezvous hashing: each activator has a rank for each revision, and the first
ones are taken. When one leaves, only its revisions move.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def subset(addresses: Iterable[str], count: int, key: str) -> frozenset[str]:
    """As many as `count` of the addresses; 0, or more than there are: all."""
    found = set(addresses)
    if count == 0 or count >= len(found):
        return frozenset(found)
    return frozenset(sorted(found, key=lambda address: _rank(address, key))[:count])


def _rank(address: str, key: str) -> bytes:
    return blake2b(f"{key}\0{address}".encode(), digest_size=8).digest()
