"""Ingress: what a Route tells the gateways (networking.md 5)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from controller.api.meta import (
    CERTIFICATE_CLASS,
    HTTP_PROTOCOL,
    INGRESS_CLASS,
    LAST_APPLIED,
    ROUTE_LABEL,
    ROUTE_NAMESPACE_LABEL,
    TAG_TO_HOST,
    ObjectMeta,
    annotation,
    child_name,
    owner_reference,
)
from controller.api.networking import (
    CLUSTER_LOCAL,
    ENABLED,
    EXTERNAL_IP,
    H2C,
    REDIRECTED,
    Ingress,
    IngressHttp,
    IngressPath,
    IngressRule,
    IngressSpec,
    IngressSplit,
)
from controller.api.serving import Revision, Route
from controller.config import network
from controller.config.settings import Settings

from .hosts import Names

HTTP_PORT, H2C_PORT = 80, 81
REVISION_HEADER, NAMESPACE_HEADER = "Knative-Serving-Revision", "Knative-Serving-Namespace"

Shares = tuple[tuple[Revision, int], ...]
"""Revisions and their percents."""


class ProtocolError(ValueError):
    """The annotation for plain HTTP says what no version knows."""


def name(route: Route) -> str:
    """Of its Ingress."""
    return child_name(route.name, "")


def ingress(route: Route, groups: Mapping[str, Shares], names: Mapping[str, Names], settings: Settings) -> Ingress:
    """The whole object. `groups` and `names` are by tag, the default under the empty one.

    Raises  ProtocolError.
    """
    rules: list[IngressRule] = []
    for tag in sorted(groups):
        http = IngressHttp(paths=(IngressPath(splits=_splits(groups[tag])),))
        rules.append(IngressRule(hosts=names[tag].local, visibility=CLUSTER_LOCAL, http=http))
        if names[tag].external:
            rules.append(IngressRule(hosts=(names[tag].external,), visibility=EXTERNAL_IP, http=http))
    return Ingress(
        metadata=ObjectMeta(
            name=name(route),
            namespace=route.namespace,
            labels=route.metadata.labels | {ROUTE_LABEL: route.name, ROUTE_NAMESPACE_LABEL: route.namespace},
            annotations=_annotations(route, names, settings),
            owner_references=(owner_reference(route),),
        ),
        spec=IngressSpec(rules=tuple(rules), http_option=http_option(route, settings)),
    )


def http_option(route: Route, settings: Settings) -> str:
    """What happens to plain HTTP."""
    said = annotation(route.metadata.annotations, HTTP_PROTOCOL)
    known = {network.ENABLED: ENABLED, network.REDIRECTED: REDIRECTED}
    if said is None:
        return known.get(settings.network.http_protocol, "")
    if said[1].lower() not in known:
        raise ProtocolError(f"incorrect http-protocol annotation: {said[1]}")
    return known[said[1].lower()]


def _annotations(route: Route, names: Mapping[str, Names], settings: Settings) -> dict[str, str]:
    own = route.metadata.annotations
    hidden = (LAST_APPLIED, CERTIFICATE_CLASS[1], INGRESS_CLASS[1])
    made = {key: value for key, value in own.items() if key not in hidden}
    wanted_class = annotation(own, INGRESS_CLASS)
    made[INGRESS_CLASS[0]] = wanted_class[1] if wanted_class else settings.network.ingress_class
    tags = {tag: [names[tag].primary] for tag in sorted(names) if tag}
    if tags:
        made[TAG_TO_HOST] = json.dumps(tags, separators=(",", ":"))
    return made


def _splits(shares: Shares) -> tuple[IngressSplit, ...]:
    return tuple(
        IngressSplit(
            service_namespace=revision.namespace,
            service_name=revision.name,
            service_port=H2C_PORT if revision.protocol == H2C else HTTP_PORT,
            percent=percent,
            append_headers={REVISION_HEADER: revision.name, NAMESPACE_HEADER: revision.namespace},
        )
        for revision, percent in shares
    )
