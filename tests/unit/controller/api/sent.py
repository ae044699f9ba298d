"""Sent: requests to an API server, without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.api.admission import Admission, admit
from controller.api.registry import BY_KIND
from controller.config.settings import Settings

Json = dict[str, Any]
IMAGE = "example.com/demo"


class Api:
    """Sends objects through admission, under settings that a test may change."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.user = ""

    def configure(self, name: str, data: Mapping[str, str]) -> None:
        self.settings, problems = self.settings.changed(name, data)
        assert problems == []

    def enable(self, *flags: str, state: str = "Enabled") -> None:
        self.configure("config-features", dict.fromkeys(flags, state))

    def send(self, document: Json, old: Json | None = None, subresource: str = "") -> Admission:
        group, _, _ = document["apiVersion"].partition("/")
        kind = BY_KIND[(group, document["kind"])]
        operation = "CREATE" if old is None else "UPDATE"
        return admit(kind, operation, document, old, self.user, self.settings, subresource)

    def service(self, spec: Json | None = None, **others: Any) -> Admission:
        """A Service whose revisions have this spec; `others` are parts of the object."""
        return self.send(make_service(spec, **others))

    def container(self, container: Json, **spec: Any) -> Admission:
        """A Service with one container, which has an image; `spec` are more fields of the pod."""
        return self.service({"containers": [{"image": IMAGE, **container}], **spec})


def make_service(
    spec: Json | None = None,
    *,
    template: Json | None = None,
    traffic: list[Json] | None = None,
    metadata: Json | None = None,
) -> Json:
    spec = {"containers": [{"image": IMAGE}]} if spec is None else spec
    body: Json = {"template": {"metadata": template or {}, "spec": spec}}
    if traffic is not None:
        body["traffic"] = traffic
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "demo", "namespace": "default", **(metadata or {})},
        "spec": body,
    }
