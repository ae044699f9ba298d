"""registry: the verbs on objects: read, create, change. What all kinds have in common about their lives stands here.

Everything here runs to its end without waiting, in the event loop's thread. So a change reads and writes one state,
and no two changes meet.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from controller.local.api import apply, names, status
from controller.local.api.checking import violations
from controller.local.api.defaults import fill, settle
from controller.local.api.kinds import Catalogue, Kind
from controller.local.api.rules import broken
from controller.local.api.selectors import Selection
from controller.local.api.store import DELETED, Change, Entry, Store
from controller.local.api.watch import Hub, matching

Object = dict[str, Any]
Transform = Callable[[Object], Object]

CREATE, UPDATE = "CREATE", "UPDATE"

_KEPT = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "name",
    "namespace",
)
"""Metadata that the server writes, and no update changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks for a write, and how.

    manager    who will own the fields
    force      an apply takes fields from others
    is_apply   the write is a server-side apply
    warnings   what the answer will tell beside the object; an admission may add to it
    """

    user: str = ""
    manager: str = "unknown"
    dry_run: bool = False
    force: bool = False
    is_apply: bool = False
    subresource: str = ""
    warnings: list[str] = dataclasses.field(default_factory=list)


Admission = Callable[[Kind, str, Object, Object | None, Request], Object]
"""Completes and judges an object before it is stored: (kind, CREATE or UPDATE, new, old, request) → the object.
Raises ApiError to refuse it; `status.denied` has the words of a webhook."""


def as_it_is(kind: Kind, operation: str, found: Object, old: Object | None, request: Request) -> Object:
    """The admission that lets everything in."""
    return found


def timestamp(moment: datetime | None = None) -> str:
    """Now, as the API writes it."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def tidy(metadata: Object) -> None:
    """Empty lists and maps of an object's metadata are not there."""
    for field in ("labels", "annotations", "finalizers", "ownerReferences"):
        if field in metadata and not metadata[field]:
            del metadata[field]


