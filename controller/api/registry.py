"""Kind: one table of the kinds that are ours, with all that an API server has to know of them."""

from __future__ import annotations

import msgspec

from controller.api.autoscaling import Metric, PodAutoscaler
from controller.api.meta import CONFIGURATION_GENERATION_LABEL, CONFIGURATION_LABEL, Resource
from controller.api.networking import Ingress, ServerlessService
from controller.api.serving import Configuration, Revision, Route, Service


class Column(msgspec.Struct, frozen=True):
    """One column of `kubectl get`."""

    name: str
    json_path: str
    type: str = "string"


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: its names, how it is listed, and the class of its objects."""

    plural: str
    struct: type[Resource]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...]
    columns: tuple[Column, ...]
    namespaced: bool = True
    has_status: bool = True
    """Whether the status is a subresource, which writes of the object leave alone."""

    @property
    def kind(self) -> str:
        return self.struct().kind

    @property
    def api_version(self) -> str:
        return self.struct().api_version

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0]

    @property
    def version(self) -> str:
        return self.api_version.partition("/")[2]

    @property
    def singular(self) -> str:
        return self.kind.lower()


def _label(key: str) -> str:
    """JSONPath of a label; dots in a key are escaped."""
    return ".metadata.labels." + key.replace(".", "\\.")


USERS = ("all", "knative", "serving")
INTERNAL = ("knative-internal",)

URL = Column("URL", ".status.url")
LATEST_CREATED = Column("LatestCreated", ".status.latestCreatedRevisionName")
LATEST_READY = Column("LatestReady", ".status.latestReadyRevisionName")
READY = Column("Ready", ".status.conditions[?(@.type=='Ready')].status")
REASON = Column("Reason", ".status.conditions[?(@.type=='Ready')].reason")

KINDS: tuple[Kind, ...] = (
    Kind(
        plural="services",
        struct=Service,
        short_names=("kservice", "ksvc"),
        categories=USERS,
        columns=(URL, LATEST_CREATED, LATEST_READY, READY, REASON),
    ),
    Kind(
        plural="configurations",
        struct=Configuration,
        short_names=("config", "cfg"),
        categories=USERS,
        columns=(LATEST_CREATED, LATEST_READY, READY, REASON),
    ),
    Kind(
        plural="revisions",
        struct=Revision,
        short_names=("rev",),
        categories=USERS,
        columns=(
            Column("Config Name", _label(CONFIGURATION_LABEL)),
            Column("Generation", _label(CONFIGURATION_GENERATION_LABEL)),
            READY,
            REASON,
            Column("Actual Replicas", ".status.actualReplicas", "integer"),
            Column("Desired Replicas", ".status.desiredReplicas", "integer"),
        ),
    ),
    Kind(plural="routes", struct=Route, short_names=("rt",), categories=USERS, columns=(URL, READY, REASON)),
    Kind(
        plural="podautoscalers",
        struct=PodAutoscaler,
        short_names=("kpa", "pa"),
        categories=(*INTERNAL, "autoscaling"),
        columns=(
            Column("DesiredScale", ".status.desiredScale", "integer"),
            Column("ActualScale", ".status.actualScale", "integer"),
            READY,
            REASON,
        ),
    ),
    Kind(plural="metrics", struct=Metric, categories=(*INTERNAL, "autoscaling"), columns=(READY, REASON)),
    Kind(
        plural="ingresses",
        struct=Ingress,
        short_names=("kingress", "king"),
        categories=(*INTERNAL, "networking"),
        columns=(READY, REASON),
    ),
    Kind(
        plural="serverlessservices",
        struct=ServerlessService,
        short_names=("sks",),
        categories=(*INTERNAL, "networking"),
        columns=(
            Column("Mode", ".spec.mode"),
            Column("Activators", ".spec.numActivators", "integer"),
            Column("ServiceName", ".status.serviceName"),
            Column("PrivateServiceName", ".status.privateServiceName"),
            READY,
            REASON,
        ),
    ),
)

BY_KIND = {(kind.group, kind.kind): kind for kind in KINDS}
"""By group and kind."""

BY_PLURAL = {(kind.group, kind.plural): kind for kind in KINDS}
"""By group and plural, as a path names them."""
