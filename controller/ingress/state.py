"""State: what all gateways should know, its version, and the way there from an older one."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from typing import Any

from dataplane.contract.routes import Certificate, Delta, Endpoint, Host, Target

HISTORY = 1_000
"""Changes that are kept: a gateway that is further behind gets everything."""


class GateState:
    """Hosts, targets, endpoints and certificates. Each change that changes anything is a version.

    Versions begin with the clock, so that they grow across restarts of the controller.
    """

    def __init__(self) -> None:
        self.version = time.time_ns() // 1_000
        self._hosts: dict[str, Host] = {}
        self._targets: dict[str, Target] = {}
        self._endpoints: dict[str, tuple[Endpoint, ...]] = {}
        self._certificates: dict[str, Certificate] = {}
        self._history: deque[Delta] = deque(maxlen=HISTORY)
        self._by_ingress: dict[str, set[str]] = {}
        self._uses: Counter[str] = Counter()
        self._unused: set[str] = set()

    def change(
        self,
        *,
        hosts: Mapping[str, Host | None] | None = None,
        targets: Mapping[str, Target | None] | None = None,
        endpoints: Mapping[str, tuple[Endpoint, ...]] | None = None,
        certificates: Mapping[str, Certificate | None] | None = None,
    ) -> Delta | None:
        """Takes what is new; None when nothing is. An endpoint list that is empty is a target without instances."""
        before = {name: self._hosts.get(name) for name in hosts or {}}
        changed = {
            "hosts": _take(self._hosts, hosts or {}),
            "targets": _take(self._targets, targets or {}),
            "endpoints": _take(self._endpoints, endpoints or {}),
            "certificates": _take(self._certificates, certificates or {}),
        }
        if not any(changed.values()):
            return None
        for name, new in changed["hosts"].items():
            self._count(name, before[name], new)
        for name, target in changed["targets"].items():
            self._note(name)
            if target is None:
                self._endpoints.pop(name, None)
        self.version += 1
        delta = Delta(version=self.version, since=self.version - 1, **changed)
        self._history.append(delta)
        return delta

    def since(self, version: int) -> list[Delta]:
        """The deltas from a version to now; one with everything when they are not known any more."""
        if version == self.version:
            return []
        found = [delta for delta in self._history if delta.version > version]
        if version > 0 and found and found[0].since == version:
            return found
        return [
            Delta(
                version=self.version,
                hosts=dict(self._hosts),
                targets=dict(self._targets),
                endpoints=dict(self._endpoints),
                certificates=dict(self._certificates),
            )
        ]

    def hosts_from(self, ingress: str) -> set[str]:
        """Hosts that come from that NAMESPACE/NAME."""
        return set(self._by_ingress.get(ingress, ()))

    def unused(self) -> set[str]:
        """Targets that no split names."""
        return set(self._unused)

    def has_target(self, name: str) -> bool:
        """Whether gateways know of that target."""
        return name in self._targets

    def _count(self, name: str, old: Host | None, new: Host | None) -> None:
        """Keeps who uses what, so that no change looks at all of the state."""
        for host, step in ((old, -1), (new, 1)):
            if host is None:
                continue
            names = self._by_ingress.setdefault(host.ingress, set())
            names.add(name) if step > 0 else names.discard(name)
            if not names:
                del self._by_ingress[host.ingress]
            for target in {split.target for path in host.paths for split in path.splits}:
                self._uses[target] += step
                self._note(target)

    def _note(self, target: str) -> None:
        if self._uses[target] == 0 and target in self._targets:
            self._unused.add(target)
        else:
            self._unused.discard(target)
            if self._uses[target] == 0:
                del self._uses[target]


def _take(held: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Puts into `held` what differs, and returns it."""
    changed = {}
    for name, value in wanted.items():
        if held.get(name) == value:
            continue
        changed[name] = value
        if value is None:
            held.pop(name, None)
        else:
            held[name] = value
    return changed