class Registry:
    """All objects of one server, and what may be done with them."""

    def __init__(
        self, store: Store, hub: Hub, catalogue: Catalogue, *, admission: Admission = as_it_is,
        service_network: str = "127.240.0.0/12",
    ) -> None:  # fmt: skip
        self.store = store
        self.hub = hub
        self.catalogue = catalogue
        self.admission = admission
        self._addresses = Addresses(store, hub, service_network)

    def get(self, kind: Kind, namespace: str, name: str) -> Entry:
        """Raises ApiError 404 if there is no such object."""
        found = self.store.get(kind.resource, namespace, name)
        if found is None:
            raise status.not_found(kind.plural, kind.group, name)
        return found

    def list(self, kind: Kind, selection: Selection) -> Iterator[Entry]:
        if selection.name and (selection.namespace or not kind.namespaced):
            found = self.store.get(kind.resource, selection.namespace, selection.name)
            only = [(selection.namespace, selection.name, found)] if found else []
            return matching(iter(only), selection)
        return matching(self.store.items(kind.resource, selection.namespace), selection)

    def create(self, kind: Kind, namespace: str, found: Object, request: Request) -> Object:
        """Stores a new object.

        Raises  ApiError 403, 404, 409 or 422, and whatever the admission raises
        """
        metadata = found["metadata"] = dict(found.get("metadata") or {})
        if metadata.get("resourceVersion"):
            raise status.ApiError(500, "", "resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = names.generated(metadata["generateName"])
        if kind.namespaced:
            metadata["namespace"] = namespace
            self._live_namespace(kind, namespace, metadata.get("name", ""))
        else:
            metadata.pop("namespace", None)
        for field in ("selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generation"):
            metadata.pop(field, None)
        if not request.is_apply:
            metadata.pop("managedFields", None)
        metadata["uid"] = str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp()
        if kind.generation:
            metadata["generation"] = 1
        if kind.status:
            found.pop("status", None)
        found = self._completed(kind, found, None, request)
        name = found["metadata"]["name"]
        if self.store.get(kind.resource, namespace, name) is not None:
            raise status.already_exists(kind.plural, kind.group, name)
        if not request.dry_run:
            self.store.write(kind.resource, namespace, name, found)
        return found

    def change(self, kind: Kind, namespace: str, name: str, transform: Transform, request: Request) -> Object:
        """Stores another state of an object. `transform` makes it from a copy of the present one.

        Raises  ApiError 404, 409 if the state names another version, 422, and whatever the admission raises
        """
        entry = self.get(kind, namespace, name)
        old = entry.object()
        new = transform(entry.object())
        self._same_object(kind, old, new)
        new = self._merged(kind, old, new, request)
        new = self._completed(kind, new, old, request)
        self._count_generation(kind, old, new)
        return self.keep(kind, old, new, request)

    def keep(self, kind: Kind, old: Object, new: Object, request: Request) -> Object:
        """Writes a changed object if anything differs; one that waited for its last finalizer goes."""
        metadata = new["metadata"]
        namespace, name = metadata.get("namespace", ""), metadata["name"]
        if request.dry_run:
            return new
        if self.is_finished(kind, new):
            self.store.delete(kind.resource, namespace, name)
            return new
        if apply.is_same(old, new):
            return old
        self.store.write(kind.resource, namespace, name, new)
        return new

    def is_finished(self, kind: Kind, found: Object) -> bool:
        """The object is being deleted, and nothing holds it any more."""
        metadata = found["metadata"]
        if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
            return False
        if kind.kind == "Namespace" and kind.group == "" and (found.get("spec") or {}).get("finalizers"):
            return False
        return not metadata.get("deletionGracePeriodSeconds")

    def _live_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        entry = self.store.get("namespaces", "", namespace)
        if entry is None:
            raise status.not_found("namespaces", "", namespace)
        if (entry.object()["metadata"]).get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            causes = [
                status.Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
            ]
            raise status.forbidden(kind.plural, kind.group, name, why, causes)

    def _same_object(self, kind: Kind, old: Object, new: Object) -> None:
        """The state that is to be stored means this object, and this version of it."""
        metadata = new["metadata"] = dict(new.get("metadata") or {})
        before = old["metadata"]
        name = before["name"]
        uid, version = metadata.get("uid"), metadata.get("resourceVersion")
        if uid and uid != before["uid"]:
            raise status.precondition(kind.plural, kind.group, name, "uid", uid, before["uid"])
        if version in ("", "0", None):
            if not kind.blind_updates and version is not None:
                wrong = status.Cause(
                    "FieldValueInvalid", f"Invalid value: {version or 0}: must be specified for an update",
                    "metadata.resourceVersion",
                )  # fmt: skip
                raise status.invalid(kind.plural, kind.group, name, [wrong])
        elif version != before["resourceVersion"]:
            raise status.conflict(kind.plural, kind.group, name)

    def _merged(self, kind: Kind, old: Object, new: Object, request: Request) -> Object:
        """What of a new state counts: the door decides, and the server's own metadata stays."""
        metadata, before = new["metadata"], old["metadata"]
        if request.subresource == "status" and kind.status:
            kept = {**before, "managedFields": metadata.get("managedFields", before.get("managedFields"))}
            new = {**old, "status": new.get("status", {}), "metadata": kept}
            if "status" not in new or new["status"] is None:
                new["status"] = {}
            return new
        if kind.status:
            new = {key: value for key, value in new.items() if key != "status"}
            if "status" in old:
                new["status"] = old["status"]
        metadata.pop("selfLink", None)
        for field in (*_KEPT, "resourceVersion"):
            if field in before:
                metadata[field] = before[field]
            else:
                metadata.pop(field, None)
        if kind.kind == "Namespace" and kind.group == "" and request.subresource != "finalize":
            new["spec"] = old.get("spec", {})
        if kind.kind == "Service" and kind.group == "" and not (new.get("spec") or {}).get("clusterIP"):
            spec = new["spec"] = dict(new.get("spec") or {})
            if spec.get("type") != "ExternalName":
                for field in ("clusterIP", "clusterIPs"):
                    if before_spec := (old.get("spec") or {}).get(field):
                        spec[field] = before_spec
        if not metadata.get("managedFields") and not request.is_apply:
            metadata["managedFields"] = before.get("managedFields")
        return new

    def _completed(self, kind: Kind, found: Object, old: Object | None, request: Request) -> Object:
        """Defaults, owners, admission, what the server adds, and rules, in this order.

        What an admission adds belongs to nobody, so that no two managers meet in it.
        """
        metadata = found["metadata"]
        tidy(metadata)
        if kind.model:
            fill(kind.kind, found)
        if not request.is_apply:
            self._own(kind, old, found, request)
        if not kind.model:
            causes = list(violations(kind.shape, found))
        else:
            settle(kind.kind, found, self._addresses.take)
            causes = list(broken(kind.kind, found, old))
        causes = [*names.metadata_problems(metadata, kind.name_rule), *self._finalizer_problems(metadata, old), *causes]
        if causes:
            raise status.invalid(kind.kind, kind.group, metadata.get("name", ""), causes)
        return self.admission(kind, UPDATE if old is not None else CREATE, found, old, request)

    def _finalizer_problems(self, metadata: Object, old: Object | None) -> Iterator[status.Cause]:
        if old is None or not metadata.get("deletionTimestamp"):
            return
        added = [
            each for each in metadata.get("finalizers") or () if each not in (old["metadata"].get("finalizers") or ())
        ]
        if added:
            shown = ", ".join(f'"{each}"' for each in added)
            why = (
                "no new finalizers can be added if the object is being deleted, found new finalizers"
                f" []string{{{shown}}}"
            )
            yield status.field_forbidden("metadata.finalizers", why)

    def _count_generation(self, kind: Kind, old: Object, new: Object) -> None:
        if not kind.generation:
            return
        ignored = {"metadata", "status"} if kind.status else {"metadata"}
        before = {key: value for key, value in old.items() if key not in ignored}
        after = {key: value for key, value in new.items() if key not in ignored}
        if before != after:
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def _own(self, kind: Kind, old: Object | None, new: Object, request: Request) -> None:
        """Writes down who changed which fields."""
        entries = new["metadata"].pop("managedFields", None) or []
        if old is None:
            before: Object = {"apiVersion": "", "kind": "", "metadata": {}, **kind.empty}
        else:
            before = {**old, "metadata": {k: v for k, v in old["metadata"].items() if k != "managedFields"}}
            if not entries and not old["metadata"].get("managedFields"):
                return
        manager = apply.Manager(request.manager, apply.UPDATE, kind.api_version, request.subresource)
        try:
            found = apply.updated(
                kind.shape, before, new, manager, timestamp(), has_status=kind.status, entries=entries,
            )  # fmt: skip
        except ValueError:
            # An item without its key has no owner; the rules of its kind say whether it may be stored.
            found = entries
        if found:
            new["metadata"]["managedFields"] = found

    def apply(self, kind: Kind, namespace: str, name: str, config: Object, request: Request) -> tuple[Object, bool]:
        """Server-side apply. Gives the object, and whether it is new.

        Raises  ApiError 400, 404, 409 with the conflicts, 422
        """
        subresource = request.subresource
        manager = apply.Manager(request.manager, apply.APPLY, kind.api_version, subresource)

        def transform(live: Object) -> Object:
            try:
                return apply.applied(
                    kind.shape, live, config, manager, timestamp(), force=request.force, has_status=kind.status,
                )  # fmt: skip
            except ValueError as wrong:
                where = f"{namespace}/{name}; {kind.api_version}, Kind={kind.kind}"
                raise status.ApiError(500, "", f"failed to create typed patch object ({where}): {wrong}") from None

        if self.store.get(kind.resource, namespace, name) is not None or subresource:
            return self.change(kind, namespace, name, transform, request), False
        if (config.get("metadata") or {}).get("uid"):
            uid = config["metadata"]["uid"]
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise status.conflict(kind.plural, kind.group, name, why)
        empty: Object = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}}
        return self.create(kind, namespace, transform(empty), request), True


class Addresses:
    """Which addresses of the services' network are free."""

    def __init__(self, store: Store, hub: Hub, network: str) -> None:
        self._network = ipaddress.ip_network(network)
        self._next = 1
        self._used = {address for _, _, entry in store.items("services") if (address := _address(entry))}
        hub.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.resource == "services" and (address := _address(change.entry)):
            if change.type == DELETED:
                self._used.discard(address)
            else:
                self._used.add(address)

    def take(self) -> str:
        """An address that no Service has.

        Raises  ApiError 500 if there is none left
        """
        for _ in range(self._network.num_addresses - 2):
            found = str(self._network[self._next])
            self._next = self._next % (self._network.num_addresses - 2) + 1
            if found not in self._used:
                return found
        raise status.internal(f"failed to allocate a serviceIP: range {self._network} is full")


def _address(entry: Entry) -> str:
    found: str = (entry.object().get("spec") or {}).get("clusterIP", "")
    return "" if found == "None" else found
