"""Core: Kubernetes' own kinds, as much of each as the controllers read.

What we make is written as plain JSON, so that nothing of a template is lost;
these classes are for what comes back. A trimmed object costs a twentieth of a
whole one, and there are thousands.
"""

from __future__ import annotations

import base64

import msgspec

from controller.api.conditions import Condition
from controller.api.meta import ObjectReference, Resource, always


class ConfigMap(Resource, frozen=True, kw_only=True, gc=False):
    """Settings."""

    api_version: str = always("v1")
    kind: str = always("ConfigMap")
    data: dict[str, str] = msgspec.field(default_factory=dict)


class Secret(Resource, frozen=True, kw_only=True, gc=False):
    """Certificates, most of all."""

    api_version: str = always("v1")
    kind: str = always("Secret")
    type: str = ""
    data: dict[str, str] = msgspec.field(default_factory=dict)
    """base64."""

    def value(self, key: str) -> bytes | None:
        """A value, decoded; None when it is not there.

        Raises  ValueError when it is no base64.
        """
        return base64.b64decode(self.data[key], validate=True) if key in self.data else None


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One port of a Service."""

    name: str = ""
    port: int = 0
    target_port: int | str = 0
    app_protocol: str = ""


class KubeServiceSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """How a Service is reached."""

    type: str = ""
    cluster_ip: str = msgspec.field(default="", name="clusterIP")
    external_name: str = ""
    selector: dict[str, str] = {}
    ports: tuple[ServicePort, ...] = ()


class KubeService(Resource, frozen=True, kw_only=True, gc=False):
    """Kubernetes' own Service."""

    api_version: str = always("v1")
    kind: str = always("Service")
    spec: KubeServiceSpec = KubeServiceSpec()


class EndpointPort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One port of endpoints."""

    name: str = ""
    port: int = 0
    app_protocol: str = ""


class EndpointAddress(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One address of an Endpoints object."""

    ip: str = ""
    target_ref: ObjectReference | None = None


class EndpointSubset(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Addresses that share their ports."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Resource, frozen=True, kw_only=True, gc=False):
    """Who serves a Service, in the form that upstream's parts read."""

    api_version: str = always("v1")
    kind: str = always("Endpoints")
    subsets: tuple[EndpointSubset, ...] = ()

    @property
    def ready_addresses(self) -> tuple[str, ...]:
        """Addresses that serve, sorted."""
        return tuple(sorted({address.ip for subset in self.subsets for address in subset.addresses}))


class ContainerPort(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One port of a container."""

    name: str = ""
    container_port: int = 0


class StateTerminated(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """How a container ended."""

    exit_code: int = 0
    reason: str = ""
    message: str = ""


class StateWaiting(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Why a container does not run yet."""

    reason: str = ""
    message: str = ""


class ContainerState(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """At most one of them is there."""

    waiting: StateWaiting | None = None
    terminated: StateTerminated | None = None


class PodContainerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One container of a pod, now and before."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """How a pod fares."""

    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    start_time: str | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[PodContainerStatus, ...] = ()


class Pod(Resource, frozen=True, kw_only=True, gc=False):
    """One instance."""

    api_version: str = always("v1")
    kind: str = always("Pod")
    status: PodStatus = PodStatus()

    @property
    def is_ready(self) -> bool:
        """It runs, is not being deleted, and says that it serves (SC 1.2)."""
        ready = any(condition.type == "Ready" and condition.is_true for condition in self.status.conditions)
        return self.status.phase == "Running" and not self.is_deleted and ready


class LabelSelector(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Labels that a pod has to have."""

    match_labels: dict[str, str] = {}


class KubeDeploymentSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """How many pods."""

    replicas: int = 1
    selector: LabelSelector = LabelSelector()


class KubeDeploymentStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """How many there are."""

    observed_generation: int = 0
    replicas: int = 0
    ready_replicas: int = 0
    available_replicas: int = 0
    conditions: tuple[Condition, ...] = ()


class KubeDeployment(Resource, frozen=True, kw_only=True, gc=False):
    """The pods of a revision."""

    api_version: str = always("apps/v1")
    kind: str = always("Deployment")
    spec: KubeDeploymentSpec = KubeDeploymentSpec()
    status: KubeDeploymentStatus = KubeDeploymentStatus()
