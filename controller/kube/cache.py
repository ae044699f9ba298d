"""Cache: what the last watch said about one kind of object; readers never wait.

Indexed by what its makers ask for, so that a reader finds the children of an
object without looking at all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from dataplane.kube.watch import Changed, Deleted, Replaced

Key = tuple[str, str]
"""Namespace and name; the namespace is empty for what has none."""


class Keyed(Protocol):
    """An object that says where it stands."""

    @property
    def key(self) -> Key:
        """Namespace and name."""


T = TypeVar("T", bound=Keyed)
Listener = Callable[[T | None, T | None], None]
"""Told of every change, as it was and as it is; None where there is nothing."""


class Cache(Generic[T]):
    """All objects of one kind. Objects are never changed in place."""

    def __init__(self, indexes: Mapping[str, Callable[[T], Iterable[str]]] | None = None) -> None:
        """indexes: name → the values under which an object is found."""
        self._items: dict[Key, T] = {}
        self._indexes = dict(indexes or {})
        self._found: dict[str, dict[str, dict[Key, T]]] = {name: {} for name in self._indexes}
        self._listeners: list[Listener[T]] = []
        self.listed = asyncio.Event()
        """Set once everything was seen for the first time; no decision may be made before."""

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def get(self, namespace: str, name: str) -> T | None:
        """The object, or None."""
        return self._items.get((namespace, name))

    def by(self, index: str, value: str) -> list[T]:
        """Objects that stand under `value` in that index, by key."""
        found = self._found[index].get(value, {})
        return [found[key] for key in sorted(found)]

    def listen(self, listener: Listener[T]) -> None:
        """From now on, and for what is here already."""
        self._listeners.append(listener)
        for item in self:
            listener(None, item)

    async def follow(self, events: AsyncIterator[Replaced[T] | Changed[T] | Deleted[T]]) -> None:
        """Takes what a watch says, for as long as it says anything."""
        async for event in events:
            if isinstance(event, Replaced):
                kept = {item.key for item in event.items}
                for key in [key for key in self._items if key not in kept]:
                    self._put(key, None)
                for item in event.items:
                    self._put(item.key, item)
                self.listed.set()
            elif isinstance(event, Changed):
                self._put(event.item.key, event.item)
            else:
                self._put(event.item.key, None)

    def _put(self, key: Key, new: T | None) -> None:
        old = self._items.pop(key, None)
        if new is not None:
            self._items[key] = new
        for name, values_of in self._indexes.items():
            self._reindex(self._found[name], key, values_of(old) if old else (), values_of(new) if new else (), new)
        if old != new:
            for listener in self._listeners:
                listener(old, new)

    @staticmethod
    def _reindex(
        found: dict[str, dict[Key, T]], key: Key, before: Iterable[str], after: Iterable[str], new: T | None
    ) -> None:
        for value in before:
            there = found.get(value)
            if there is not None:
                there.pop(key, None)
                if not there:
                    del found[value]
        if new is not None:
            for value in after:
                found.setdefault(value, {})[key] = new
