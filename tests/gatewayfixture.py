"""Gateway: an engine with routes, a public and a private listener, in the test's own process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataplane.contract.routes import Path, Split
from ext.hosts import HostRoutes
from ext.plan import BY_HOST, BY_HOST_PRIVATE, FOREVER_NS, Plan
from tests.line import Answer
from tests.origin import Origin
from tests.proxyfixture import ADMIN, LABEL_ADMIN, LABEL_MAIN, MAIN, Proxy

PRIVATE, SECURE = 2, 3
LABEL_SECURE = 1
HASH = "0123abcd"

WISH: dict[str, Any] = {
    "endpoints": None,
    "idle_max": 100,
    "hold": False,
    "waiting_max": 100,
    "request_ns": FOREVER_NS,
    "start_ns": 0,
    "idle_ns": 0,
    "protocol": "http1",
}
"""How requests for a target are treated when a test does not say otherwise."""


def to(target: str, percent: int = 100, **set_headers: str) -> Split:
    """A split; an underscore in a field's name stands for a hyphen."""
    return Split(target=target, percent=percent, set_headers=fields(set_headers))


def path(prefix: str = "/", *splits: Split | str, **more: Any) -> Path:
    return Path(prefix=prefix, splits=tuple(to(s) if isinstance(s, str) else s for s in splits), **more)


def fields(named: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in named.items()}


def routes(*paths: Path, hash: str = HASH, local: bool = False) -> HostRoutes:
    return HostRoutes([one.but(local=local or one.local) for one in paths], hash)


class Gateway(Proxy):
    """Runs from its making to `close`; it begins without hosts and targets.

    port, private   of the public and of the private listener
    timing          who was held is told for what
    """

    def __init__(
        self, *, workers: int = 1, trusted: tuple[tuple[bytes, int], ...] = (), timing: bool = False, **bounds: Any
    ) -> None:
        self.applied: Plan | None = None
        self.timing = timing
        super().__init__(0, workers=workers, trusted=trusted, **bounds)
        self.private = self.engine.listen(PRIVATE, "127.0.0.1", 0)

    def plan(self) -> Plan:
        return self.plan_with({}, {})

    def plan_with(self, targets: dict[str, Any], hosts: dict[str, HostRoutes | None]) -> Plan:
        self.version += 1
        self.applied = Plan(
            self.engine.live,
            version=self.version,
            previous=self.applied,
            targets=targets,
            hosts=hosts,
            services={
                MAIN: (LABEL_MAIN, BY_HOST),
                ADMIN: (LABEL_ADMIN, None),
                PRIVATE: (LABEL_MAIN, BY_HOST_PRIVATE),
                SECURE: (LABEL_SECURE, BY_HOST),
            },
            role="gateway",
            trusted=self.trusted,
            timing=self.timing,
        )
        return self.applied

    def serve(self, **origins: Origin | int | None) -> None:
        """Targets by name, each with one endpoint (an origin or a port) or, with None, without."""
        self.engine.apply(self.plan_with(dict.fromkeys(origins, WISH), {}))
        for name, origin in origins.items():
            if origin is not None:
                self.at(name, origin)

    def hold(self, name: str, **wish: Any) -> None:
        """A target whose requests wait here for an endpoint, as at an activator; it has none yet."""
        self.engine.apply(self.plan_with({name: {**WISH, "hold": True, "marks": True, "reports": True, **wish}}, {}))

    def at(self, name: str, origin: Origin | int, each: int = 0) -> None:
        """That target's only endpoint from now on; `each` requests at once, 0: any number."""
        port = origin if isinstance(origin, int) else origin.port
        self.engine.endpoints(name, [("127.0.0.1", port, each or 1)], unlimited=not each)

    def route(self, hosts: Mapping[str, HostRoutes | None]) -> None:
        """These hosts change, all others stay."""
        self.engine.apply(self.plan_with({}, dict(hosts)))

    def to(self, host: str, target: str = "/", *more: str, method: str = "GET", port: int | None = None) -> Answer:
        """One request on a connection of its own; `more` are lines of fields."""
        line = self.connect(port=port)
        line.send("\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *more, "", ""]).encode("latin-1"))
        return line.answer()

    def to_private(self, host: str, target: str = "/", *more: str) -> Answer:
        return self.to(host, target, *more, port=self.private)
