"""samples: the objects that the cases send."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

WIDGETS = "cases.penstock.dev/widgets"

WIDGET_SCHEMA: Object = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "minimum": 0, "maximum": 10},
                "color": {"type": "string", "enum": ["red", "green"]},
                "replicas": {"type": "integer"},
                "selector": {"type": "string"},
                "code": {"type": "string", "pattern": "^[a-z]+$"},
                "limit": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "words": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                "parts": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object", "required": ["name"],
                        "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                    },
                },
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "plain": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "replicas": {"type": "integer"},
                "phase": {"type": "string"},
                "conditions": {
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
                    "items": {
                        "type": "object", "required": ["type"],
                        "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
                    },
                },
            },
        },
    },
}  # fmt: skip

WIDGET_COLUMNS: list[Object] = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]

WIDGET_DEFINITION: Object = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.cases.penstock.dev"},
    "spec": {
        "group": "cases.penstock.dev", "scope": "Namespaced",
        "names": {
            "plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList", "shortNames": ["wd"],
            "categories": ["cases"],
        },
        "versions": [{
            "name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": WIDGET_SCHEMA},
            "additionalPrinterColumns": WIDGET_COLUMNS,
            "subresources": {
                "status": {},
                "scale": {
                    "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas",
                    "labelSelectorPath": ".spec.selector",
                },
            },
        }],
    },
}  # fmt: skip


def config_map(name: str, data: Object | None = None, **metadata: Any) -> Object:
    found: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}
    return {**found, "data": {"a": "1"} if data is None else data}


def widget(name: str, spec: Object | None = None, **metadata: Any) -> Object:
    found: Object = {"apiVersion": "cases.penstock.dev/v1", "kind": "Widget", "metadata": {"name": name, **metadata}}
    return {**found, "spec": {"size": 1} if spec is None else spec}


def container(name: str = "app", image: str = "dev.local/app:1", **more: Any) -> Object:
    return {"name": name, "image": image, **more}


def pod(name: str, *containers: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": list(containers) or [container()], "automountServiceAccountToken": False, **spec},
    }  # fmt: skip


def deployment(name: str, *containers: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}}, "spec": {"containers": list(containers) or [container()]},
            },
            **spec,
        },
    }  # fmt: skip


def service(name: str, *ports: Object, **spec: Any) -> Object:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": list(ports) or [{"port": 80}], **spec},
    }  # fmt: skip


def secret(name: str, **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, **fields}


def owner(body: Object, kind: str = "ConfigMap", version: str = "v1", **more: Any) -> Object:
    metadata = body["metadata"]
    return {"apiVersion": version, "kind": kind, "name": metadata["name"], "uid": metadata["uid"], **more}
