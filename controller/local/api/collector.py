"""collector: what has to go because something else went: dependents of owners, and contents of namespaces.

It hears of every change and looks only at the objects that the change may concern.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

from controller.local.api.deletion import BACKGROUND, FOREGROUND, ORPHANING, WAITING, DeleteOptions, delete
from controller.local.api.registry import Registry, Request, tidy
from controller.local.api.status import ApiError
from controller.local.api.store import DELETED, Change, Entry

Object = dict[str, Any]
Key = tuple[str, str, str]

log = logging.getLogger(__name__)

_RETRY_S = 1.0
"""After a write that failed (a full disk): until then nothing would be different."""


class Collector:
    """Finishes deletions. `run` works until it is cancelled."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._store = registry.store
        self._queue: deque[Key] = deque()
        self._queued: set[Key] = set()
        self._wanted = asyncio.Event()
        self._ending: set[str] = set()
        registry.hub.listen(self._on_change)

    async def run(self) -> None:
        self._look_at_all()
        while True:
            await self._wanted.wait()
            while self._queue:
                key = self._queue.popleft()
                self._queued.discard(key)
                try:
                    self._look(key)
                except ApiError as wrong:
                    if wrong.code not in (404, 409):
                        log.warning("%s %s/%s cannot be collected yet: %s", *key, wrong)
                        self._add(key)
                        await asyncio.sleep(_RETRY_S)
                await asyncio.sleep(0)
            self._wanted.clear()

    def _add(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._queue.append(key)
            self._wanted.set()

    def _look_at_all(self) -> None:
        """After a start: deletions that were under way."""
        for resource in self._store.resources():
            for namespace, name, entry in self._store.items(resource):
                if entry.owners or b'"deletionTimestamp"' in entry.body:
                    self._add((resource, namespace, name))

    def _on_change(self, change: Change) -> None:
        key = (change.resource, change.namespace, change.name)
        if change.type == DELETED:
            for dependent in self._store.dependents(change.entry.uid):
                self._add(dependent)
            for owner in change.entry.owners:
                self._add_owner(owner)
            if change.namespace in self._ending:
                self._add(("namespaces", "", change.namespace))
            if change.resource == "namespaces":
                self._ending.discard(change.name)
            return
        if change.before is None or change.before.owners != change.entry.owners:
            if any(not self._store.has_uid(owner) for owner in change.entry.owners):
                self._add(key)
            for owner in change.before.owners if change.before else ():
                self._add_owner(owner)
        if b'"deletionTimestamp"' in change.entry.body:
            self._add(key)

    def _add_owner(self, uid: str) -> None:
        if (key := self._store.key_of(uid)) is not None:
            self._add(key)

    def _look(self, key: Key) -> None:
        resource, namespace, name = key
        entry = self._store.get(resource, namespace, name)
        if entry is None:
            return
        found = entry.object()
        metadata = found["metadata"]
        if metadata.get("deletionTimestamp"):
            if resource == "namespaces":
                self._empty(name, found)
            finalizers = metadata.get("finalizers") or ()
            if WAITING in finalizers:
                self._wait_for_dependents(key, metadata["uid"])
            elif ORPHANING in finalizers:
                self._orphan(key, metadata["uid"])
        elif entry.owners:
            self._follow_owners(key, entry, metadata)

    def _follow_owners(self, key: Key, entry: Entry, metadata: Object) -> None:
        """An object whose owners are gone goes too; of several owners, those that are gone are forgotten."""
        gone = {owner for owner in entry.owners if not self._store.has_uid(owner)}
        if not gone:
            return
        kind = self._registry.catalogue.of(key[0])
        if len(gone) == len(set(entry.owners)):
            delete(self._registry, kind, key[1], key[2], DeleteOptions(BACKGROUND, uid=metadata["uid"]))
        else:
            self._drop_owners(key, gone)

    def _drop_owners(self, key: Key, uids: set[str]) -> None:
        def transform(live: Object) -> Object:
            owners = [each for each in live["metadata"].get("ownerReferences") or () if each["uid"] not in uids]
            live["metadata"]["ownerReferences"] = owners
            return live

        self._change(key, transform)

    def _drop_finalizer(self, key: Key, finalizer: str) -> None:
        def transform(live: Object) -> Object:
            kept = [each for each in live["metadata"].get("finalizers") or () if each != finalizer]
            live["metadata"]["finalizers"] = kept
            return live

        self._change(key, transform)

    def _change(self, key: Key, transform: Any) -> None:
        """Past the admission: what the collector does to metadata is nobody's to refuse."""
        resource, namespace, name = key
        kind = self._registry.catalogue.of(resource)
        entry = self._registry.get(kind, namespace, name)
        found = transform(entry.object())
        tidy(found["metadata"])
        self._registry.keep(kind, entry.object(), found, Request())

    def _wait_for_dependents(self, key: Key, uid: str) -> None:
        is_blocked = False
        for dependent in self._store.dependents(uid):
            resource, namespace, name = dependent
            entry = self._store.get(resource, namespace, name)
            if entry is None:
                continue
            metadata = entry.object()["metadata"]
            blocks = any(
                owner["uid"] == uid and owner.get("blockOwnerDeletion") for owner in metadata["ownerReferences"]
            )
            if not metadata.get("deletionTimestamp"):
                if any(self._is_solid(owner) for owner in entry.owners):
                    self._drop_owners(dependent, {uid})
                    continue
                kind = self._registry.catalogue.of(resource)
                _, is_gone = delete(self._registry, kind, namespace, name, DeleteOptions(FOREGROUND))
                blocks = blocks and not is_gone
            is_blocked = is_blocked or blocks
        if not is_blocked:
            self._drop_finalizer(key, WAITING)

    def _is_solid(self, uid: str) -> bool:
        """The owner is there to stay."""
        key = self._store.key_of(uid)
        entry = self._store.get(*key) if key else None
        return entry is not None and not entry.object()["metadata"].get("deletionTimestamp")

    def _orphan(self, key: Key, uid: str) -> None:
        for dependent in self._store.dependents(uid):
            self._drop_owners(dependent, {uid})
        self._drop_finalizer(key, ORPHANING)

    def _empty(self, namespace: str, found: Object) -> None:
        """Deletes all that is in a namespace; the last to go takes the namespace along."""
        self._ending.add(namespace)
        left = 0
        for kind in self._registry.catalogue.kinds:
            if not kind.namespaced:
                continue
            for _, name, entry in list(self._store.items(kind.resource, namespace)):
                if b'"deletionTimestamp"' not in entry.body:
                    delete(self._registry, kind, namespace, name, DeleteOptions(BACKGROUND))
            left += self._store.count(kind.resource, namespace)
        if not left and "kubernetes" in ((found.get("spec") or {}).get("finalizers") or ()):
            kept = [each for each in found["spec"]["finalizers"] if each != "kubernetes"]
            new = {**found, "spec": {**found["spec"], "finalizers": kept}}
            self._registry.keep(self._registry.catalogue.of("namespaces"), found, new, Request())
