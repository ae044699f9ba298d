"""Leftovers: the gateway and the pods that go on after their `up` was killed.

The next `up` goes on with them; `end` is for who wants none. The kernel says
whose the gateway's socket is; pods are known by their records.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from . import records
from .gateway import LEAVE_S
from .home import Home
from .process import signal_group

STOP_S = 5.0
"""What pods get between TERM and KILL, as when `up` ends itself."""
PEER = struct.Struct("3i")
"""struct ucred: pid, uid, gid."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What runs although no `up` does."""

    home: Home
    gateways: tuple[int, ...]
    """Pids; one at most."""
    pods: tuple[records.PodRecord, ...]

    @classmethod
    def find(cls, home: Home) -> Leftovers:
        """Ask only when nobody holds the lock: what is found else is not left behind."""
        return cls(home, _gateways(home), tuple(records.look(home.node_pods)))

    def __bool__(self) -> bool:
        return bool(self.gateways or self.pods)

    def __str__(self) -> str:
        count = len(self.pods)
        parts = ["a gateway"] if self.gateways else []
        if count:
            parts.append(f"{count} pod{'s' if count > 1 else ''}")
        return " and ".join(parts)

    @property
    def told(self) -> str:
        """A sentence for whoever expected that nothing, or everything, runs."""
        return (
            f"penstock does not run, but what an earlier one left behind goes on: {self} (state in {self.home.state})"
        )

    def end(self, stop_s: float = STOP_S) -> None:
        """First the gateway, which answers what it carries; then the pods, which have `stop_s` for it."""
        _end(self.gateways, LEAVE_S)
        _end((pid for record in self.pods for pid in record.living), stop_s)
        for record in self.pods:
            records.forget(self.home.node_pods, record)


def _gateways(home: Home) -> tuple[int, ...]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asked:
        try:
            asked.connect(os.fspath(home.handover))
        except OSError:
            return ()
        pid, _, _ = PEER.unpack(asked.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return (pid,)


def _end(pids: Iterable[int], patience_s: float) -> None:
    """TERM, and KILL when the patience is over; returns when they have ended."""
    running: dict[int, int] = {}
    events = select.poll()
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            running[descriptor] = pid
            events.register(descriptor, select.POLLIN)
            signal_group(pid, signal.SIGTERM)
    by_s = time.monotonic() + patience_s
    while running:
        left_s = by_s - time.monotonic()
        if left_s <= 0:
            for pid in running.values():
                signal_group(pid, signal.SIGKILL)
        for descriptor, _ in events.poll(left_s * 1000 if left_s > 0 else None):
            # What it leaves behind in its session ends with it, as in a container.
            signal_group(running.pop(descriptor), signal.SIGKILL)
            events.unregister(descriptor)
            os.close(descriptor)
