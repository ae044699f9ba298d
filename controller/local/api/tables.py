"""tables: objects as the rows that `kubectl get` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from controller.local.api.jsonpath import values
from controller.local.api.kinds import Column, Kind

Object = dict[str, Any]
Cells = Callable[[Object], list[Any]]

_UNKNOWN, _NONE = "<unknown>", "<none>"

_NAME = Column("Name", ".metadata.name", format="name")
_AGE = Column("Age", ".metadata.creationTimestamp", "date")


def duration(seconds: float) -> str:
    """A length of time as kubectl prints it: two units while the first is small."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    total = max(total, 0)
    if total < 120:
        return f"{total}s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 10:
        return f"{minutes}m{total % 60}s" if total % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = days // 365, days % 365
    return f"{years}y{rest}d" if days < 365 * 8 and rest else f"{years}y"


def age(moment: str | None) -> str:
    """How long ago a time of the API was."""
    if not moment:
        return _UNKNOWN
    try:
        then = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return _UNKNOWN
    return duration((datetime.now(UTC) - then).total_seconds())


def _columns(names: str) -> tuple[Column, ...]:
    """`Name Ready* Age`: a star marks what only `-o wide` shows."""
    found = []
    for word in names.split():
        name = word.rstrip("*").replace("_", " ")
        if name == "Age":
            found.append(_AGE)
        else:
            found.append(Column(name, "", priority=int("*" in word), format="name" if name == "Name" else ""))
    return tuple(found)


def _name(found: Object) -> str:
    name: str = found["metadata"]["name"]
    return name


def _made(found: Object) -> str:
    return age(found["metadata"].get("creationTimestamp"))


def _joined(items: Any, empty: str = _NONE) -> str:
    return ",".join(str(item) for item in items) or empty


def _selector(selector: Object | None) -> str:
    selector = selector or {}
    terms = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for term in selector.get("matchExpressions") or ():
        words = {"In": "in", "NotIn": "notin"}
        if term["operator"] in words:
            terms.append(f"{term['key']} {words[term['operator']]} ({','.join(term.get('values') or ())})")
        else:
            terms.append(term["key"] if term["operator"] == "Exists" else f"!{term['key']}")
    return ",".join(terms) or _NONE


def _pod(found: Object) -> list[Any]:
    spec, state = found.get("spec") or {}, found.get("status") or {}
    containers = state.get("containerStatuses") or []
    ready = sum(1 for each in containers if each.get("ready"))
    restarts = sum(each.get("restartCount", 0) for each in containers)
    gates = spec.get("readinessGates") or []
    conditions = {each["type"]: each["status"] for each in state.get("conditions") or ()}
    passed = sum(1 for gate in gates if conditions.get(gate["conditionType"]) == "True")
    return [
        _name(found), f"{ready}/{len(spec.get('containers') or ())}", _pod_reason(found, state, containers),
        str(restarts), _made(found), state.get("podIP") or _NONE, spec.get("nodeName") or _NONE,
        state.get("nominatedNodeName") or _NONE, f"{passed}/{len(gates)}" if gates else _NONE,
    ]  # fmt: skip


def _pod_reason(found: Object, state: Object, containers: list[Object]) -> str:
    """The one word that says most about a pod."""
    reason = state.get("reason") or state.get("phase") or "Unknown"
    runs = False
    for each in reversed(containers):
        now = each.get("state") or {}
        waiting, ended = now.get("waiting") or {}, now.get("terminated")
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            signal, code = ended.get("signal"), ended.get("exitCode", 0)
            reason = ended.get("reason") or (f"Signal:{signal}" if signal else f"ExitCode:{code}")
        elif each.get("ready") and "running" in now:
            runs = True
    if reason == "Completed" and runs:
        reason = "Running"
    return "Terminating" if found["metadata"].get("deletionTimestamp") else reason


def _workload_cells(found: Object) -> tuple[Object, Object, list[Any]]:
    spec, state = found.get("spec") or {}, found.get("status") or {}
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    names, images = _joined(each["name"] for each in containers), _joined(each.get("image", "") for each in containers)
    return spec, state, [_made(found), names, images, _selector(spec.get("selector"))]


def _deployment(found: Object) -> list[Any]:
    spec, state, rest = _workload_cells(found)
    ready = f"{state.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [_name(found), ready, state.get("updatedReplicas", 0), state.get("availableReplicas", 0), *rest]


def _replica_set(found: Object) -> list[Any]:
    spec, state, rest = _workload_cells(found)
    return [_name(found), spec.get("replicas", 0), state.get("replicas", 0), state.get("readyReplicas", 0), *rest]


def _service(found: Object) -> list[Any]:
    spec = found.get("spec") or {}
    kind = spec.get("type", "ClusterIP")
    outside = [*(spec.get("externalIPs") or ())]
    if kind == "ExternalName":
        outside = [spec.get("externalName", "")]
    elif kind == "LoadBalancer":
        ingress = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        outside = [each.get("ip") or each.get("hostname") or "" for each in ingress] + outside or ["<pending>"]
    ports = []
    for each in spec.get("ports") or ():
        node = f":{each['nodePort']}" if each.get("nodePort") else ""
        ports.append(f"{each['port']}{node}/{each.get('protocol', 'TCP')}")
    inside = spec.get("clusterIP") or _NONE
    selector = _joined(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items()))
    return [_name(found), kind, inside, _joined(outside), _joined(ports), _made(found), selector]


def _endpoints(found: Object) -> list[Any]:
    shown = []
    for subset in found.get("subsets") or ():
        for address in subset.get("addresses") or ():
            ports = subset.get("ports") or ()
            shown += [f"{address['ip']}:{port['port']}" for port in ports] or [address["ip"]]
    more = f" + {len(shown) - 3} more..." if len(shown) > 3 else ""
    return [_name(found), _joined(shown[:3]) + more, _made(found)]


