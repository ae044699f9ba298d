"""store: the objects, durable in SQLite and readable from memory.

One writer, the event loop's thread. A write is one transaction of a write-ahead log with `synchronous=NORMAL`: it
survives the death of the process at any moment, and a power cut may take the last writes but never half of one. The
disk is waited for only by the checkpoint, which has a thread and a connection of its own.

An object is kept as the JSON bytes that are sent: reading it costs no decoding, and nothing in memory can be changed
by accident.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from controller.local.api.status import ApiError

Object = dict[str, Any]

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"

_PAGES_PER_CHECKPOINT = 1000
_BUSY_S = 0.2
"""How long a write waits when somebody else has locked the file; the server answers nobody meanwhile."""

encode = msgspec.json.Encoder().encode
decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode

_TABLES = """
create table if not exists objects (
    resource text not null, namespace text not null, name text not null, version integer not null, body blob not null,
    primary key (resource, namespace, name)
) without rowid;
create table if not exists counter (one integer primary key check (one = 1), version integer not null);
insert or ignore into counter values (1, 0);
"""


class StoreError(Exception):
    """The file cannot be used. Says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One state of one object. `version` counts all writes of the store, `body` is its JSON."""

    version: int
    body: bytes
    uid: str
    labels: dict[str, str]
    owners: tuple[str, ...]

    def object(self) -> Object:
        """A fresh copy to work on."""
        found: Object = decode(self.body)
        return found


def entry_of(version: int, body: bytes, found: Object) -> Entry:
    metadata = found["metadata"]
    owners = tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ())
    return Entry(version, body, metadata.get("uid", ""), metadata.get("labels") or {}, owners)


@dataclass(frozen=True, slots=True)
class Change:
    """What one write did. `entry` is the new state, of a deletion the last one; `before` is None for a new object."""

    type: str
    resource: str
    namespace: str
    name: str
    entry: Entry
    before: Entry | None


class Store:
    """Every object, by resource, namespace (empty for kinds without) and name."""

    def __init__(self, path: Path, on_change: Callable[[Change], None] = lambda _: None) -> None:
        """Opens or makes the file.

        Raises  StoreError if another server has it open, or it is no store
        """
        self.on_change = on_change
        self.version = 0
        self._objects: dict[str, dict[str, dict[str, Entry]]] = {}
        self._dependents: dict[str, set[tuple[str, str, str]]] = {}
        self._uids: dict[str, tuple[str, str, str]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path)
        try:
            self._file = _opened(path)
            self._file.executescript(_TABLES)
            self._load()
        except sqlite3.Error as wrong:
            os.close(self._lock)
            raise StoreError(f"{path}: {wrong}; move the file away to begin with an empty one") from wrong
        self._since_checkpoint = 0
        self._checkpointer = Checkpointer(path)

    def _load(self) -> None:
        rows = self._file.execute("select resource, namespace, name, version, body from objects")
        for resource, namespace, name, version, body in rows:
            self._keep(resource, namespace, name, entry_of(version, body, decode(body)))
            self.version = max(self.version, version)
        self.version = max(self.version, self._file.execute("select version from counter").fetchone()[0])

    def close(self) -> None:
        self._checkpointer.close()
        self._file.close()
        os.close(self._lock)

    def get(self, resource: str, namespace: str, name: str) -> Entry | None:
        return self._objects.get(resource, {}).get(namespace, {}).get(name)

    def items(self, resource: str, namespace: str = "") -> Iterator[tuple[str, str, Entry]]:
        """Namespace, name and state of all objects of a resource, in order; of one namespace if it is named."""
        shelves = self._objects.get(resource, {})
        for each in [namespace] if namespace else sorted(shelves):
            shelf = shelves.get(each, {})
            for name in sorted(shelf):
                yield each, name, shelf[name]

    def count(self, resource: str, namespace: str) -> int:
        return len(self._objects.get(resource, {}).get(namespace, {}))

    def resources(self) -> list[str]:
        return list(self._objects)

    def dependents(self, uid: str) -> list[tuple[str, str, str]]:
        """Keys of the objects that name this owner."""
        return list(self._dependents.get(uid, ()))

    def has_uid(self, uid: str) -> bool:
        return uid in self._uids

    def key_of(self, uid: str) -> tuple[str, str, str] | None:
        """Resource, namespace and name of the object with this uid."""
        return self._uids.get(uid)

    def write(self, resource: str, namespace: str, name: str, found: Object) -> Entry:
        """Stores the object under the next version, which is put into it.

        Raises  ApiError 500 if the file takes no more; then nothing has changed
        """
        version = self.version + 1
        found["metadata"]["resourceVersion"] = str(version)
        body = encode(found)
        row = (resource, namespace, name, version, body)
        self._transact([("insert or replace into objects values (?, ?, ?, ?, ?)", row)])
        before = self.get(resource, namespace, name)
        entry = entry_of(version, body, found)
        self.version = version
        self._keep(resource, namespace, name, entry)
        self.on_change(Change(MODIFIED if before else ADDED, resource, namespace, name, entry, before))
        return entry

    def delete(self, resource: str, namespace: str, name: str) -> Entry:
        """Takes an object away; its last state carries the version of the deletion.

        Raises  ApiError 500 if the file cannot be written; KeyError if there is no such object
        """
        before = self._objects[resource][namespace][name]
        version = self.version + 1
        self._transact([
            ("delete from objects where resource = ? and namespace = ? and name = ?", (resource, namespace, name)),
            ("update counter set version = ?", (version,)),
        ])  # fmt: skip
        found = before.object()
        found["metadata"]["resourceVersion"] = str(version)
        self.version = version
        self._forget(resource, namespace, name, before)
        entry = entry_of(version, encode(found), found)
        self.on_change(Change(DELETED, resource, namespace, name, entry, before))
        return entry

    def _transact(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        try:
            if len(statements) > 1:
                self._file.execute("begin immediate")
            for statement, values in statements:
                self._file.execute(statement, values)
            if len(statements) > 1:
                self._file.execute("commit")
        except sqlite3.Error as wrong:
            if self._file.in_transaction:
                self._file.rollback()
            raise _failed(wrong) from wrong
        self._since_checkpoint += 1
        if self._since_checkpoint >= _PAGES_PER_CHECKPOINT:
            self._since_checkpoint = 0
            self._checkpointer.ring()

    def _keep(self, resource: str, namespace: str, name: str, entry: Entry) -> None:
        shelf = self._objects.setdefault(resource, {}).setdefault(namespace, {})
        before = shelf.get(name)
        if before is None or before.uid != entry.uid or before.owners != entry.owners:
            key = (resource, namespace, name)
            if before is not None:
                self._unlink(before, key)
            self._uids[entry.uid] = key
            for owner in entry.owners:
                self._dependents.setdefault(owner, set()).add(key)
        shelf[name] = entry

    def _forget(self, resource: str, namespace: str, name: str, entry: Entry) -> None:
        shelf = self._objects[resource][namespace]
        del shelf[name]
        if not shelf:
            del self._objects[resource][namespace]
        self._unlink(entry, (resource, namespace, name))

    def _unlink(self, entry: Entry, key: tuple[str, str, str]) -> None:
        self._uids.pop(entry.uid, None)
        for owner in entry.owners:
            if keys := self._dependents.get(owner):
                keys.discard(key)
                if not keys:
                    del self._dependents[owner]


def _opened(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    file.execute("pragma journal_mode = wal")
    file.execute("pragma synchronous = normal")
    file.execute("pragma wal_autocheckpoint = 0")
    return file


def _locked(path: Path) -> int:
    """Sees to it that one server writes the file; the kernel lets go when the process ends."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StoreError(f"{path}: another server has it open; end that one first") from None
    return lock


def _failed(wrong: sqlite3.Error) -> ApiError:
    said = str(wrong)
    if "full" in said:
        said += "; make room on the disk, then try again"
    return ApiError(500, "InternalError", f"the object cannot be stored: {said}", {"causes": [{"message": said}]})


class Checkpointer:
    """Moves the write-ahead log into the file, in a thread of its own, so that no write waits for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wanted = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
        self._thread.start()

    def ring(self) -> None:
        self._wanted.set()

    def close(self) -> None:
        self._ended = True
        self._wanted.set()
        self._thread.join()

    def _run(self) -> None:
        file = _opened(self._path)
        try:
            while not self._ended:
                self._wanted.wait()
                self._wanted.clear()
                # A full disk or a lock leaves the log as it is; the next ring tries again.
                try:
                    file.execute("pragma wal_checkpoint(passive)")
                except sqlite3.Error:
                    continue
        finally:
            file.close()
