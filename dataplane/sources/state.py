"""State: all that a gateway was told, so that it can be kept, and a whole state be told from a change."""

from __future__ import annotations

from typing import Any

from dataplane.contract.document import DocumentError, document
from dataplane.contract.routes import SUBPROTOCOL, Certificate, Delta, Endpoint, Host, Target, read_delta
from dataplane.contract.values import quoted


class RouteState:
    """Hosts, targets, endpoints and certificates at one version; 0: nothing yet."""

    def __init__(self) -> None:
        self.version = 0
        self._hosts: dict[str, Host] = {}
        self._targets: dict[str, Target] = {}
        self._endpoints: dict[str, tuple[Endpoint, ...]] = {}
        self._certificates: dict[str, Certificate] = {}

    def whole(self, delta: Delta) -> Delta:
        """The delta as a change of this state: one that replaces everything also says what has to go."""
        if delta.since != 0:
            return delta
        return delta.but(
            hosts=dict.fromkeys(self._hosts) | dict(delta.hosts),
            targets=dict.fromkeys(self._targets) | dict(delta.targets),
            endpoints=dict.fromkeys(self._endpoints, ()) | dict(delta.endpoints),
            certificates=dict.fromkeys(self._certificates) | dict(delta.certificates),
        )

    def take(self, delta: Delta) -> None:
        """From now on this is the state."""
        delta = self.whole(delta)
        parts: tuple[tuple[dict[str, Any], Any], ...] = (
            (self._hosts, delta.hosts),
            (self._targets, delta.targets),
            (self._endpoints, delta.endpoints),
            (self._certificates, delta.certificates),
        )
        for held, changes in parts:
            for name, value in changes.items():
                if value is None:
                    held.pop(name, None)
                else:
                    held[name] = value
        for name in [name for name in self._endpoints if name not in self._targets]:
            del self._endpoints[name]
        self.version = delta.version

    def document(self) -> dict[str, Any]:
        """All of it, as `read_kept` reads it. Nested, so that a gateway of version 1 refuses it."""
        whole = Delta(
            version=max(self.version, 1),
            hosts=self._hosts,
            targets=self._targets,
            endpoints=self._endpoints,
            certificates=self._certificates,
        )
        return {"protocol": SUBPROTOCOL, "delta": document(whole)}


def read_kept(value: Any) -> Delta:
    """A state that was kept: of this version, or of version 1, where a whole host was local or not.

    Raises  DocumentError.
    """
    if not isinstance(value, dict) or "protocol" not in value:
        return read_delta(_from_version_1(value))
    if value["protocol"] != SUBPROTOCOL:
        raise DocumentError([f"protocol: {quoted(str(value['protocol']))} is not {SUBPROTOCOL}"])
    return read_delta(value.get("delta"))


def _from_version_1(value: Any) -> Any:
    """The paths of a local host are local."""
    if not isinstance(value, dict):
        return value
    try:
        for host in value.get("hosts", {}).values():
            if host.get("visibility") == "local":
                host["paths"] = [{**path, "local": True} for path in host["paths"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise DocumentError(["hosts: are not as version 1 has them"]) from error
    return value
