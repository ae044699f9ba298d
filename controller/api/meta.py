"""Meta: names, labels, owners and generations, which every object has."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

import msgspec

NAME_MAX = 63
"""Bytes of a DNS label (RFC 1035 2.3.4), so of a name that becomes part of a host."""

HASH_HEX = 32
HEAD_MAX = NAME_MAX - HASH_HEX

AUTOSCALING = "autoscaling.knative.dev"
NETWORKING = "networking.knative.dev"
NETWORKING_INTERNAL = "networking.internal.knative.dev"
SERVING = "serving.knative.dev"
SIDECAR = f"queue.sidecar.{SERVING}"

SERVICE_LABEL = f"{SERVING}/service"
SERVICE_UID_LABEL = f"{SERVING}/serviceUID"
CONFIGURATION_LABEL = f"{SERVING}/configuration"
CONFIGURATION_GENERATION_LABEL = f"{SERVING}/configurationGeneration"
CONFIGURATION_UID_LABEL = f"{SERVING}/configurationUID"
REVISION_LABEL = f"{SERVING}/revision"
REVISION_UID_LABEL = f"{SERVING}/revisionUID"
ROUTE_LABEL = f"{SERVING}/route"
ROUTE_NAMESPACE_LABEL = f"{SERVING}/routeNamespace"
ROUTING_STATE_LABEL = f"{SERVING}/routingState"
VISIBILITY_LABEL = f"{NETWORKING}/visibility"
SERVERLESS_SERVICE_LABEL = f"{NETWORKING_INTERNAL}/serverlessservice"
SERVICE_TYPE_LABEL = f"{NETWORKING_INTERNAL}/serviceType"

CREATOR = f"{SERVING}/creator"
LAST_MODIFIER = f"{SERVING}/lastModifier"
ROUTES = f"{SERVING}/routes"
ROUTING_STATE_MODIFIED = f"{SERVING}/routingStateModified"
NO_GC = f"{SERVING}/no-gc"
ROLLOUT_DURATION = f"{SERVING}/rolloutDuration"
ROLLOUT_DURATION_DASHED = f"{SERVING}/rollout-duration"
PROGRESS_DEADLINE = f"{SERVING}/progress-deadline"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

INGRESS_CLASS = (f"{NETWORKING}/ingress.class", f"{NETWORKING}/ingress-class")
CERTIFICATE_CLASS = (f"{NETWORKING}/certificate.class", f"{NETWORKING}/certificate-class")
DISABLE_EXTERNAL_DOMAIN_TLS = (
    f"{NETWORKING}/disableAutoTLS",
    f"{NETWORKING}/disable-auto-tls",
    f"{NETWORKING}/disable-external-domain-tls",
)
HTTP_PROTOCOL = (f"{NETWORKING}/httpOption", f"{NETWORKING}/http-protocol")
ROLLOUT_DURATION_SPELLINGS = (ROLLOUT_DURATION_DASHED, ROLLOUT_DURATION)
PROGRESS_DEADLINE_SPELLINGS = (PROGRESS_DEADLINE, f"{SERVING}/progressDeadline")
SIDECAR_PERCENTAGE = (f"{SIDECAR}/resource-percentage", f"{SIDECAR}/resourcePercentage")
"""Spellings of one annotation, the one that wins first (NW 1.23, SC 3.7)."""

SIDECAR_RESOURCES = {
    (kind, resource): f"{SIDECAR}/{resource}-resource-{kind.removesuffix('s')}"
    for kind in ("requests", "limits")
    for resource in ("cpu", "memory", "ephemeral-storage")
}
"""Annotations with what the sidecar gets, by place in its resources."""

TAG_TO_HOST = f"{NETWORKING_INTERNAL}/tag-to-host"


class OwnerReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Who an object belongs to; deleting the owner deletes it."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Another object, by name."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What the API server knows of every object.

    managedFields are left out: nobody here reads them, and they are the largest part of many objects.
    """

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class Resource(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """Any object: its version, its kind, its metadata."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()

    @property
    def name(self) -> str:
        return self.metadata.name

    @property
    def namespace(self) -> str:
        return self.metadata.namespace

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.metadata.namespace, self.metadata.name

    @property
    def is_deleted(self) -> bool:
        return self.metadata.deletion_timestamp is not None


def always(value: str) -> Any:
    """A field with a default that is written all the same: `omit_defaults` leaves out only plain defaults."""
    return msgspec.field(default_factory=lambda: value)


def owner_reference(owner: Resource) -> OwnerReference:
    """The reference that makes `owner` the controller of a child (SC 0.2)."""
    return OwnerReference(
        api_version=owner.api_version,
        kind=owner.kind,
        name=owner.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def namesake(owner: Resource) -> ObjectMeta:
    """The metadata of a child that has its owner's name, labels and annotations."""
    return ObjectMeta(
        name=owner.name,
        namespace=owner.namespace,
        labels=owner.metadata.labels,
        annotations=owner.metadata.annotations,
        owner_references=(owner_reference(owner),),
    )


def controller_of(meta: ObjectMeta) -> OwnerReference | None:
    """The owner that controls the object; at most one does."""
    return next((owner for owner in meta.owner_references if owner.controller), None)


def is_controlled_by(meta: ObjectMeta, owner: Resource) -> bool:
    found = controller_of(meta)
    return found is not None and found.uid == owner.metadata.uid


def annotation(annotations: dict[str, str], spellings: tuple[str, ...]) -> tuple[str, str] | None:
    """Key and value of an annotation that has several spellings; the first spelling that is there wins."""
    return next(((key, annotations[key]) for key in spellings if key in annotations), None)


def child_name(parent: str, suffix: str) -> str:
    """The name of a child: parent and suffix, or a hash where they are longer than a name may be (SC 0.3).

    Returns   at most 63 bytes; the same for the same arguments, always
    """
    if len(parent) + len(suffix) <= NAME_MAX:
        return parent + suffix
    if len(suffix) < HEAD_MAX:
        return parent[: HEAD_MAX - len(suffix)] + md5_hex(parent) + suffix
    hashed = parent[:HEAD_MAX] + md5_hex(parent + suffix)
    return re.sub(r"[^a-zA-Z0-9]+$", "", hashed + suffix[: NAME_MAX - len(hashed)])


def md5_hex(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as Kubernetes writes a time: RFC 3339 in UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
