"""watch: who hears of which change, from which version on.

A change is turned into bytes once, for all who watch. The last changes are kept, so that a watch can begin in the
past; one that asks for more than is kept gets 410 and has to list again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from controller.local.api.selectors import Selection
from controller.local.api.status import expired
from controller.local.api.store import ADDED, DELETED, MODIFIED, Change, Entry, decode, encode

Object = dict[str, Any]

HISTORY_BYTES = 8 << 20
HISTORY_CHANGES = 10_000
BACKLOG_MAX = HISTORY_CHANGES
"""Changes that wait for a slow reader before its watch ends; it then begins again from its last version."""


class Event:
    """A change as watches see it. Bytes and objects are made when first asked for, and once."""

    __slots__ = ("_lines", "_object", "_previous", "change")

    def __init__(self, change: Change) -> None:
        self.change = change
        self._lines: dict[str, bytes] = {}
        self._object: Object | None = None
        self._previous: Object | None = None

    @property
    def version(self) -> int:
        return self.change.entry.version

    @property
    def size_bytes(self) -> int:
        """What remembering it costs, about."""
        before = self.change.before
        return len(self.change.entry.body) + (len(before.body) if before else 0)

    def now(self) -> Object:
        if self._object is None:
            self._object = decode(self.change.entry.body)
        return self._object

    def earlier(self) -> Object:
        assert self.change.before is not None
        if self._previous is None:
            self._previous = decode(self.change.before.body)
        return self._previous

    def type_for(self, selection: Selection) -> str:
        """ADDED, MODIFIED or DELETED as this selection sees it; empty when it does not."""
        change = self.change
        if not selection.covers(change.namespace, change.name):
            return ""
        is_in = change.type != DELETED and selection.holds(change.entry.labels, self.now)
        was_in = change.before is not None and selection.holds(change.before.labels, self.earlier)
        if is_in:
            return MODIFIED if was_in else ADDED
        return DELETED if was_in else ""

    def body_for(self, type_: str) -> bytes:
        """The object that goes with a type: one that left a selection is shown as it was, with the new version."""
        if type_ == DELETED and self.change.type != DELETED:
            found = dict(self.earlier())
            found["metadata"] = {**found["metadata"], "resourceVersion": str(self.version)}
            return encode(found)
        return self.change.entry.body

    def line(self, type_: str) -> bytes:
        if type_ not in self._lines:
            self._lines[type_] = line(type_, self.body_for(type_))
        return self._lines[type_]

    def drop_objects(self) -> None:
        """Only bytes are kept once all who watch have seen it."""
        self._object = self._previous = None


def line(type_: str, body: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (type_.encode(), body)


class Watcher:
    """One watch: a selection, and the events that its reader has not taken yet."""

    def __init__(self, resource: str, selection: Selection) -> None:
        self.resource = resource
        self.selection = selection
        self.is_lost = False
        self._pending: deque[tuple[str, Event]] = deque()
        self._ready = asyncio.Event()

    def offer(self, event: Event) -> None:
        if (type_ := event.type_for(self.selection)) and not self.is_lost:
            self._pending.append((type_, event))
            if len(self._pending) > BACKLOG_MAX:
                self.is_lost = True
            self._ready.set()

    def end(self) -> None:
        self.is_lost = True
        self._ready.set()

    async def take(self, timeout_s: float | None) -> list[tuple[str, Event]]:
        """All that has happened; waits for the first. Empty when the time is up or the watch is lost."""
        if not self._pending and not self.is_lost:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._ready.wait()
            except TimeoutError:
                return []
        self._ready.clear()
        taken = list(self._pending)
        self._pending.clear()
        return [] if self.is_lost else taken


class Hub:
    """All watches, and the changes that they may still ask for."""

    def __init__(self, version: int) -> None:
        """`version` is the store's now: of what was before, nothing is known."""
        self.oldest = version
        self.version = version
        self._history: deque[Event] = deque()
        self._bytes = 0
        self._watchers: dict[str, set[Watcher]] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def on_change(self, change: Change) -> None:
        """Tells everybody. Costs by the number of watches of this resource, never by the number of objects."""
        event = Event(change)
        self.version = event.version
        for watcher in self._watchers.get(change.resource, ()):
            watcher.offer(event)
        event.drop_objects()
        self._remember(event)
        for listener in self._listeners:
            listener(change)

    def listen(self, listener: Callable[[Change], None]) -> None:
        """Calls a part of this server after every change."""
        self._listeners.append(listener)

    def _remember(self, event: Event) -> None:
        self._history.append(event)
        self._bytes += event.size_bytes
        while self._bytes > HISTORY_BYTES or len(self._history) > HISTORY_CHANGES:
            old = self._history.popleft()
            self._bytes -= old.size_bytes
            self.oldest = old.version

    def since(self, resource: str, version: int) -> Iterator[Event]:
        """Changes of a resource after a version, oldest first.

        Raises  ApiError 410 if some of them are forgotten
        """
        if version < self.oldest:
            raise expired(f"too old resource version: {version} ({self.oldest})")
        found = []
        for event in reversed(self._history):
            if event.version <= version:
                break
            if event.change.resource == resource:
                found.append(event)
        return reversed(found)

    def begin(self, resource: str, selection: Selection, version: int | None) -> Watcher:
        """A watch that hears of what follows a version; of what follows now when it is None."""
        watcher = Watcher(resource, selection)
        if version is not None:
            for event in self.since(resource, version):
                watcher.offer(event)
        self._watchers.setdefault(resource, set()).add(watcher)
        return watcher

    def finish(self, watcher: Watcher) -> None:
        self._watchers.get(watcher.resource, set()).discard(watcher)

    def close(self) -> None:
        """Ends all watches: the server goes."""
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.end()


def bookmark(kind: str, api_version: str, version: int, *, initial_ended: bool = False) -> bytes:
    """A line that tells a watch how far it is."""
    metadata: Object = {"resourceVersion": str(version)}
    if initial_ended:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return line("BOOKMARK", encode({"kind": kind, "apiVersion": api_version, "metadata": metadata}))


def matching(entries: Iterator[tuple[str, str, Entry]], selection: Selection) -> Iterator[Entry]:
    """The entries that a selection means."""
    for namespace, name, entry in entries:
        if selection.covers(namespace, name) and selection.holds(entry.labels, entry.object):
            yield entry
