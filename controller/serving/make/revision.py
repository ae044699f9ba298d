"""Revision: what a Configuration makes of its template (SC 3.4)."""

from __future__ import annotations

import msgspec

from controller.api.meta import (
    CONFIGURATION_GENERATION_LABEL,
    CONFIGURATION_LABEL,
    CONFIGURATION_UID_LABEL,
    CREATOR,
    LAST_MODIFIER,
    ROUTES,
    ROUTING_STATE_LABEL,
    ROUTING_STATE_MODIFIED,
    SERVICE_LABEL,
    SERVICE_UID_LABEL,
    ObjectMeta,
    child_name,
    owner_reference,
)
from controller.api.serving import Configuration, Revision

from .pod_autoscaler import ACTIVE, PENDING


def name(configuration: Configuration) -> str:
    """The one that the template wants, else the generation's."""
    wanted = configuration.spec.template.metadata.name
    return wanted or child_name(configuration.name, f"-{configuration.metadata.generation:05d}")


def revision(configuration: Configuration, now: str) -> Revision:
    """The Revision of the Configuration's generation; `now` is RFC 3339."""
    template = configuration.spec.template
    annotations = dict(template.metadata.annotations)
    handed = ((CREATOR, LAST_MODIFIER), (ROUTES, ROUTES))
    annotations |= {
        key: configuration.metadata.annotations[source]
        for key, source in handed
        if source in configuration.metadata.annotations
    }
    annotations[ROUTING_STATE_MODIFIED] = now
    is_routed = bool(configuration.metadata.annotations.get(ROUTES))
    labels = template.metadata.labels | {
        CONFIGURATION_LABEL: configuration.name,
        CONFIGURATION_GENERATION_LABEL: str(configuration.metadata.generation),
        CONFIGURATION_UID_LABEL: configuration.metadata.uid,
        SERVICE_LABEL: configuration.metadata.labels.get(SERVICE_LABEL, ""),
        SERVICE_UID_LABEL: configuration.metadata.labels.get(SERVICE_UID_LABEL, ""),
        ROUTING_STATE_LABEL: ACTIVE if is_routed else PENDING,
    }
    return Revision(
        metadata=ObjectMeta(
            name=name(configuration),
            namespace=configuration.namespace,
            labels=labels,
            annotations=annotations,
            owner_references=(owner_reference(configuration),),
        ),
        spec=msgspec.json.decode(msgspec.json.encode(template.spec)),
    )


def generation(made: Revision) -> int:
    """Of the Configuration that it was made from; 0 where the label is no number."""
    said = made.metadata.labels.get(CONFIGURATION_GENERATION_LABEL, "")
    return int(said) if said.isdecimal() else 0
