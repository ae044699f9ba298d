"""Serving: Service, Configuration, Revision and Route (SC 3.2)."""

from __future__ import annotations

from typing import Any

import msgspec

from controller.api.conditions import Condition
from controller.api.meta import ObjectMeta, Resource, always

GROUP = "serving.knative.dev"
API_VERSION = f"{GROUP}/v1"

CONFIGURATIONS_READY = "ConfigurationsReady"
ROUTES_READY = "RoutesReady"
SERVICE_CONDITIONS = (CONFIGURATIONS_READY, ROUTES_READY)

RESOURCES_AVAILABLE = "ResourcesAvailable"
CONTAINER_HEALTHY = "ContainerHealthy"
ACTIVE = "Active"
REVISION_CONDITIONS = (RESOURCES_AVAILABLE, CONTAINER_HEALTHY)
"""Active is no dependent: a revision at zero is ready (SC-170)."""

ALL_TRAFFIC_ASSIGNED = "AllTrafficAssigned"
INGRESS_READY = "IngressReady"
CERTIFICATE_PROVISIONED = "CertificateProvisioned"
ROUTE_CONDITIONS = (ALL_TRAFFIC_ASSIGNED, INGRESS_READY, CERTIFICATE_PROVISIONED)

CONFIGURATION_CONDITIONS: tuple[str, ...] = ()

OWN_FIELDS = ("containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds")
"""What a revision's spec has beside the fields of a PodSpec."""


class PodTemplate:
    """What is read out of a spec that is a PodSpec and `OWN_FIELDS` in one JSON object, as the API has it.

    The object stays the JSON that it was: a field of Kubernetes that nobody here knows survives.
    """

    __slots__ = ()
    spec: dict[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        return self.spec.get("containers") or []

    @property
    def init_containers(self) -> list[dict[str, Any]]:
        return self.spec.get("initContainers") or []

    @property
    def serving_container(self) -> dict[str, Any]:
        """The container that gets the requests: the only one, else the first with a port."""
        return serving_container(self.containers)

    @property
    def container_concurrency(self) -> int:
        """Requests that a pod runs at once; 0 means no limit."""
        return self.spec.get("containerConcurrency") or 0

    @property
    def timeout_seconds(self) -> int:
        return self.spec.get("timeoutSeconds") or 0

    @property
    def response_start_timeout_seconds(self) -> int | None:
        """None: the whole request's."""
        return self.spec.get("responseStartTimeoutSeconds")

    @property
    def idle_timeout_seconds(self) -> int | None:
        """None: no limit."""
        return self.spec.get("idleTimeoutSeconds")

    @property
    def protocol(self) -> str:
        """`h2c` where the serving container's port is named so, else `http1`."""
        ports = self.serving_container.get("ports") or [{}]
        return "h2c" if ports[0].get("name") == "h2c" else "http1"

    def pod_spec(self) -> dict[str, Any]:
        """What belongs into a pod; the values are shared, not copied."""
        return {name: value for name, value in self.spec.items() if name not in OWN_FIELDS}


def serving_container(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """The only container, else the first with a port; an empty one where there is none."""
    if len(containers) == 1:
        return containers[0]
    return next((container for container in containers if container.get("ports")), {})


class RevisionTemplate(
    msgspec.Struct, PodTemplate, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False
):
    """What the next revision will be."""

    metadata: ObjectMeta = ObjectMeta()
    spec: dict[str, Any] = msgspec.field(default_factory=dict)


class TrafficTarget(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """A share of the traffic, or a name of its own, for one revision."""

    tag: str = ""
    revision_name: str = ""
    configuration_name: str = ""
    latest_revision: bool | None = None
    percent: int | None = None
    """0 to 100."""

    url: str = ""
    """In a status only."""


class Address(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Where a thing is reached from inside of the cluster."""

    name: str = ""
    url: str = ""
    ca_certs: str = msgspec.field(default="", name="CACerts")
    audience: str = ""


class Status(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What every status has."""

    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    annotations: dict[str, str] = {}


class ConfigurationSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What the newest revision should be."""

    template: RevisionTemplate = RevisionTemplate()


class RouteSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Who gets which share."""

    traffic: tuple[TrafficTarget, ...] = ()


class ServiceSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """A configuration's spec and a route's."""

    template: RevisionTemplate = RevisionTemplate()
    traffic: tuple[TrafficTarget, ...] = ()


class ConfigurationStatus(Status, frozen=True, kw_only=True, gc=False):
    """Which revisions there are."""

    latest_created_revision_name: str = ""
    latest_ready_revision_name: str = ""


class RouteStatus(Status, frozen=True, kw_only=True, gc=False):
    """Where the route answers, and who gets the traffic now."""

    url: str = ""
    address: Address | None = None
    traffic: tuple[TrafficTarget, ...] = ()


class ServiceStatus(Status, frozen=True, kw_only=True, gc=False):
    """A configuration's status and a route's."""

    latest_created_revision_name: str = ""
    latest_ready_revision_name: str = ""
    url: str = ""
    address: Address | None = None
    traffic: tuple[TrafficTarget, ...] = ()


class ContainerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """The image that a container runs, by digest."""

    name: str = ""
    image_digest: str = ""


class RevisionStatus(Status, frozen=True, kw_only=True, gc=False):
    """How a revision fares; replica counts are absent while they are unknown (SC-172)."""

    log_url: str = ""
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()
    actual_replicas: int | None = None
    desired_replicas: int | None = None


class Service(Resource, frozen=True, kw_only=True, gc=False):
    """Code, and the traffic to it."""

    api_version: str = always(API_VERSION)
    kind: str = always("Service")
    spec: ServiceSpec = ServiceSpec()
    status: ServiceStatus = ServiceStatus()


class Configuration(Resource, frozen=True, kw_only=True, gc=False):
    """Code; each change of its template makes a revision."""

    api_version: str = always(API_VERSION)
    kind: str = always("Configuration")
    spec: ConfigurationSpec = ConfigurationSpec()
    status: ConfigurationStatus = ConfigurationStatus()


class Revision(Resource, PodTemplate, frozen=True, kw_only=True, gc=False):
    """One state of the code, which never changes."""

    api_version: str = always(API_VERSION)
    kind: str = always("Revision")
    spec: dict[str, Any] = msgspec.field(default_factory=dict)
    status: RevisionStatus = RevisionStatus()


class Route(Resource, frozen=True, kw_only=True, gc=False):
    """A name, and who answers to it."""

    api_version: str = always(API_VERSION)
    kind: str = always("Route")
    spec: RouteSpec = RouteSpec()
    status: RouteStatus = RouteStatus()
