"""Children: makes the objects that belong to another one fit what is wanted; foreign ones are never touched.

Server-side apply, so that what others write into the same object stays
theirs. Nothing is sent when the cache shows that nothing would change.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import msgspec

from controller.api.conditions import Condition, Conditions
from controller.api.meta import Resource as Object
from controller.api.meta import is_controlled_by, timestamp
from controller.api.registry import KINDS
from dataplane.kube.client import Client
from dataplane.kube.resource import Resource

T = TypeVar("T", bound=Object)

NOT_OWNED = "NotOwned"


def resource_of(kind: type[Object]) -> Resource:
    """Where the objects of one of our kinds are kept."""
    row = next(row for row in KINDS if row.struct is kind)
    return Resource(row.group, row.version, row.plural, row.kind, row.namespaced)


def is_foreign(live: Object | None, owner: Object) -> bool:
    """An object of the wanted name is there, and belongs to somebody else (SC 0.2)."""
    return live is not None and not is_controlled_by(live.metadata, owner)


def content_of(wanted: Object) -> dict[str, Any]:
    """What is applied: no status, and nothing that is the API server's."""
    content: dict[str, Any] = msgspec.to_builtins(wanted)
    content.pop("status", None)
    return content


async def ensure(client: Client, resource: Resource, wanted: T, live: T | None) -> T:
    """The object as it is afterwards."""
    if live is not None and holds(content_of(wanted), msgspec.to_builtins(live)):
        return live
    return await client.apply(resource, wanted.namespace, wanted.name, content_of(wanted), type(wanted))


async def ensure_plain(
    client: Client, resource: Resource, wanted: dict[str, Any], live: T | None, kind: type[T]
) -> None:
    """The same for an object that is plain JSON; compared as far as the cache's class reads it."""
    trimmed = msgspec.to_builtins(msgspec.convert(wanted, kind))
    if live is None or not holds(trimmed, msgspec.to_builtins(live)):
        await client.apply(resource, wanted["metadata"]["namespace"], wanted["metadata"]["name"], wanted, kind)


def holds(wanted: Any, live: Any) -> bool:
    """Whether every value of `wanted` stands in `live`; a list counts as one value."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(key in live and holds(value, live[key]) for key, value in wanted.items())
    return bool(wanted == live)


def begin(item: Object, dependents: tuple[str, ...], before: tuple[Condition, ...], observed: int) -> Conditions:
    """The conditions of an object at the start of a reconcile (SC 0.2)."""
    conditions = Conditions(dependents, before, timestamp(time.time()))
    conditions.initialise()
    if observed != item.metadata.generation:
        conditions.new_generation()
    return conditions


async def write_status(client: Client, resource: Resource, item: T, status: Any, before: Any) -> None:
    """Writes a status that differs; what it leaves out is removed."""
    if status == before:
        return
    content = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": item.name, "namespace": item.namespace, "uid": item.metadata.uid},
        "status": msgspec.to_builtins(status),
    }
    await client.apply(resource, item.namespace, item.name, content, type(item), subresource="status")
