"""Endpoints: which pods stand behind a Service, and on which ports (Kubernetes, "Services without selectors" excluded).

Pure. Labels and owners are those of the Service, so whoever finds the Service
by them finds its endpoints the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from controller.api.core import KubeService

Object = dict[str, Any]
Ports = tuple[tuple[str, int, str], ...]
"""Name, number and application protocol of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One pod that is not on its way out."""

    namespace: str
    name: str
    uid: str
    node: str
    address: str
    is_ready: bool
    labels: dict[str, str] = field(default_factory=dict)
    port_names: dict[str, int] = field(default_factory=dict)
    """Of all its containers."""


def selects(service: KubeService, namespace: str, labels: dict[str, str]) -> bool:
    """Whether the Service stands for a pod with these labels."""
    selector = service.spec.selector
    return bool(selector) and service.namespace == namespace and selector.items() <= labels.items()


def endpoints(service: KubeService, backends: list[Backend]) -> Object:
    """The whole object; addresses are sorted, so that the same pods give the same object."""
    groups: dict[Ports, list[Backend]] = {}
    for backend in sorted(backends, key=lambda one: one.address):
        if backend.address and selects(service, backend.namespace, backend.labels):
            groups.setdefault(_ports(service, backend), []).append(backend)
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": service.name,
            "namespace": service.namespace,
            "labels": service.metadata.labels,
            "ownerReferences": [msgspec.to_builtins(owner) for owner in service.metadata.owner_references],
        },
        "subsets": [_subset(ports, found) for ports, found in groups.items()],
    }


def _ports(service: KubeService, backend: Backend) -> Ports:
    found = []
    for port in service.spec.ports:
        target = port.target_port or port.port
        number = backend.port_names.get(target, 0) if isinstance(target, str) else target
        if number:
            found.append((port.name, number, port.app_protocol))
    return tuple(found)


def _subset(ports: Ports, backends: list[Backend]) -> Object:
    made: Object = {}
    for key, is_ready in (("addresses", True), ("notReadyAddresses", False)):
        addresses = [_address(backend) for backend in backends if backend.is_ready == is_ready]
        if addresses:
            made[key] = addresses
    made["ports"] = [
        {"name": name, "port": number, "protocol": "TCP"} | ({"appProtocol": protocol} if protocol else {})
        for name, number, protocol in ports
    ]
    return made


def _address(backend: Backend) -> Object:
    reference = {"kind": "Pod", "namespace": backend.namespace, "name": backend.name, "uid": backend.uid}
    return {"ip": backend.address, "nodeName": backend.node, "targetRef": reference}
