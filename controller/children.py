"""Children: makes the objects that belong to another one fit what is wanted; foreign ones are never touched.

Server-side apply, so that what others write into the same object stays
theirs. Nothing is sent when the cache shows that nothing would change.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from controller.api.conditions import Condition, Conditions
from controller.api.context import Context
from controller.api.meta import Resource as Object
from controller.api.meta import is_controlled_by, timestamp
from controller.api.registry import KINDS, Kind
from controller.config.settings import Settings
from controller.kube.events import Recorder
from dataplane.kube.client import Client
from dataplane.kube.errors import AlreadyExists, Conflict, KubeError, NotFound
from dataplane.kube.resource import Resource

T = TypeVar("T", bound=Object)

NOT_OWNED = "NotOwned"
NOT_OWNED_AGAIN_S = 30.0
"""Nobody tells when a foreign object goes: its owner is not ours."""

INTERNAL_ERROR = "InternalError"

APPLIED = "penstock.dev/applied"
"""Annotation with the digest of what was applied: a label that is wanted no more is noticed by it, since
server-side apply takes away what its manager owned and leaves out now."""

_BY_STRUCT: dict[type[Object], Kind] = {row.struct: row for row in KINDS}


def resource_of(kind: type[Object]) -> Resource:
    """Where the objects of one of our kinds are kept."""
    row = _BY_STRUCT[kind]
    return Resource(row.group, row.version, row.plural, row.kind, row.namespaced)


def defaulted(item: T, settings: Settings) -> T:
    """As an admission would have stored it: nothing depends on one being there (SC 0.2)."""
    made: T = _BY_STRUCT[type(item)].defaulted(item, Context(settings=settings))
    return made


def is_foreign(live: Object | None, owner: Object) -> bool:
    """An object of the wanted name is there, and belongs to somebody else (SC 0.2)."""
    return live is not None and not is_controlled_by(live.metadata, owner)


def content_of(wanted: Object) -> dict[str, Any]:
    """What is applied: no status, and nothing that is the API server's."""
    content: dict[str, Any] = msgspec.to_builtins(wanted)
    content.pop("status", None)
    return content


def digest(content: Any) -> str:
    """16 hex digits of plain JSON; the order of keys does not count."""
    return blake2b(msgspec.json.encode(content, order="deterministic"), digest_size=8).hexdigest()


async def ensure(client: Client, resource: Resource, wanted: T, live: T | None) -> T:
    """The object as it is afterwards."""
    content = content_of(wanted)
    if _mark(content, live) and holds(content, msgspec.to_builtins(live)):
        return live  # type: ignore[return-value]  # an object that is not there has no mark
    return await client.apply(resource, wanted.namespace, wanted.name, content, type(wanted))


async def ensure_plain(
    client: Client,
    resource: Resource,
    wanted: dict[str, Any],
    live: T | None,
    kind: type[T],
    reads: Callable[[T], Any] = msgspec.to_builtins,
) -> None:
    """The same for an object that is plain JSON; compared as far as the cache's class reads it.

    reads   what of an object counts, where the API server may write the same in another order
    """
    trimmed = reads(msgspec.convert(wanted, kind))
    if _mark(wanted, live) and live is not None and holds(trimmed, reads(live)):
        return
    await client.apply(resource, wanted["metadata"]["namespace"], wanted["metadata"]["name"], wanted, kind)


def _mark(content: dict[str, Any], live: Object | None) -> bool:
    """Puts the digest into what is to be applied; True when the live object came from the same."""
    annotations = content["metadata"].setdefault("annotations", {})
    annotations.pop(APPLIED, None)
    annotations[APPLIED] = digest(content)
    return live is not None and live.metadata.annotations.get(APPLIED) == annotations[APPLIED]


def holds(wanted: Any, live: Any) -> bool:
    """Whether every value of `wanted` stands in `live`; a list counts as one value."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(key in live and holds(value, live[key]) for key, value in wanted.items())
    return bool(wanted == live)


async def create_or_read(client: Client, resource: Resource, wanted: Any, kind: type[T]) -> T:
    """A new object, or the one that has its name: a cache may be behind, or not look at foreign ones."""
    metadata = wanted["metadata"] if isinstance(wanted, dict) else {"name": wanted.name, "namespace": wanted.namespace}
    try:
        return await client.create(resource, metadata["namespace"], wanted, kind)
    except AlreadyExists:
        return await client.read(resource, metadata["namespace"], metadata["name"], kind)


def begin(item: Object, dependents: tuple[str, ...], before: tuple[Condition, ...], observed: int) -> Conditions:
    """The conditions of an object at the start of a reconcile (SC 0.2)."""
    conditions = Conditions(dependents, before, timestamp(time.time()))
    conditions.initialise()
    if observed != item.metadata.generation:
        conditions.new_generation()
    return conditions


async def settle(
    client: Client,
    events: Recorder,
    item: Any,
    dependents: tuple[str, ...],
    work: Callable[[Conditions], Awaitable[Any]],
) -> float | None:
    """Works on an object and writes its status, whatever came of the work (SC-025).

    work     decides on the conditions, and returns the status without them
    Returns  the seconds after which to look again, or None
    """
    conditions = begin(item, dependents, item.status.conditions, item.status.observed_generation)
    status, failure = item.status, None
    try:
        status = await work(conditions)
    except (Conflict, AlreadyExists):
        raise
    except KubeError as error:
        failure = error
        events.warning(item, INTERNAL_ERROR, str(error))
    status = msgspec.structs.replace(
        status, observed_generation=item.metadata.generation, conditions=conditions.result()
    )
    await write_status(client, resource_of(type(item)), item, status, item.status)
    if failure is not None:
        raise failure
    is_blocked = any(condition.reason == NOT_OWNED for condition in status.conditions)
    return NOT_OWNED_AGAIN_S if is_blocked else None


async def write_status(client: Client, resource: Resource, item: T, status: Any, before: Any) -> None:
    """Writes a status that differs; what it leaves out is removed. An object that has gone needs none."""
    if status == before:
        return
    content = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": item.name, "namespace": item.namespace, "uid": item.metadata.uid},
        "status": msgspec.to_builtins(status),
    }
    try:
        await client.apply(resource, item.namespace, item.name, content, type(item), subresource="status")
    except NotFound:
        return
