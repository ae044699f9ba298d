"""rules: when an object of Kubernetes' own kinds is refused. Those rules that people meet, in the API's words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from controller.local.api.names import LABEL, problems
from controller.local.api.status import (
    Cause,
    field_duplicate,
    field_forbidden,
    field_invalid,
    field_required,
    field_unsupported,
)  # fmt: skip

Object = dict[str, Any]
Found = Iterator[Cause]

_KEY = "[-._a-zA-Z0-9]+"
_PORT = "must be between 1 and 65535, inclusive"
_PROTOCOLS = ["SCTP", "TCP", "UDP"]


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _immutable(field: str, value: Any) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {_shown(value)}: field is immutable", field)


def _port(number: Any, where: str) -> Found:
    if not isinstance(number, int) or not 1 <= number <= 65535:
        yield field_invalid(where, number if number is not None else 0, _PORT)


def _pod_spec(spec: Object, where: str, policies: tuple[str, ...]) -> Found:
    containers = spec.get("containers") or []
    if not containers:
        yield field_required(f"{where}.containers")
    seen: set[str] = set()
    for field in ("initContainers", "containers"):
        for number, container in enumerate(spec.get(field) or ()):
            place = f"{where}.{field}[{number}]"
            yield from _container(container, place)
            name = container.get("name", "")
            if name and name in seen:
                yield field_duplicate(f"{place}.name", name)
            seen.add(name)
    policy = spec.get("restartPolicy", "Always")
    if policy not in policies:
        yield field_unsupported(f"{where}.restartPolicy", policy, list(policies))
    volumes = {volume.get("name") for volume in spec.get("volumes") or ()}
    for number, container in enumerate(containers):
        for index, mount in enumerate(container.get("volumeMounts") or ()):
            if mount.get("name") not in volumes:
                cause = f'Not found: "{mount.get("name", "")}"'
                yield Cause("FieldValueNotFound", cause, f"{where}.containers[{number}].volumeMounts[{index}].name")


def _container(container: Object, where: str) -> Found:
    name = container.get("name", "")
    if not name:
        yield field_required(f"{where}.name")
    else:
        for problem in problems(name, LABEL):
            yield field_invalid(f"{where}.name", name, problem)
    if not container.get("image"):
        yield field_required(f"{where}.image")
    for number, port in enumerate(container.get("ports") or ()):
        if port.get("containerPort") is None:
            yield field_required(f"{where}.ports[{number}].containerPort")
        else:
            yield from _port(port["containerPort"], f"{where}.ports[{number}].containerPort")
        if port.get("protocol", "TCP") not in _PROTOCOLS:
            yield field_unsupported(f"{where}.ports[{number}].protocol", port["protocol"], _PROTOCOLS)
    for number, variable in enumerate(container.get("env") or ()):
        if not variable.get("name"):
            yield field_required(f"{where}.env[{number}].name")


_CHANGEABLE = (
    "spec.containers[*].image", "spec.initContainers[*].image", "spec.activeDeadlineSeconds", "spec.tolerations",
    "spec.terminationGracePeriodSeconds",
)  # fmt: skip


def _pod(found: Object, old: Object | None) -> Found:
    yield from _pod_spec(found.get("spec") or {}, "spec", ("Always", "OnFailure", "Never"))
    if old is not None and _fixed(found["spec"]) != _fixed(old["spec"]):
        named = ",".join(f"`{field}`" for field in _CHANGEABLE)
        why = f"pod updates may not change fields other than {named} (only additions to existing tolerations)"
        yield field_forbidden("spec", why)


def _fixed(spec: Object) -> Object:
    """The part of a pod's spec that never changes."""
    free = ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "nodeName", "schedulingGates")
    kept = {key: value for key, value in spec.items() if key not in free}
    for field in ("containers", "initContainers"):
        kept[field] = [{**each, "image": ""} for each in spec.get(field) or ()]
    return kept


def _workload(found: Object, old: Object | None) -> Found:
    spec = found.get("spec") or {}
    if spec.get("replicas", 0) < 0:
        yield field_invalid("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    selector = spec.get("selector")
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    if not selector:
        yield field_required("spec.selector")
        yield _unselected(labels)
    elif not selector.get("matchLabels") and not selector.get("matchExpressions"):
        yield field_invalid("spec.selector", "{}", f"empty selector is invalid for {found['kind'].lower()}")
    elif not _selects(selector, labels):
        yield _unselected(labels)
    yield from _pod_spec((spec.get("template") or {}).get("spec") or {}, "spec.template.spec", ("Always",))
    if old is not None and selector != (old.get("spec") or {}).get("selector"):
        yield _immutable("spec.selector", selector)


def _unselected(labels: dict[str, str]) -> Cause:
    shown = f"Invalid value: {_shown(labels)}: `selector` does not match template `labels`"
    return Cause("FieldValueInvalid", shown, "spec.template.metadata.labels")


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for term in selector.get("matchExpressions") or ():
        key, values = term.get("key"), term.get("values") or ()
        holds = {
            "In": labels.get(key) in values, "NotIn": labels.get(key) not in values,
            "Exists": key in labels, "DoesNotExist": key not in labels,
        }  # fmt: skip
        if not holds.get(term.get("operator", ""), False):
            return False
    return True


_SERVICE_TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]


