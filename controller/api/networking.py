"""Networking: Ingress (NW 1.1 to 1.5) and ServerlessService (SC 2.1)."""

from __future__ import annotations

from typing import Any

import msgspec

from controller.api.meta import ObjectReference, Resource, always
from controller.api.serving import Status

GROUP = "networking.internal.knative.dev"
API_VERSION = f"{GROUP}/v1alpha1"

EXTERNAL_IP, CLUSTER_LOCAL = "ExternalIP", "ClusterLocal"
ENABLED, REDIRECTED = "Enabled", "Redirected"
SERVE, PROXY = "Serve", "Proxy"
HTTP1, H2C = "http1", "h2c"

NETWORK_CONFIGURED = "NetworkConfigured"
LOAD_BALANCER_READY = "LoadBalancerReady"
INGRESS_CONDITIONS = (LOAD_BALANCER_READY, NETWORK_CONFIGURED)

ENDPOINTS_POPULATED = "EndpointsPopulated"
ACTIVATOR_ENDPOINTS_POPULATED = "ActivatorEndpointsPopulated"
SERVERLESS_SERVICE_CONDITIONS = (ENDPOINTS_POPULATED,)
"""ActivatorEndpointsPopulated is for information."""


def _written() -> Any:
    """A list that is written even when it is empty: the hash of an Ingress counts it (NW 1.8)."""
    return msgspec.field(default_factory=lambda: ())


class HeaderMatch(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """What a request header has to be."""

    exact: str = ""


class IngressSplit(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One backend and its share."""

    service_namespace: str = always("")
    service_name: str = always("")
    service_port: int | str = msgspec.field(default_factory=lambda: 0)
    """Number or name of a port of the Service."""

    percent: int = 0
    append_headers: dict[str, str] = {}


class IngressPath(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Which requests, and where to."""

    path: str = ""
    """Prefix; empty: every path."""

    rewrite_host: str = ""
    headers: dict[str, HeaderMatch] = {}
    splits: tuple[IngressSplit, ...] = _written()
    append_headers: dict[str, str] = {}
    """Set on the request, whatever the name says."""


class IngressHttp(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """The paths of a rule; the first that matches wins."""

    paths: tuple[IngressPath, ...] = _written()


class IngressRule(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Hosts, and who may ask for them."""

    hosts: tuple[str, ...] = ()
    visibility: str = ""
    http: IngressHttp | None = None


class IngressTls(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """A certificate and the names it serves."""

    hosts: tuple[str, ...] = ()
    secret_name: str = ""
    secret_namespace: str = ""


class IngressSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """All of it. The order of fields, here and below, is the order in the hash (NW 1.8)."""

    tls: tuple[IngressTls, ...] = ()
    rules: tuple[IngressRule, ...] = ()
    http_option: str = ""


class LoadBalancerIngress(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One address of a gateway."""

    ip: str = ""
    domain: str = ""
    domain_internal: str = ""
    mesh_only: bool = False


class LoadBalancerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Where the gateways answer."""

    ingress: tuple[LoadBalancerIngress, ...] = ()


class IngressStatus(Status, frozen=True, kw_only=True, gc=False):
    """Which gateways know of it."""

    public_load_balancer: LoadBalancerStatus | None = None
    private_load_balancer: LoadBalancerStatus | None = None


class Ingress(Resource, frozen=True, kw_only=True, gc=False):
    """Routes for the gateways."""

    api_version: str = always(API_VERSION)
    kind: str = always("Ingress")
    spec: IngressSpec = IngressSpec()
    status: IngressStatus = IngressStatus()


class ServerlessServiceSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Whether requests go to the pods or through activators."""

    mode: str = ""
    object_ref: ObjectReference = ObjectReference()
    protocol_type: str = ""
    num_activators: int = 0
    """0: all of them."""


class ServerlessServiceStatus(Status, frozen=True, kw_only=True, gc=False):
    """The Services that were made."""

    service_name: str = ""
    private_service_name: str = ""


class ServerlessService(Resource, frozen=True, kw_only=True, gc=False):
    """The endpoints of one revision."""

    api_version: str = always(API_VERSION)
    kind: str = always("ServerlessService")
    spec: ServerlessServiceSpec = ServerlessServiceSpec()
    status: ServerlessServiceStatus = ServerlessServiceStatus()