def _endpoint_slice(found: Object) -> list[Any]:
    ports = [str(each.get("port") or "*") for each in found.get("ports") or ()]
    addresses = [address for each in found.get("endpoints") or () for address in each.get("addresses") or ()]
    more = f" + {len(addresses) - 3} more..." if len(addresses) > 3 else ""
    return [
        _name(found), found.get("addressType", ""), _joined(ports, "<unset>"),
        _joined(addresses[:3], "<unset>") + more, _made(found),
    ]  # fmt: skip


def _event(found: Object) -> list[Any]:
    about, source = found.get("involvedObject") or {}, found.get("source") or {}
    first = found.get("firstTimestamp") or found.get("eventTime")
    last = found.get("lastTimestamp") or first
    count = found.get("count") or 1
    said = _joined([each for each in (source.get("component"), source.get("host")) if each], "")
    target = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    return [
        age(last), found.get("type", ""), found.get("reason", ""), target, about.get("fieldPath", ""),
        said or found.get("reportingComponent", ""), (found.get("message") or "").strip(), age(first), count,
        _name(found),
    ]  # fmt: skip


def _node(found: Object) -> list[Any]:
    state = found.get("status") or {}
    ready = next((each["status"] for each in state.get("conditions") or () if each["type"] == "Ready"), "")
    said = {"True": "Ready", "": "Unknown"}.get(ready, "NotReady")
    mark = "node-role.kubernetes.io/"
    labels = found["metadata"].get("labels") or {}
    roles = _joined(sorted(key[len(mark) :] for key in labels if key.startswith(mark)))
    info = state.get("nodeInfo") or {}
    addresses = {each["type"]: each["address"] for each in state.get("addresses") or ()}
    return [
        _name(found), said, roles, _made(found), info.get("kubeletVersion", ""), addresses.get("InternalIP", _NONE),
        addresses.get("ExternalIP", _NONE), info.get("osImage") or _UNKNOWN, info.get("kernelVersion") or _UNKNOWN,
        info.get("containerRuntimeVersion") or _UNKNOWN,
    ]  # fmt: skip


_OWN: dict[str, tuple[tuple[Column, ...], Cells]] = {
    "Namespace": (
        _columns("Name Status Age"),
        lambda found: [_name(found), (found.get("status") or {}).get("phase", ""), _made(found)],
    ),
    "Node": (_columns("Name Status Roles Age Version Internal-IP* External-IP* OS-Image* Kernel-Version*"
                      " Container-Runtime*"), _node),
    "Pod": (_columns("Name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*"), _pod),
    "Service": (_columns("Name Type Cluster-IP External-IP Port(s) Age Selector*"), _service),
    "ConfigMap": (_columns("Name Data Age"), lambda found: [
        _name(found), len(found.get("data") or ()) + len(found.get("binaryData") or ()), _made(found)]),
    "Secret": (_columns("Name Type Data Age"), lambda found: [
        _name(found), found.get("type", ""), len(found.get("data") or ()), _made(found)]),
    "ServiceAccount": (_columns("Name Secrets Age"), lambda found: [
        _name(found), len(found.get("secrets") or ()), _made(found)]),
    "Endpoints": (_columns("Name Endpoints Age"), _endpoints),
    "Event": (_columns("Last_Seen Type Reason Object Subobject* Source* Message First_Seen* Count* Name*"), _event),
    "Deployment": (_columns("Name Ready Up-to-date Available Age Containers* Images* Selector*"), _deployment),
    "ReplicaSet": (_columns("Name Desired Current Ready Age Containers* Images* Selector*"), _replica_set),
    "EndpointSlice": (_columns("Name AddressType Ports Endpoints Age"), _endpoint_slice),
    "Lease": (_columns("Name Holder Age"), lambda found: [
        _name(found), (found.get("spec") or {}).get("holderIdentity", ""), _made(found)]),
}  # fmt: skip


def _printer(kind: Kind) -> tuple[tuple[Column, ...], Cells]:
    if kind.model:
        return _OWN[kind.kind]
    columns = (_NAME, *(kind.columns or (_AGE,)))
    return columns, lambda found: [_cell(found, column) for column in columns]


def _cell(found: Object, column: Column) -> Any:
    shown = values(found, column.path)
    if not shown:
        return None
    if column.type == "date":
        return age(str(shown[0]))
    if column.type in ("integer", "number", "boolean"):
        return shown[0]
    value = shown[0]
    return str(value).lower() if isinstance(value, bool) else value if isinstance(value, str) else str(value)


def definitions(kind: Kind) -> list[Object]:
    """The heads of the columns."""
    return [
        {"name": each.name, "type": each.type if each.type == "date" or not kind.model else "string",
         "format": each.format, "description": each.description, "priority": each.priority}
        for each in _printer(kind)[0]
    ]  # fmt: skip


def rows(kind: Kind, objects: Iterator[Object], include: str) -> list[Object]:
    """One row for each object. include  Metadata, Object or None: how much of the object goes along."""
    cells = _printer(kind)[1]
    return [{"cells": cells(each), **({"object": part} if (part := _part(each, include)) else {})} for each in objects]


def _part(found: Object, include: str) -> Object | None:
    if include == "None":
        return None
    return found if include == "Object" else partial(found)


def partial(found: Object) -> Object:
    """Only the metadata of an object."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": found["metadata"]}


def table(kind: Kind, objects: Iterator[Object], include: str, version: str, *, with_heads: bool = True) -> Object:
    """The Table object that `Accept: application/json;as=Table` asks for."""
    return {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": version},
        "columnDefinitions": definitions(kind) if with_heads else None, "rows": rows(kind, objects, include),
    }  # fmt: skip
