"""openapi: the OpenAPI v3 documents, one for each group and version, for `kubectl explain`, apply and its checks."""

from __future__ import annotations

import hashlib
from typing import Any

from controller.local.api import models
from controller.local.api.discovery import KUBERNETES_MINOR
from controller.local.api.kinds import Catalogue, Kind
from controller.local.api.patch import APPLY_PATCH, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH
from controller.local.api.store import encode

Object = dict[str, Any]

_PARAMETERS: dict[str, str] = {
    "dryRun": "All: everything is done but the storing.",
    "fieldManager": "The name under which the fields that change are owned.",
    "fieldValidation": "What happens to unknown and duplicate fields: Ignore, Warn or Strict.",
}


def index(catalogue: Catalogue) -> Object:
    """Where the documents are; the hash in an address changes when the server does."""
    paths = {}
    for group, versions in catalogue.groups().items():
        for version, kinds in versions.items():
            place = f"apis/{group}/{version}" if group else f"api/{version}"
            seed = repr([(kind.kind, kind.schema, kind.scale) for kind in kinds]).encode()
            mark = hashlib.sha256(seed).hexdigest()[:32].upper()
            paths[place] = {"serverRelativeURL": f"/openapi/v3/{place}?hash={mark}"}
    return {"paths": paths}


def document(kinds: list[Kind]) -> bytes:
    """The document of one group and version."""
    schemas: dict[str, Object] = {}
    paths: Object = {}
    for kind in kinds:
        name = _schema(kind, schemas)
        paths |= _paths(kind, name)
    return encode({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": f"1.{KUBERNETES_MINOR}"}, "paths": paths,
        "components": {"schemas": schemas},
    })  # fmt: skip


def component(kind: Kind) -> str:
    """The name of a kind's schema: `dev.knative.serving.v1.Service` for one that is not Kubernetes' own."""
    if kind.model:
        return models.component(kind.model)
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def _schema(kind: Kind, into: dict[str, Object]) -> str:
    name = component(kind)
    if kind.model:
        models.schemas(kind.model, into)
    else:
        metadata = models.schemas("meta_v1.ObjectMeta", into)
        own = kind.schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        head: Object = {
            "apiVersion": {"type": "string", "description": "APIVersion defines the version of this representation."},
            "kind": {"type": "string", "description": "Kind is what this object is."},
            "metadata": {"allOf": [metadata], "default": {}, "description": "Standard object's metadata."},
        }
        into[name] = {**own, "properties": {**(own.get("properties") or {}), **head}}
    mark = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    into[name] = {**into[name], "x-kubernetes-group-version-kind": [mark]}
    into[name + "List"] = {
        "type": "object", "description": f"{kind.kind}List is a list of {kind.kind}.", "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "items": {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}},
            "metadata": {"type": "object"},
        },
        "x-kubernetes-group-version-kind": [{**mark, "kind": kind.kind + "List"}],
    }  # fmt: skip
    return name


def _paths(kind: Kind, name: str) -> Object:
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    plural = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    mark = {"group": kind.group, "version": kind.version, "kind": kind.kind}
    one = {"$ref": f"#/components/schemas/{name}"}
    many = {"$ref": f"#/components/schemas/{name}List"}
    body = {"required": True, "content": {"*/*": {"schema": one}}}
    patches = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH] + ([STRATEGIC_PATCH] if kind.model else [])
    patch_body = {"required": True, "content": {each: {"schema": {"type": "object"}} for each in patches}}
    writing = [
        {"name": each, "in": "query", "description": said, "schema": {"type": "string", "uniqueItems": True}}
        for each, said in _PARAMETERS.items()
    ]

    def operation(action: str, answer: Object, **more: Any) -> Object:
        responses = {"200": {"description": "OK", "content": {"application/json": {"schema": answer}}}}
        return {**more, "responses": responses, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": mark}

    found: Object = {
        plural: {
            "get": operation("list", many),
            "post": operation("post", one, parameters=writing, requestBody=body),
        },
        plural + "/{name}": {
            "get": operation("get", one),
            "put": operation("put", one, parameters=writing, requestBody=body),
            "patch": operation("patch", one, parameters=writing, requestBody=patch_body),
            "delete": operation("delete", {"type": "object"}),
        },
    }
    if kind.namespaced:
        found[f"{root}/{kind.plural}"] = {"get": operation("list", many)}
    return found