def _service(found: Object, old: Object | None) -> Found:
    spec = found.get("spec") or {}
    kind, ports = spec.get("type", "ClusterIP"), spec.get("ports") or []
    if kind not in _SERVICE_TYPES:
        yield field_unsupported("spec.type", kind, _SERVICE_TYPES)
    if kind == "ExternalName" and not spec.get("externalName"):
        yield field_required("spec.externalName")
    if not ports and kind != "ExternalName" and spec.get("clusterIP") != "None":
        yield field_required("spec.ports")
    names: set[str] = set()
    numbers: set[tuple[int, str]] = set()
    for number, port in enumerate(ports):
        where = f"spec.ports[{number}]"
        name = port.get("name", "")
        if not name and len(ports) > 1:
            yield field_required(f"{where}.name")
        elif name:
            for problem in problems(name, LABEL):
                yield field_invalid(f"{where}.name", name, problem)
            if name in names:
                yield field_duplicate(f"{where}.name", name)
        names.add(name)
        yield from _port(port.get("port"), f"{where}.port")
        protocol = port.get("protocol", "TCP")
        if protocol not in _PROTOCOLS:
            yield field_unsupported(f"{where}.protocol", protocol, _PROTOCOLS)
        if (port.get("port", 0), protocol) in numbers:
            yield Cause("FieldValueDuplicate", f"Duplicate value: {_shown(port)}", where)
        numbers.add((port.get("port", 0), protocol))
        if isinstance(port.get("targetPort"), int):
            yield from _port(port["targetPort"], f"{where}.targetPort")
    before = ((old or {}).get("spec") or {}).get("clusterIP")
    if before and kind != "ExternalName" and spec.get("clusterIP") != before:
        addresses = spec.get("clusterIPs") or [spec.get("clusterIP")]
        yield Cause("FieldValueInvalid", f"Invalid value: {_shown(addresses)}: primary clusterIP can not be unset"
                    if not spec.get("clusterIP") else f"Invalid value: {_shown(addresses)}: may not change once set",
                    "spec.clusterIPs[0]")  # fmt: skip


def _keys(data: Object | None, where: str) -> Found:
    for key in data or {}:
        if not re.fullmatch(_KEY, key):
            why = (
                "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or"
                f" 'KEY_NAME',  or 'key-name', regex used for validation is '{_KEY}')"
            )
            yield field_invalid(f"{where}[{key}]", key, why)


def _config_map(found: Object, old: Object | None) -> Found:
    yield from _keys(found.get("data"), "data")
    yield from _keys(found.get("binaryData"), "binaryData")
    yield from _sealed(found, old, ("data", "binaryData"))


def _secret(found: Object, old: Object | None) -> Found:
    yield from _keys(found.get("data"), "data")
    if old is not None and found.get("type") != old.get("type"):
        yield _immutable("type", found.get("type"))
    if found.get("type") == "kubernetes.io/tls":
        for key in ("tls.crt", "tls.key"):
            if key not in (found.get("data") or {}):
                yield field_required(f"data[{key}]")
    yield from _sealed(found, old, ("data",))


def _sealed(found: Object, old: Object | None, fields: tuple[str, ...]) -> Found:
    if old is None or not old.get("immutable"):
        return
    if not found.get("immutable"):
        yield field_forbidden("immutable", "field is immutable when `immutable` is set")
    for field in fields:
        if found.get(field) != old.get(field):
            yield field_forbidden(field, "field is immutable when `immutable` is set")


def _endpoint_slice(found: Object, old: Object | None) -> Found:
    kind = found.get("addressType", "")
    if not kind:
        yield field_required("addressType")
    elif kind not in ("FQDN", "IPv4", "IPv6"):
        yield field_unsupported("addressType", kind, ["FQDN", "IPv4", "IPv6"])
    for number, endpoint in enumerate(found.get("endpoints") or ()):
        if not endpoint.get("addresses"):
            yield field_required(f"endpoints[{number}].addresses", "must contain at least 1 address")
    if old is not None and kind != old.get("addressType"):
        yield _immutable("addressType", kind)


def _event(found: Object, old: Object | None) -> Found:
    about = (found.get("involvedObject") or {}).get("namespace", "")
    own = found["metadata"].get("namespace", "")
    if old is None and (about or "default") != own:
        yield field_invalid("involvedObject.namespace", about, "does not match event.namespace")


_CHECK: dict[str, Callable[[Object, Object | None], Found]] = {
    "Pod": _pod, "Deployment": _workload, "ReplicaSet": _workload, "Service": _service, "ConfigMap": _config_map,
    "Secret": _secret, "EndpointSlice": _endpoint_slice, "Event": _event,
}  # fmt: skip


def broken(kind: str, found: Object, old: Object | None) -> Found:
    """Every rule that an object breaks. `old` is its state before an update."""
    if kind in _CHECK:
        yield from _CHECK[kind](found, old)
