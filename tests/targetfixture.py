"""Targets: an engine in the role of an activator or gateway, whose targets' endpoints come and go."""

from __future__ import annotations

import select
import socket
from typing import Any

from ext.plan import BY_REVISION, Plan
from tests.origin import Origin
from tests.proxyfixture import ADMIN, LABEL_ADMIN, LABEL_MAIN, MAIN, NS_PER_S, Proxy, Sent

REVISION = "default/hello-00001"
HEADERS = ("Knative-Serving-Namespace: default", "Knative-Serving-Revision: hello-00001")

WISH = {
    "endpoints": None,
    "idle_max": 100,
    "hold": True,
    "waiting_max": 10_000,
    "request_ns": 300 * NS_PER_S,
    "start_ns": 0,
    "idle_ns": 0,
    "protocol": "follow",
    "reports": True,
}
"""How requests for a revision are treated when a test does not say otherwise."""


class Targets(Proxy):
    """Runs from its making to `close`; one target, REVISION, is there from the start.

    role      "activator" or "gateway"
    wish      fields of WISH that are to be different
    """

    def __init__(
        self, *, role: str = "activator", workers: int = 1, wish: dict[str, Any] | None = None, **bounds: Any
    ) -> None:
        self.role = role
        self.wishes = {REVISION: {**WISH, **(wish or {})}}
        self.applied: Plan | None = None
        super().__init__(0, workers=workers, **bounds)

    def plan(self) -> Plan:
        """All targets anew."""
        return self.plan_with(self.wishes)

    def plan_with(self, targets: dict[str, Any], **more: Any) -> Plan:
        self.version += 1
        self.applied = Plan(
            self.engine.live,
            version=self.version,
            targets=targets,
            services={MAIN: (LABEL_MAIN, BY_REVISION), ADMIN: (LABEL_ADMIN, None)},
            role=self.role,
            **more,
        )
        return self.applied

    def change(self, targets: dict[str, dict[str, Any]], without: tuple[str, ...] = ()) -> None:
        """A new plan from the one before: these targets are new or other, those go."""
        wishes = {name: {**WISH, **wish} for name, wish in targets.items()}
        self.engine.apply(self.plan_with(wishes, previous=self.applied, without=without))

    def serve(self, *origins: Origin | int, each: int = 1, unlimited: bool = False, name: str = REVISION) -> int:
        """These serve the target from now on: origins, or ports."""
        ports = [origin if isinstance(origin, int) else origin.port for origin in origins]
        return self.engine.endpoints(name, [("127.0.0.1", port, each) for port in ports], unlimited)

    def ask(self, request: str = "GET /", *fields: str, body: bytes = b"") -> Sent:
        """A request for REVISION on a connection of its own."""
        return self.send(request, *HEADERS, *fields, body=body)

    def events(self) -> list[tuple[Any, ...]]:
        """What has been told; waits for the first."""
        assert select.select([self.engine.events_fd], [], [], 10)[0], "nothing was told"
        return self.engine.take_events()

    def snapshot(self) -> dict[str, Any]:
        """As Proxy has it, with what waits and runs for REVISION as the gate counts it."""
        flat = super().snapshot()
        flat["pending"] = self.engine.live.pending(REVISION) or 0
        flat["gate"] = self.engine.live.gate(REVISION)
        return flat


def refusing_port() -> tuple[socket.socket, int]:
    """A port where connections are refused as long as the socket is open."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken, taken.getsockname()[1]
