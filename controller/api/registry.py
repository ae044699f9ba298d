"""Kind: one table of the kinds that are ours, with all that an API server has to know of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from controller.api import autoscaling_rules, networking_rules, serving_defaults, serving_rules
from controller.api.autoscaling import Metric, PodAutoscaler
from controller.api.context import Context
from controller.api.errors import FieldError
from controller.api.meta import CONFIGURATION_GENERATION_LABEL, CONFIGURATION_LABEL, Resource
from controller.api.networking import Ingress, ServerlessService
from controller.api.schema import schema_of
from controller.api.serving import Configuration, Revision, Route, Service


class Column(msgspec.Struct, frozen=True):
    """One column of `kubectl get`."""

    name: str
    json_path: str
    type: str = "string"


def _as_it_is(resource: Any, context: Context) -> Any:
    del context
    return resource


def _nothing(resource: Any, context: Context) -> list[FieldError]:
    del resource, context
    return []


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind: its names, how it is listed, the class of its objects, their defaults and their rules."""

    plural: str
    struct: type[Resource]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...]
    columns: tuple[Column, ...]
    defaulted: Callable[[Any, Context], Any] = _as_it_is
    problems: Callable[[Any, Context], list[FieldError]] = _nothing
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

    @property
    def schema(self) -> dict[str, Any]:
        """Structural OpenAPI schema of the whole object; shared, so not to be changed."""
        return _schema(self.struct)


@cache
def _schema(struct: type[Resource]) -> dict[str, Any]:
    return schema_of(struct)


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
        defaulted=serving_defaults.defaulted_service,
        problems=serving_rules.service_problems,
        columns=(URL, LATEST_CREATED, LATEST_READY, READY, REASON),
    ),
    Kind(
        plural="configurations",
        struct=Configuration,
        short_names=("config", "cfg"),
        categories=USERS,
        defaulted=serving_defaults.defaulted_configuration,
        problems=serving_rules.configuration_problems,
        columns=(LATEST_CREATED, LATEST_READY, READY, REASON),
    ),
    Kind(
        plural="revisions",
        struct=Revision,
        short_names=("rev",),
        categories=USERS,
        defaulted=serving_defaults.defaulted_revision,
        problems=serving_rules.revision_problems,
        columns=(
            Column("Config Name", _label(CONFIGURATION_LABEL)),
            Column("Generation", _label(CONFIGURATION_GENERATION_LABEL)),
            READY,
            REASON,
            Column("Actual Replicas", ".status.actualReplicas", "integer"),
            Column("Desired Replicas", ".status.desiredReplicas", "integer"),
        ),
    ),
    Kind(
        plural="routes",
        struct=Route,
        short_names=("rt",),
        categories=USERS,
        defaulted=serving_defaults.defaulted_route,
        problems=serving_rules.route_problems,
        columns=(URL, READY, REASON),
    ),
    Kind(
        plural="podautoscalers",
        struct=PodAutoscaler,
        short_names=("kpa", "pa"),
        categories=(*INTERNAL, "autoscaling"),
        defaulted=autoscaling_rules.defaulted_pod_autoscaler,
        problems=autoscaling_rules.pod_autoscaler_problems,
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
        defaulted=networking_rules.defaulted_ingress,
        problems=networking_rules.ingress_problems,
        columns=(READY, REASON),
    ),
    Kind(
        plural="serverlessservices",
        struct=ServerlessService,
        short_names=("sks",),
        categories=(*INTERNAL, "networking"),
        problems=networking_rules.serverless_service_problems,
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
