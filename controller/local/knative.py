"""Knative: our kinds and their admission, as the embedded API server takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.api.admission import admit
from controller.api.registry import BY_KIND, KINDS
from controller.config import settings as maps
from controller.config.settings import Settings
from controller.local.api import status
from controller.local.api.kinds import Column, Kind
from controller.local.api.registry import Admission, Request

Object = dict[str, Any]

WEBHOOK, CONFIG_WEBHOOK = "validation.webhook.serving.knative.dev", "config.webhook.serving.knative.dev"
"""Names of upstream's webhooks, which stand in what users are told."""


def kinds() -> tuple[Kind, ...]:
    """Every kind of the registry."""
    return tuple(
        Kind(
            group=row.group,
            version=row.version,
            plural=row.plural,
            kind=row.kind,
            singular=row.singular,
            short_names=row.short_names,
            categories=row.categories,
            namespaced=row.namespaced,
            status=row.has_status,
            schema=row.schema,
            columns=tuple(Column(column.name, column.json_path, column.type) for column in row.columns),
        )
        for row in KINDS
    )


def admission(settings: Callable[[], Settings], system_namespace: str) -> Admission:
    """Defaults and rules of our kinds, and the check of config maps in the system namespace.

    settings   what counts now
    """

    def judge(kind: Kind, operation: str, found: Object, old: Object | None, request: Request) -> Object:
        if (kind.group, kind.kind) == ("", "ConfigMap") and found["metadata"].get("namespace") == system_namespace:
            return _config_map(found)
        row = BY_KIND.get((kind.group, kind.kind))
        if row is None:
            return found
        outcome = admit(row, operation, found, old, request.user, settings(), request.subresource)
        if not outcome.is_allowed:
            raise status.denied(WEBHOOK, outcome.message)
        return outcome.document

    return judge


def _config_map(found: Object) -> Object:
    metadata = found["metadata"]
    wrong = maps.problems(metadata["name"], found.get("data") or {}, metadata.get("annotations") or {})
    if wrong:
        raise status.denied(CONFIG_WEBHOOK, "validation failed: " + "; ".join(wrong))
    return found
