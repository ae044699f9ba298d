"""Services: the two of each revision, and who stands behind the public one (SC 2.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from controller.api.core import Endpoints, EndpointSubset
from controller.api.meta import (
    SERVERLESS_SERVICE_LABEL,
    SERVICE_TYPE_LABEL,
    child_name,
    owner_reference,
)
from controller.api.networking import H2C, ServerlessService
from dataplane.contract.ports import (
    PORT_NAMES,
    SERVING_H2C_PORT,
    SERVING_PORT,
    SERVING_TLS_PORT,
    STATS_PORT,
    USER_METRICS_PORT,
)

PUBLIC, PRIVATE = "Public", "Private"
HTTP, HTTP2, HTTPS = "http", "http2", "https"
_H2C_PROTOCOL = "kubernetes.io/h2c"


def private_name(item: ServerlessService) -> str:
    """Of the Service that selects the pods."""
    return child_name(item.name, "-private")


def target_port(item: ServerlessService) -> int:
    """Where a sidecar or an activator takes the requests of this revision."""
    return SERVING_H2C_PORT if item.spec.protocol_type == H2C else SERVING_PORT


def public(item: ServerlessService) -> dict[str, Any]:
    """No selector: its Endpoints are written by us."""
    return _service(
        item, item.name, PUBLIC, {"ports": [_main_port(item, public=True), _port(HTTPS, 443, SERVING_TLS_PORT)]}
    )


def private(item: ServerlessService, selector: dict[str, str]) -> dict[str, Any]:
    """The pods, with every port of a sidecar."""
    port = target_port(item)
    ports = [
        _main_port(item, public=False),
        _port(HTTPS, 443, SERVING_TLS_PORT),
        _port(PORT_NAMES[STATS_PORT], STATS_PORT, STATS_PORT),
        _port(PORT_NAMES[USER_METRICS_PORT], USER_METRICS_PORT, USER_METRICS_PORT),
        _port(f"{_name(item)}-istio", port, port),
    ]
    return _service(item, private_name(item), PRIVATE, {"selector": selector, "ports": ports})


def endpoints(item: ServerlessService, subsets: tuple[EndpointSubset, ...]) -> dict[str, Any]:
    """The Endpoints of the public Service: of what is given, only the ports that carry requests (SC-217)."""
    wanted = (target_port(item), SERVING_TLS_PORT)
    kept = []
    for subset in subsets:
        ports = tuple(port for port in subset.ports if port.port in wanted)
        if ports:
            kept.append(msgspec.to_builtins(msgspec.structs.replace(subset, ports=ports)))
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": _metadata(item, item.name, PUBLIC),
        "subsets": kept,
    }


def chosen(found: Endpoints, names: frozenset[str]) -> tuple[EndpointSubset, ...]:
    """The subsets with the ready addresses of these only."""
    return tuple(
        msgspec.structs.replace(
            subset,
            addresses=tuple(address for address in subset.addresses if address.ip in names),
            not_ready_addresses=(),
        )
        for subset in found.subsets
    )


def backends(found: Endpoints) -> set[tuple[str, bool, str, int]]:
    """Address, readiness, port name and port of everything: the API server sorts and regroups what it is given."""
    return {
        (address.ip, is_ready, port.name, port.port)
        for subset in found.subsets
        for is_ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses))
        for address in addresses
        for port in subset.ports
    }


def _name(item: ServerlessService) -> str:
    return HTTP2 if item.spec.protocol_type == H2C else HTTP


def _main_port(item: ServerlessService, *, public: bool) -> dict[str, Any]:
    is_h2c = item.spec.protocol_type == H2C
    made = _port(_name(item), 81 if is_h2c and public else 80, target_port(item))
    return made | {"appProtocol": _H2C_PROTOCOL} if is_h2c else made


def _port(name: str, port: int, target: int) -> dict[str, Any]:
    return {"name": name, "port": port, "targetPort": target, "protocol": "TCP"}


def _metadata(item: ServerlessService, name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": item.namespace,
        "labels": item.metadata.labels | {SERVERLESS_SERVICE_LABEL: item.name, SERVICE_TYPE_LABEL: kind},
        "ownerReferences": [msgspec.to_builtins(owner_reference(item))],
    }


def _service(item: ServerlessService, name: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(item, name, kind), "spec": spec}
