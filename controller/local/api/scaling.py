"""scaling: the Scale object, through which the number of replicas of any kind is read and set."""

from __future__ import annotations

from typing import Any

from controller.local.api import status
from controller.local.api.kinds import Kind

Object = dict[str, Any]


def _value(found: Object, path: tuple[str, ...]) -> Any:
    value: Any = found
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def scale_of(kind: Kind, found: Object) -> Object:
    """The Scale of an object."""
    assert kind.scale is not None
    metadata = {
        key: found["metadata"][key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if key in found["metadata"]
    }
    replicas = _value(found, kind.scale.replicas)
    state: Object = {"replicas": _value(found, kind.scale.current) or 0}
    selector = _value(found, kind.scale.selector)
    if isinstance(selector, dict):
        terms = sorted((selector.get("matchLabels") or {}).items())
        selector = ",".join(f"{key}={value}" for key, value in terms)
    if selector:
        state["selector"] = selector
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": state}


def scaled(kind: Kind, found: Object, wanted: Any) -> Object:
    """The object with the number of replicas that a Scale asks for.

    Raises  ApiError 400 for something that is no Scale, 409 for another version, 422 for a number below 0
    """
    assert kind.scale is not None
    if not isinstance(wanted, dict) or wanted.get("kind", "Scale") != "Scale":
        raise status.bad_request("the body is not a Scale of autoscaling/v1")
    replicas = (wanted.get("spec") or {}).get("replicas", 0)
    name = found["metadata"]["name"]
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise status.bad_request(f"spec.replicas of a Scale is a number, not {replicas!r}")
    if replicas < 0:
        wrong = status.field_invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise status.invalid("Scale", "autoscaling", name, [wrong])
    version = (wanted.get("metadata") or {}).get("resourceVersion")
    if version and version != found["metadata"]["resourceVersion"]:
        raise status.conflict(kind.plural, kind.group, name)
    node = found
    for field in kind.scale.replicas[:-1]:
        node = node.setdefault(field, {})
    node[kind.scale.replicas[-1]] = replicas
    return found
