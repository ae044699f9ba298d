"""Subset: which pods of a revision are this activator's, and how much of a Service is (2.6). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from dataplane.contract.record import Record

T = TypeVar("T")


class Share(Record):
    """This activator among those that are in front of a revision."""

    count: int = 0
    """Activators; 0: not known yet."""
    index: int = -1
    """In the order of addresses; -1: not known yet."""


UNKNOWN = Share()
"""Every pod is ours until we know better."""


def share_of(address: str, activators: Sequence[str], before: Share) -> Share:
    """By the ready addresses of a revision's public Endpoints; the one before when ours is not there (DP-202)."""
    ordered = sorted(set(activators))
    if address not in ordered:
        return before
    return Share(count=len(ordered), index=ordered.index(address))


def assigned(pods: Sequence[T], share: Share) -> list[T]:
    """The pods that this activator sends requests to; `pods` are in the order of addresses (DP-200)."""
    if share.index < 0 or len(pods) <= 1 or share.count <= 1:
        return list(pods)
    if share.count > len(pods):
        return [pods[share.index % len(pods)]]
    each, rest = divmod(len(pods), share.count)
    mine = list(pods[share.index * each : (share.index + 1) * each])
    if share.index < rest:
        mine.append(pods[len(pods) - rest + share.index])
    return mine


def service_capacity(concurrency: int, pods: int, share: Share) -> int:
    """Requests that this activator may send to a Service at once, when each pod runs `concurrency` (DP-201)."""
    whole = concurrency * pods
    return max(1, whole // max(share.count, 1)) if whole else 0
