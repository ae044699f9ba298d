"""admission: our kinds and their rules, as the embedded API server takes them.

On a cluster the webhook calls the same functions; here they run in the server itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.api import registry
from controller.api.admission import admit
from controller.api.crd import crd
from controller.config import settings as config
from controller.local.api.kinds import Kind, defined
from controller.local.api.registry import Admission, Request
from controller.local.api.status import denied

Object = dict[str, Any]

RESOURCE_WEBHOOK, CONFIG_WEBHOOK = "validation.webhook.serving.knative.dev", "config.webhook.serving.knative.dev"
"""The names that users know from the messages (SC 5.1)."""


def kinds() -> tuple[Kind, ...]:
    """All kinds of ours, as the API serves them."""
    return tuple(each for kind in registry.KINDS for each in defined(crd(kind)))


def admission(settings: Callable[[], config.Settings], system_namespace: str) -> Admission:
    """Defaults and rules for our kinds, and for the config maps of the system namespace.

    settings   what the config maps say at the moment
    """
    ours = {(kind.api_version, kind.kind): kind for kind in registry.KINDS}

    def judge(kind: Kind, operation: str, found: Object, old: Object | None, request: Request) -> Object:
        if kind.resource == "configmaps" and found["metadata"].get("namespace") == system_namespace:
            _check_settings(found)
        if (own := ours.get((kind.api_version, kind.kind))) is None:
            return found
        answer = admit(own, operation, found, old, request.user, settings(), request.subresource)
        if not answer.is_allowed:
            raise denied(RESOURCE_WEBHOOK, answer.message)
        request.warnings.extend(answer.warning_texts)
        return answer.document

    return judge


def _check_settings(found: Object) -> None:
    metadata = found["metadata"]
    problems = config.problems(metadata["name"], found.get("data") or {}, metadata.get("annotations") or {})
    if problems:
        raise denied(CONFIG_WEBHOOK, "validation failed: " + "; ".join(problems))
