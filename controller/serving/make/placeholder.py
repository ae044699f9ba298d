"""Placeholder: the Service that makes a Route's name resolve inside of the cluster (networking.md 5.6)."""

from __future__ import annotations

from typing import Any

import msgspec

from controller.api.meta import ROUTE_LABEL, VISIBILITY_LABEL, owner_reference
from controller.api.networking import LoadBalancerIngress
from controller.api.serving import Route

from .hosts import Names

PORT = {"name": "http2", "port": 80, "targetPort": 80, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}
MESH_PORT = {"name": "http", "port": 80, "targetPort": 80, "protocol": "TCP"}


def placeholder(route: Route, names: Names, balancer: LoadBalancerIngress | None) -> dict[str, Any]:
    """The Service of one tag. Without a load balancer yet it points at the tag's own host."""
    labels = {key: value for key, value in route.metadata.labels.items() if key != VISIBILITY_LABEL}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": names.label,
            "namespace": route.namespace,
            "labels": labels | {ROUTE_LABEL: route.name},
            "ownerReferences": [msgspec.to_builtins(owner_reference(route))],
        },
        "spec": _spec(names, balancer),
    }


def endpoints(route: Route, names: Names, balancer: LoadBalancerIngress) -> dict[str, Any]:
    """Behind the headless Service of a load balancer that is an address."""
    service = placeholder(route, names, balancer)
    port = {"name": PORT["name"], "port": PORT["targetPort"], "protocol": "TCP", "appProtocol": PORT["appProtocol"]}
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": service["metadata"],
        "subsets": [{"addresses": [{"ip": balancer.ip}], "ports": [port]}],
    }


def _spec(names: Names, balancer: LoadBalancerIngress | None) -> dict[str, Any]:
    if balancer is not None and balancer.ip:
        return {"clusterIP": "None", "ports": [PORT]}
    if balancer is not None and balancer.mesh_only:
        return {"ports": [MESH_PORT]}
    external = ""
    if balancer is not None:
        external = balancer.domain_internal or balancer.domain
    return {
        "type": "ExternalName",
        "externalName": external or names.primary,
        "sessionAffinity": "None",
        "ports": [PORT],
    }
