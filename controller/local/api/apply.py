"""apply: who owns which field, and server-side apply on top of it.

An object carries one entry of `managedFields` for each manager and operation. An Update takes the fields that it
changes from everybody; an Apply owns all that it names, and may take a field from another only by force.
Source: Kubernetes, "Server-Side Apply".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from controller.local.api.fields import (
    Fields,
    Path,
    children,
    compared,
    document,
    members,
    owned,
    parse,
    printed,
    with_named,
    without,
)  # fmt: skip
from controller.local.api.shape import Shape
from controller.local.api.status import ApiError, Cause

Object = dict[str, Any]

APPLY, UPDATE = "Apply", "Update"
UPDATERS_MAX = 10
"""Entries of Update that an object keeps; older ones become one."""

ANCIENT, BEFORE_APPLY = "ancient-changes", "before-first-apply"

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where kubectl keeps what it applied from its own side; kept true when kubectl applies from ours."""

_NEVER_OWNED: Fields = {
    ("f:apiVersion",), ("f:kind",), ("f:metadata",), ("f:metadata", "f:name"), ("f:metadata", "f:namespace"),
    ("f:metadata", "f:creationTimestamp"), ("f:metadata", "f:selfLink"), ("f:metadata", "f:uid"),
    ("f:metadata", "f:generation"), ("f:metadata", "f:managedFields"), ("f:metadata", "f:resourceVersion"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Manager:
    """Whose change it is: a name, Apply or Update, and the subresource that it came through."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def said(self) -> str:
        """For a message about a conflict."""
        shown = json.dumps(self.name)
        if self.subresource:
            shown += f" with subresource {json.dumps(self.subresource)}"
        if self.operation == UPDATE:
            shown += f" using {self.api_version}"
        return shown


class Ledger:
    """The managers of one object, each with its fields and the time of its last change."""

    def __init__(self, entries: list[Object]) -> None:
        self.fields: dict[Manager, Fields] = {}
        self.times: dict[Manager, str] = {}
        self._read: dict[Manager, tuple[Fields, Object]] = {}
        for entry in entries:
            manager = Manager(
                entry.get("manager", ""), entry.get("operation", UPDATE), entry.get("apiVersion", ""),
                entry.get("subresource", ""),
            )  # fmt: skip
            self.fields[manager] = parse(entry.get("fieldsV1") or {})
            self._read[manager] = self.fields[manager], entry.get("fieldsV1") or {}
            self.times[manager] = entry.get("time", "")

    def entries(self) -> list[Object]:
        """The document: Apply before Update, then by time, then by name."""
        found = []
        order = sorted(self.fields, key=lambda each: (each.operation, self.times.get(each, ""), each.name))
        for manager in order:
            if not self.fields[manager]:
                continue
            entry = {
                "manager": manager.name, "operation": manager.operation, "apiVersion": manager.api_version,
                "time": self.times.get(manager, ""), "fieldsType": "FieldsV1",
                "fieldsV1": self._document(manager),
            }  # fmt: skip
            if not entry["time"]:
                del entry["time"]
            if manager.subresource:
                entry["subresource"] = manager.subresource
            found.append(entry)
        return found

    def _document(self, manager: Manager) -> Object:
        """Sets are replaced, never changed: one that is as it was read keeps its document."""
        read, written = self._read.get(manager, (None, {}))
        fields = self.fields[manager]
        return written if fields is read or fields == read else document(fields)

    def yield_fields(self, taken: Fields, but: Manager | None) -> None:
        """Everybody but one loses these fields."""
        for manager, fields in self.fields.items():
            if manager != but and not fields.isdisjoint(taken):
                self.fields[manager] = fields - taken

    def limit_updaters(self) -> None:
        """The oldest entries of Update become one when there are too many."""
        updaters = [each for each in self.fields if each.operation == UPDATE and self.fields[each]]
        surplus = len(updaters) - UPDATERS_MAX
        if surplus <= 0:
            return
        updaters.sort(key=lambda each: (self.times[each], each.name))
        for old in updaters[: surplus + 1]:
            bucket = Manager(ANCIENT, UPDATE, old.api_version)
            merged = self.fields.pop(old)
            self.fields[bucket] = self.fields.get(bucket, set()) | merged
            self.times[bucket] = self.times.pop(old)


def _ignored(path: Path, subresource: str, has_status: bool) -> bool:
    """Fields that a request through this door cannot set."""
    if subresource == "status":
        return path[0] != "f:status"
    return has_status and path[0] == "f:status"


def updated(
    shape: Shape, old: Object, new: Object, manager: Manager, now: str, *, has_status: bool, entries: list[Object]
) -> list[Object]:
    """`managedFields` after a create, an update or a patch.

    old, new  the object before and after, `managedFields` left out; before a create, `{}` or its empty form
    entries   `managedFields` before, or as the caller set them
    """
    changed, removed = compared(shape, old, new)
    ledger = Ledger(entries)
    ledger.yield_fields(changed | removed, None)
    mine = {path for path in changed if not _ignored(path, manager.subresource, has_status)} - _NEVER_OWNED
    if mine:
        ledger.fields[manager] = ledger.fields.get(manager, set()) | mine
        ledger.times[manager] = now
    ledger.limit_updaters()
    return ledger.entries()


def merged(shape: Shape, live: Any, config: Any) -> Any:
    """The live object with all that the configuration names put over it."""
    if live is None or live == config or type(live) is not type(config) or shape.is_leaf(config):
        return config
    if isinstance(config, dict):
        found = dict(live)
        for name, each in config.items():
            found[name] = merged(shape.field(name), live.get(name), each)
        return found
    before = {element: each for element, _, each in children(shape, live)}
    after = {element: each for element, _, each in children(shape, config)}
    items, order, placed = [], list(after), set()
    for element, each in before.items():
        if element not in after:
            items.append(each)
            continue
        while order and element not in placed:
            placed.add(order[0])
            items.append(merged(shape.item(), before.get(order[0]), after[order.pop(0)]))
    items += [merged(shape.item(), before.get(element), after[element]) for element in order]
    return items


def applied(
    shape: Shape, live: Object, config: Object, manager: Manager, now: str, *, force: bool, has_status: bool
) -> Object:
    """The object after a server-side apply, with its new `managedFields`.

    live    as it is stored; `{}` with apiVersion and kind if there is none yet
    config  what the manager applies
    Raises  ApiError 409 with one cause for each field that somebody else owns and that would change; ValueError if
            a list that is a map has two items of the same key
    """
    live = dict(live)
    live["metadata"] = dict(live.get("metadata") or {})
    entries = live["metadata"].pop("managedFields", None) or []
    ledger = Ledger(entries)
    if not entries and live["metadata"].get("uid"):
        before = Manager(BEFORE_APPLY, UPDATE, manager.api_version)
        ledger.fields[before] = compared(shape, {"metadata": {}}, live)[0] - _NEVER_OWNED
        ledger.times[before] = now
    last = ledger.fields.get(manager, set())
    mine = {path for path in owned(shape, config) if not _ignored(path, manager.subresource, has_status)}
    found: Object = merged(shape, live, config)
    ledger.fields[manager] = mine
    everybody: Fields = set().union(*ledger.fields.values())
    if not last <= everybody:
        dropped = with_named(shape, last) - with_named(shape, everybody)
        found = without(shape, found, members(shape, found) & dropped)
    changed, removed = compared(shape, live, found)
    if not force:
        _refuse_conflicts(ledger, changed - _applied_by_kubectl(shape, live, manager), manager)
    ledger.yield_fields(changed | removed, manager)
    ledger.fields[manager] = mine - _NEVER_OWNED
    if changed or removed:
        ledger.times[manager] = now
    if manager.name == "kubectl" and LAST_APPLIED in (found.get("metadata", {}).get("annotations") or {}):
        found["metadata"]["annotations"][LAST_APPLIED] = _last_applied(config)
    found.setdefault("metadata", {})["managedFields"] = ledger.entries()
    return found


def _applied_by_kubectl(shape: Shape, live: Object, manager: Manager) -> Fields:
    """What kubectl applied from its own side is still its own when it applies from ours."""
    said = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if manager.name != "kubectl" or not said:
        return set()
    try:
        return owned(shape, json.loads(said))
    except ValueError:
        return set()


def _last_applied(config: Object) -> str:
    """A configuration as kubectl keeps it on the object, without that annotation itself."""
    metadata = dict(config.get("metadata") or {})
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != LAST_APPLIED}
    if annotations or "annotations" in metadata:
        metadata["annotations"] = annotations
    return json.dumps({**config, "metadata": metadata}, separators=(",", ":"), sort_keys=True) + "\n"


def _refuse_conflicts(ledger: Ledger, changed: Fields, mine: Manager) -> None:
    found: list[tuple[str, Path]] = []
    for manager, fields in ledger.fields.items():
        if manager != mine:
            said = manager.said()
            found += [(said, path) for path in fields & changed]
    if not found:
        return
    found.sort(key=lambda each: (each[0], printed(each[1])))
    causes = [Cause("FieldManagerConflict", f"conflict with {who}", printed(path)) for who, path in found]
    if len(found) == 1:
        who, path = found[0]
        message = f"Apply failed with 1 conflict: conflict with {who}: {printed(path)}"
    else:
        lines = [f"Apply failed with {len(found)} conflicts: "]
        previous = ""
        for who, path in found:
            if who != previous:
                lines.append(f"conflicts with {who}:")
            lines.append(f"- {printed(path)}")
            previous = who
        message = lines[0] + "\n".join(lines[1:])
    raise ApiError(409, "Conflict", message, {"causes": [cause.document() for cause in causes]})


def is_same(old: Object, new: Object) -> bool:
    """Two states of an object that differ in nothing, the times of `managedFields` and the version set aside."""
    return _comparable(old) == _comparable(new)


def _comparable(document_: Object) -> Object:
    metadata = dict(document_.get("metadata") or {})
    metadata.pop("resourceVersion", None)
    metadata["managedFields"] = [
        {key: value for key, value in entry.items() if key != "time"} for entry in metadata.get("managedFields") or ()
    ]
    return {**document_, "metadata": metadata}
