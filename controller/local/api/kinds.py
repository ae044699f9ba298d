"""kinds: what the API serves. Kubernetes' own kinds stand here; others are given to the server."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from controller.local.api import models
from controller.local.api.names import LABEL, SERVICE_LABEL, SUBDOMAIN
from controller.local.api.shape import Shape, from_schema

Object = dict[str, Any]


_OPEN: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""The schema of a kind that has none: any fields."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`.

    path      where the value is, as JSONPath without braces: `.status.conditions[?(@.type=="Ready")].status`
    type      string, integer, boolean, or date (printed as an age)
    priority  0 is always shown, 1 with `-o wide`
    """

    name: str
    path: str
    type: str = "string"
    priority: int = 0
    description: str = ""
    format: str = ""


@dataclass(frozen=True, slots=True)
class Scale:
    """Where a kind that can be scaled keeps its numbers."""

    replicas: tuple[str, ...] = ("spec", "replicas")
    current: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of object, and how the API treats it.

    schema       structural OpenAPI v3 schema, for kinds that are not Kubernetes' own
    model        class of `lightkube.models`, for those that are
    status       has a status of its own door: the main door leaves it alone, and it the rest
    generation   counts changes of what is neither metadata nor status
    gives_back   a deletion answers with the last state, not with a Status
    name_rule    which names are allowed
    empty        what an object has before anybody says anything: nobody owns these fields
    selectable   fields by which it can be selected, beside name and namespace
    blind_updates   an update may leave out the version that it is for
    update_creates  an update of what does not exist creates it
    """

    group: str
    version: str
    plural: str
    kind: str
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    status: bool = False
    scale: Scale | None = None
    columns: tuple[Column, ...] = ()
    schema: Object | None = None
    model: str = ""
    generation: bool = True
    gives_back: bool = False
    name_rule: str = SUBDOMAIN
    empty: Object = field(default_factory=dict)
    selectable: frozenset[str] = frozenset()
    blind_updates: bool = False
    update_creates: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """Its place in the store: plural and group."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def one(self) -> str:
        return self.singular or self.kind.lower()

    @cached_property
    def shape(self) -> Shape:
        if self.model:
            return models.shape(self.model)
        if self.schema is None:
            return from_schema(_OPEN, metadata=models.shape("meta_v1.ObjectMeta"))
        return from_schema(self.schema, metadata=models.shape("meta_v1.ObjectMeta"))


_TEMPLATE: Object = {"metadata": {}, "spec": {"containers": None}}

_OWN: tuple[Kind, ...] = (
    Kind(
        group="", version="v1", plural="namespaces", kind="Namespace", short_names=("ns",), namespaced=False,
        status=True, generation=False, gives_back=True, model="core_v1.Namespace", name_rule=LABEL,
        empty={"spec": {}, "status": {}}, selectable=frozenset(["status.phase"]),
    ),
    Kind(
        group="", version="v1", plural="nodes", kind="Node", short_names=("no",), namespaced=False, status=True,
        generation=False, model="core_v1.Node", empty={"spec": {}, "status": {}},
        selectable=frozenset(["spec.unschedulable"]),
    ),
    Kind(
        group="", version="v1", plural="pods", kind="Pod", short_names=("po",), categories=("all",), status=True,
        gives_back=True, model="core_v1.Pod", empty={"spec": {"containers": None}, "status": {}},
        selectable=frozenset([
            "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.nominatedNodeName",
        ]),
    ),
    Kind(
        group="", version="v1", plural="services", kind="Service", short_names=("svc",), categories=("all",),
        status=True, generation=False, gives_back=True, model="core_v1.Service", name_rule=SERVICE_LABEL,
        empty={"spec": {}, "status": {"loadBalancer": {}}}, selectable=frozenset(["spec.clusterIP", "spec.type"]),
    ),
    Kind(
        group="", version="v1", plural="configmaps", kind="ConfigMap", short_names=("cm",), generation=False,
        model="core_v1.ConfigMap",
    ),
    Kind(
        group="", version="v1", plural="secrets", kind="Secret", generation=False, model="core_v1.Secret",
        selectable=frozenset(["type"]),
    ),
    Kind(
        group="", version="v1", plural="serviceaccounts", kind="ServiceAccount", short_names=("sa",), generation=False,
        gives_back=True, model="core_v1.ServiceAccount",
    ),
    Kind(
        group="", version="v1", plural="endpoints", kind="Endpoints", short_names=("ep",), singular="endpoints",
        generation=False, model="core_v1.Endpoints",
    ),
    Kind(
        group="", version="v1", plural="events", kind="Event", short_names=("ev",), generation=False,
        model="core_v1.Event", empty={
            "involvedObject": {}, "source": {}, "firstTimestamp": None, "lastTimestamp": None, "eventTime": None,
            "reportingComponent": "", "reportingInstance": "",
        },
        selectable=frozenset([
            "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
            "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
            "reportingComponent", "source", "type",
        ]),
    ),
    Kind(
        group="apps", version="v1", plural="deployments", kind="Deployment", short_names=("deploy",),
        categories=("all",), status=True, scale=Scale(), model="apps_v1.Deployment",
        empty={"spec": {"template": _TEMPLATE, "strategy": {}}, "status": {}},
    ),
    Kind(
        group="apps", version="v1", plural="replicasets", kind="ReplicaSet", short_names=("rs",), categories=("all",),
        status=True, scale=Scale(), model="apps_v1.ReplicaSet",
        empty={"spec": {"template": _TEMPLATE}, "status": {"replicas": 0}},
        selectable=frozenset(["status.replicas"]),
    ),
    Kind(
        group="discovery.k8s.io", version="v1", plural="endpointslices", kind="EndpointSlice",
        model="discovery_v1.EndpointSlice",
    ),
    Kind(
        group="coordination.k8s.io", version="v1", plural="leases", kind="Lease", generation=False,
        model="coordination_v1.Lease", empty={"spec": {}},
    ),
)  # fmt: skip
_CONDITIONAL = frozenset(["Lease"])
_CREATING = frozenset(["Endpoints", "Event", "Lease", "Service"])

