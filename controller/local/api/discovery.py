"""discovery: what clients ask first: versions, groups, kinds and their verbs."""

from __future__ import annotations

import base64
import hashlib
import platform
from typing import Any

from controller.local.api.kinds import Catalogue, Kind

Object = dict[str, Any]

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]

KUBERNETES_MINOR = "34"
"""The version whose behaviour the server has; clients choose their own by it."""

_AGGREGATED = "apidiscovery.k8s.io"


def version() -> Object:
    return {
        "major": "1", "minor": KUBERNETES_MINOR, "gitVersion": f"v1.{KUBERNETES_MINOR}.0+penstock", "gitCommit": "",
        "gitTreeState": "", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "",
        "platform": f"linux/{'arm64' if platform.machine() == 'aarch64' else 'amd64'}",
    }  # fmt: skip


def legacy_versions() -> Object:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def _verbs(kind: Kind) -> list[str]:
    return [verb for verb in VERBS if kind.resource != "namespaces" or verb != "deletecollection"]


def _subresources(kind: Kind) -> list[tuple[str, str, str, str, list[str]]]:
    """Name, group, version and kind of the answer, verbs."""
    found = []
    if kind.scale:
        found.append(("scale", "autoscaling", "v1", "Scale", ["get", "patch", "update"]))
    if kind.status:
        found.append(("status", "", "", kind.kind, ["get", "patch", "update"]))
    if kind.resource == "namespaces":
        found.append(("finalize", "", "", kind.kind, ["update"]))
    if kind.resource == "pods":
        found.append(("log", "", "", kind.kind, ["get"]))
    return sorted(found)


def resources(group: str, version: str, kinds: list[Kind]) -> Object:
    """The APIResourceList of a group and version."""
    found: list[Object] = []
    for kind in kinds:
        entry: Object = {
            "name": kind.plural, "singularName": kind.one, "namespaced": kind.namespaced, "kind": kind.kind,
            "verbs": _verbs(kind),
        }  # fmt: skip
        if kind.short_names:
            entry["shortNames"] = list(kind.short_names)
        if kind.categories:
            entry["categories"] = list(kind.categories)
        seed = f"{group}/{version}/{kind.kind}".encode()
        entry["storageVersionHash"] = base64.b64encode(hashlib.sha256(seed).digest()[:8]).decode()
        found.append(entry)
        for name, other, its_version, answer, verbs in _subresources(kind):
            inner: Object = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced}
            if other:
                inner |= {"group": other, "version": its_version}
            found.append({**inner, "kind": answer, "verbs": verbs})
    found.sort(key=lambda entry: str(entry["name"]))
    said = f"{group}/{version}" if group else version
    head: Object = {"kind": "APIResourceList", "apiVersion": "v1"} if group else {"kind": "APIResourceList"}
    return {**head, "groupVersion": said, "resources": found}


def group(name: str, versions: list[str], *, is_part: bool = False) -> Object:
    """An APIGroup; as part of a list without its own kind."""
    listed = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    head: Object = {} if is_part else {"kind": "APIGroup", "apiVersion": "v1"}
    return {**head, "name": name, "versions": listed, "preferredVersion": listed[0]}


def groups(catalogue: Catalogue) -> Object:
    found = [group(name, list(versions), is_part=True) for name, versions in catalogue.groups().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def aggregated(catalogue: Catalogue, *, legacy: bool, version: str) -> Object:
    """All groups with all kinds in one document (`as=APIGroupDiscoveryList`)."""
    items = []
    for name, versions in catalogue.groups().items():
        if (name == "") != legacy:
            continue
        listed = [
            {"version": each, "resources": [_aggregated(kind) for kind in kinds], "freshness": "Current"}
            for each, kinds in versions.items()
        ]
        metadata: Object = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
        items.append({"metadata": metadata, "versions": listed})
    return {
        "kind": "APIGroupDiscoveryList", "apiVersion": f"{_AGGREGATED}/{version}", "metadata": {}, "items": items,
    }  # fmt: skip


def _aggregated(kind: Kind) -> Object:
    def response(group: str, version: str, name: str) -> Object:
        return {"group": group, "version": version, "kind": name}

    # For the core group the version is left empty, as kube-apiserver has it.
    own = response(kind.group, kind.version if kind.group else "", kind.kind)
    found: Object = {
        "resource": kind.plural, "responseKind": own, "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.one, "verbs": _verbs(kind),
    }  # fmt: skip
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    inner = [
        {"subresource": name, "responseKind": response(group, version, answer) if group else own, "verbs": verbs}
        for name, group, version, answer, verbs in _subresources(kind)
    ]
    return {**found, "subresources": inner} if inner else found
