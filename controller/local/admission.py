"""Admission: what a webhook does on a cluster, for the embedded API server: our own kinds, and settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.api import registry
from controller.api.admission import admit
from controller.config import settings as config
from controller.config.settings import Settings
from controller.local.api import status
from controller.local.api.kinds import Column, Kind
from controller.local.api.registry import Admission, Request
from controller.local.maps import SYSTEM_NAMESPACE

Object = dict[str, Any]

WEBHOOK = "validation.webhook.serving.knative.dev"
CONFIG_WEBHOOK = "config.webhook.serving.knative.dev"
"""As upstream's are named, since people look for these words."""


def kinds() -> tuple[Kind, ...]:
    """Our own, as the embedded API wants them."""
    return tuple(
        Kind(
            group=row.group,
            version=row.version,
            plural=row.plural,
            kind=row.kind,
            short_names=row.short_names,
            categories=row.categories,
            namespaced=row.namespaced,
            status=row.has_status,
            schema=row.schema,
            columns=tuple(Column(each.name, each.json_path, each.type) for each in row.columns),
        )
        for row in registry.KINDS
    )


def admission(current: Callable[[], Settings]) -> Admission:
    """current: the settings as they are now."""

    def check(kind: Kind, operation: str, found: Object, old: Object | None, request: Request) -> Object:
        if kind.resource == "configmaps":
            _check_settings(found)
            return found
        row = registry.BY_KIND.get((kind.group, kind.kind))
        if row is None:
            return found
        made = admit(row, operation, found, old, request.user, current(), request.subresource)
        if not made.is_allowed:
            raise status.denied(WEBHOOK, made.message)
        return made.document

    return check


def _check_settings(found: Object) -> None:
    metadata = found["metadata"]
    if metadata.get("namespace") != SYSTEM_NAMESPACE:
        return
    problems = config.problems(metadata["name"], found.get("data") or {}, metadata.get("annotations") or {})
    if problems:
        raise status.denied(CONFIG_WEBHOOK, "; ".join(problems))
