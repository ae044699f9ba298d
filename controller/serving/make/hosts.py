"""Hosts: the names under which a Route and its tags are reached (SC 3.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from controller.api.meta import VISIBILITY_LABEL
from controller.api.serving import Route
from controller.config.settings import Settings

LOCAL = "cluster-local"
_FULLY_QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class HostError(ValueError):
    """A template makes no name that could be asked for."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one tag."""

    label: str
    """Of its placeholder Service."""
    external: str
    """Empty where it is only reached from inside."""
    local: tuple[str, ...]
    """With and without the cluster's domain, sorted."""

    @property
    def primary(self) -> str:
        """The one in the URL."""
        return self.external or self.local_host

    @property
    def local_host(self) -> str:
        """The whole name inside of the cluster."""
        return max(self.local, key=len)


def label_of(route: Route, tag: str, settings: Settings) -> str:
    """Name of a tag's placeholder Service, and the first part of its hosts."""
    if not tag:
        return route.name
    return settings.network.tag_template.render({"Name": route.name, "Tag": tag})


def names_of(route: Route, tag: str, settings: Settings, cluster_domain: str, is_local: bool) -> Names:
    """is_local: the placeholder Service of the tag says so, whatever the Route says.

    Raises  HostError for a template that makes no fully qualified name.
    """
    label = label_of(route, tag, settings)
    inside = f"{label}.{route.namespace}"
    local = tuple(sorted((inside, f"{inside}.svc", f"{inside}.svc.{cluster_domain}")))
    labels = route.metadata.labels
    domain = settings.domain.best(labels, cluster_domain)
    cluster_suffix = f"svc.{cluster_domain}"
    if is_local or labels.get(VISIBILITY_LABEL) == LOCAL or domain == cluster_suffix:
        return Names(label, "", local)
    fields: dict[str, str | Mapping[str, str]] = {
        "Name": label,
        "Namespace": route.namespace,
        "Domain": domain,
        "Annotations": route.metadata.annotations,
        "Labels": labels,
    }
    external = settings.network.domain_template.render(fields)
    if not _FULLY_QUALIFIED.fullmatch(external):
        raise HostError(f'domain name error: invalid domain name "{external}": it must be fully qualified')
    return Names(label, external, local)
