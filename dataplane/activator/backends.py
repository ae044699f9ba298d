"""Backends: who can serve a revision, by what Kubernetes says and what probes find (2.7). Pure.

    set_addresses ──► begin ──► Probes(pods) ──► pods_probed ──┬──► Found, or None: nothing new
                        │                                      └──► Probes(service) ──► service_probed ──► Found
                        └──► Found: no address, no probe needed

A round is one way through. It is repeated while `unsettled`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dataplane.config.network import AUTO, DISABLED, ENABLED, Network

Address = tuple[str, int]
"""IP address and port."""


def text_of(address: Address) -> str:
    """As the Host header has it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one probe."""

    is_healthy: bool = False
    is_not_mesh: bool = False
    """An answer came that no mesh gives: any status but 502 and 503."""


@dataclass(frozen=True, slots=True)
class Found:
    """Who serves from now on: these pods, or a Service with so many ready pods behind it; or nobody."""

    pods: tuple[Address, ...] = ()
    """In the order of addresses as text."""
    service: Address | None = None
    ready: int = 0


@dataclass(frozen=True, slots=True)
class Probes:
    """Whom to ask next, all at once."""

    pods: frozenset[Address] = frozenset()
    service: Address | None = None


ANY_NETWORK = Network()
"""Until the map has been read."""


@dataclass(slots=True)
class Backends:
    """One revision's.

    optimised  a sidecar's answer is believed before Kubernetes says that the pod is ready
    """

    network: Network = ANY_NETWORK
    optimised: bool = True
    service: Address | None = None
    """Of the private Service; None: there is none, or it has no address."""
    ready: frozenset[Address] = frozenset()
    not_ready: frozenset[Address] = frozenset()
    healthy: frozenset[Address] = frozenset()
    is_service_healthy: bool = False
    is_addressable: bool = True
    """False once only the Service has answered; for the life of this object (DP-214)."""
    _fallen: frozenset[Address] = field(default=frozenset())
    """Were ready and are not any more, since the last round."""
    _is_changed: bool = False

    def set_addresses(self, ready: frozenset[Address], not_ready: frozenset[Address]) -> None:
        """What the private Endpoints say."""
        not_ready -= ready
        self._fallen |= self.ready & not_ready
        self.ready, self.not_ready = ready, not_ready

    def announced(self, address: Address) -> Found | None:
        """An instance says itself that it serves. It stays when the Endpoints name it too."""
        if self.is_service_healthy or address in self.healthy:
            return None
        self.healthy |= {address}
        return self._found()

    def refused(self, address: Address) -> None:
        """A connection was refused: it has to answer a probe before it is used again (W32)."""
        self.healthy -= {address}
        self._is_changed = True
        if address == self.service:
            self.is_service_healthy = False

    @property
    def unsettled(self) -> bool:
        """Another round is due after a while."""
        known = self.ready | self.not_ready
        return bool(known) and not self.is_service_healthy and self.healthy != known

    def begin(self) -> Found | Probes | None:
        """Steps 1 to 5. Gives who serves, whom to probe, or None when there is nothing to do."""
        known = self.ready | self.not_ready
        if not known:
            self.healthy = frozenset()
            self.is_service_healthy = self._is_changed = False
            self._fallen = frozenset()
            return Found()
        if not self._asks_pods():
            return self._service_step()
        dropped = self.healthy & self._fallen
        self._fallen = frozenset()
        self.healthy -= dropped
        self._is_changed |= bool(dropped)
        if self.healthy == known:
            if self._is_changed:
                self._is_changed = False
                return self._found()
            return None
        trusted = self.healthy if self.network.mesh == AUTO else self.healthy | self.ready
        wanted = known - trusted
        if not wanted:
            return self._settle(trusted & known)
        return Probes(pods=wanted)

    def pods_probed(self, outcomes: Mapping[Address, Outcome]) -> Found | Probes | None:
        """Steps 6 to 10."""
        known = self.ready | self.not_ready
        healthy = self.healthy if self.network.mesh == AUTO else self.healthy | self.ready
        for address, outcome in outcomes.items():
            if outcome.is_healthy and (address in self.ready or self.optimised):
                healthy |= {address}
        healthy &= known
        if healthy != self.healthy or self._is_changed:
            return self._settle(healthy)
        if healthy or any(outcome.is_not_mesh for outcome in outcomes.values()):
            return None
        if self.network.addressable or self.network.mesh == DISABLED:
            return None
        return self._service_step()

    def service_probed(self, is_healthy: bool) -> Found | None:
        """The end of step 10."""
        if not is_healthy or not (self.ready or self.not_ready):
            return None
        self.is_addressable = False
        self.is_service_healthy = True
        self.healthy = frozenset()
        return Found(service=self.service, ready=len(self.ready))

    def _asks_pods(self) -> bool:
        return self.network.addressable or (self.is_addressable and self.network.mesh != ENABLED)

    def _service_step(self) -> Found | Probes | None:
        if self.service is None:
            return None
        if self.is_service_healthy:
            return Found(service=self.service, ready=len(self.ready))
        return Probes(service=self.service)

    def _settle(self, healthy: frozenset[Address]) -> Found:
        self.healthy = healthy
        self._is_changed = False
        return self._found()

    def _found(self) -> Found:
        return Found(pods=tuple(sorted(self.healthy, key=text_of)))