CORE: tuple[Kind, ...] = tuple(
    replace(each, blind_updates=each.kind not in _CONDITIONAL, update_creates=each.kind in _CREATING) for each in _OWN
)
"""Kubernetes' own kinds that one machine needs."""


def defined(document: Object) -> tuple[Kind, ...]:
    """The kinds that a CustomResourceDefinition of apiextensions.k8s.io/v1 defines, one for each version it serves."""
    spec = document["spec"]
    names, found = spec["names"], []
    for version in spec["versions"]:
        doors = version.get("subresources") or {}
        columns = tuple(
            Column(
                each["name"], each["jsonPath"], each["type"], each.get("priority", 0), each.get("description", ""),
                each.get("format", ""),
            )
            for each in version.get("additionalPrinterColumns") or ()
        )  # fmt: skip
        kind = Kind(
            group=spec["group"], version=version["name"], plural=names["plural"], kind=names["kind"],
            singular=names.get("singular", ""), short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()), namespaced=spec["scope"] == "Namespaced",
            status="status" in doors, scale=_scale(doors["scale"]) if "scale" in doors else None, columns=columns,
            schema=(version.get("schema") or {}).get("openAPIV3Schema"),
        )  # fmt: skip
        if version.get("served", True):
            found.append(kind)
    return tuple(found)


def _scale(door: Object) -> Scale:
    def steps(path: str) -> tuple[str, ...]:
        return tuple(filter(None, path.split(".")))

    return Scale(
        steps(door["specReplicasPath"]), steps(door["statusReplicasPath"]), steps(door.get("labelSelectorPath", ""))
    )


class Catalogue:
    """All kinds of one server, found by group, version and plural, or by apiVersion and kind."""

    def __init__(self, more: tuple[Kind, ...] = ()) -> None:
        self.kinds = (*CORE, *more)
        self._by_path = {(each.group, each.version, each.plural): each for each in self.kinds}
        self._by_kind = {(each.api_version, each.kind): each for each in self.kinds}
        self._by_resource = {each.resource: each for each in self.kinds}

    def at(self, group: str, version: str, plural: str) -> Kind | None:
        return self._by_path.get((group, version, plural))

    def named(self, api_version: str, kind: str) -> Kind | None:
        return self._by_kind.get((api_version, kind))

    def of(self, resource: str) -> Kind:
        return self._by_resource[resource]

    def groups(self) -> dict[str, dict[str, list[Kind]]]:
        """Group → version → kinds, in the order in which they were given."""
        found: dict[str, dict[str, list[Kind]]] = {}
        for each in self.kinds:
            found.setdefault(each.group, {}).setdefault(each.version, []).append(each)
        return found
