"""Watch: all objects of one kind, as they are and as they change, for as long as one listens.

A list first, then a stream that goes on from the list's version; bookmarks
move that version on while nothing happens. A stream that ends is taken up
where it was; when its version is too old by then, the list comes again, as a
whole, so that what was deleted meanwhile is noticed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from .client import Client, ListMeta
from .errors import Gone, KubeError, error_of
from .resource import Resource

T = TypeVar("T")

PAUSE_MIN_S = 0.1
PAUSE_MAX_S = 10.0
"""Between two tries; doubled each time, less a random half."""

STREAM_S = 300
"""What the server is asked to end a stream after, so that one that hangs unseen does not hang for ever."""


@dataclass(frozen=True, slots=True)
class Replaced(Generic[T]):
    """These are all objects; what is not among them is gone."""

    items: list[T]


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """One object is new, or differs from before."""

    item: T


@dataclass(frozen=True, slots=True)
class Deleted(Generic[T]):
    """One object is gone; this is how it was last."""

    item: T


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Marked(msgspec.Struct):
    metadata: ListMeta


async def watch(
    client: Client,
    resource: Resource,
    kind: type[T],
    namespace: str | None = None,
    *,
    labels: str = "",
    fields: str = "",
    on_trouble: Callable[[KubeError], None] | None = None,
) -> AsyncIterator[Replaced[T] | Changed[T] | Deleted[T]]:
    """Never ends by itself.

    labels, fields  selectors in the API's own syntax
    on_trouble      told of each failed try, before the pause
    """
    query = {"allowWatchBookmarks": "true", "timeoutSeconds": str(STREAM_S)}
    query |= {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
    decoder = msgspec.json.Decoder(kind)
    version = ""
    pause_s = PAUSE_MIN_S
    while True:
        try:
            if not version:
                items, version = await client.list(resource, kind, namespace, labels=labels, fields=fields)
                yield Replaced(items)
            async with client.stream(resource, namespace, {**query, "resourceVersion": version}) as lines:
                async for line in lines:
                    event, version = _read(line)
                    pause_s = PAUSE_MIN_S
                    if event.type in ("ADDED", "MODIFIED"):
                        yield Changed(decoder.decode(event.object))
                    elif event.type == "DELETED":
                        yield Deleted(decoder.decode(event.object))
        except Gone:
            version = ""
        except KubeError as error:
            if on_trouble is not None:
                on_trouble(error)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(pause_s * 2, PAUSE_MAX_S)


def _read(line: bytes) -> tuple[_Event, str]:
    """One line of a stream and the version that it leads to.

    Raises  KubeError (Gone among them) for an event that is an error.
    """
    event = msgspec.json.decode(line, type=_Event)
    if event.type == "ERROR":
        status: dict[str, Any] = msgspec.json.decode(event.object)
        raise error_of(int(status.get("code", 500)), bytes(event.object))
    return event, msgspec.json.decode(event.object, type=_Marked).metadata.resource_version
