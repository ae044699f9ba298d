"""Context: who does what to an object, under which settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from controller.api.meta import ObjectMeta, Resource

if TYPE_CHECKING:
    from controller.config.settings import Settings

CREATE, UPDATE, DELETE = "CREATE", "UPDATE", "DELETE"


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The request that an object came with; without an operation, a reconciler looks at what is stored."""

    settings: Settings
    operation: str = ""
    user: str = ""
    """Name of the user; empty: nobody asks."""

    old: Resource | None = None
    """The object before an update."""

    subresource: str = ""

    @property
    def is_create(self) -> bool:
        return self.operation == CREATE

    @property
    def is_update(self) -> bool:
        return self.operation == UPDATE and self.old is not None

    @property
    def is_status_update(self) -> bool:
        return self.is_update and self.subresource == "status"


def template_fields(meta: ObjectMeta) -> dict[str, Any]:
    """What a template for a container's name sees: the metadata of the object that has the revision template."""
    return {
        "Name": meta.name,
        "Namespace": meta.namespace,
        "Labels": meta.labels,
        "Annotations": meta.annotations,
    }
