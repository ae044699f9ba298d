"""ProbeRules: what a probe of a container may be (SC 3.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.api.errors import (
    INT32_MAX,
    FieldError,
    disallowed,
    generic,
    invalid,
    none_of,
    out_of_bounds,
    several_of,
    under,
)
from controller.api.podspec import HANDLERS, PROBE

Json = dict[str, Any]

PORT_MATCH = "Probe port must match container port"


def beyond(document: Json, allowed: Any) -> Iterator[FieldError]:
    """Fields that the document sets and the mask does not have; what is empty is not set."""
    wrong = [
        name for name, value in document.items() if name not in allowed and value not in (None, False, 0, "", [], {})
    ]
    if wrong:
        yield disallowed(*wrong)


def probe_problems(probe: Json, port_name: str) -> Iterator[FieldError]:
    """A probe has one handler, and asks the port that the container has."""
    yield from beyond(probe, PROBE)
    found = [name for name in HANDLERS if probe.get(name) is not None]
    for name in found:
        yield from under(name, beyond(probe[name], HANDLERS[name]))
        port = probe[name].get("port")
        if isinstance(port, str) and port not in ("", port_name):
            yield invalid(port, f"{name}.port", PORT_MATCH)
    if not found:
        yield none_of(*HANDLERS)
    elif len(found) > 1:
        yield several_of(*found)


def readiness_problems(probe: Json) -> Iterator[FieldError]:
    """periodSeconds 0 asks as fast as it can, and then has neither threshold nor timeout (SC-081)."""
    period = probe.get("periodSeconds") or 0
    for name, lower in (("periodSeconds", 0), ("initialDelaySeconds", 0), ("successThreshold", 1)):
        value = probe.get(name) or 0
        if not lower <= value <= INT32_MAX:
            yield out_of_bounds(value, lower, INT32_MAX, name)
    for name in ("failureThreshold", "timeoutSeconds"):
        value = probe.get(name) or 0
        if period == 0 and value != 0:
            yield generic(f"{name} is disallowed when periodSeconds is zero", name)
        elif period != 0 and not 1 <= value <= INT32_MAX:
            yield out_of_bounds(value, 1, INT32_MAX, name)


def sidecar_problems(probe: Json) -> Iterator[FieldError]:
    """A container without a port of its own has to name the one that is asked."""
    for name in ("httpGet", "tcpSocket", "grpc"):
        handler = probe.get(name)
        if handler is not None and not handler.get("port"):
            yield invalid(handler.get("port") or 0, f"{name}.port", "Probe port must be specified")
