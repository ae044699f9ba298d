"""defaults: what Kubernetes' own kinds say where nobody else did. Source: Kubernetes API reference, 1.34."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Object = dict[str, Any]
Allocate = Callable[[], str]

_NOT_LATEST, _LATEST = "IfNotPresent", "Always"


def _pod_spec(spec: Object) -> None:
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if "serviceAccountName" in spec:
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        _container(container)
    for volume in spec.get("volumes") or ():
        for source in ("secret", "configMap", "downwardAPI", "projected"):
            if source in volume:
                volume[source].setdefault("defaultMode", 0o644)
        for path in (volume.get("downwardAPI") or {}).get("items") or ():
            _field_reference(path)
        if "hostPath" in volume:
            volume["hostPath"].setdefault("type", "")


def _container(container: Object) -> None:
    container.setdefault("imagePullPolicy", _LATEST if _is_latest(container.get("image", "")) else _NOT_LATEST)
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        _field_reference(variable.get("valueFrom") or {})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        _http_get(hook)


def _is_latest(image: str) -> bool:
    tag = image.rpartition("/")[2]
    return "@" not in image and (":" not in tag or tag.endswith(":latest"))


def _field_reference(source: Object) -> None:
    if "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")
    if "resourceFieldRef" in source:
        source["resourceFieldRef"].setdefault("divisor", "0")


def _probe(probe: Object) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not probe.get(name):
            probe[name] = value
    _http_get(probe)
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _http_get(source: Object) -> None:
    if "httpGet" in source:
        source["httpGet"].setdefault("path", "/")
        source["httpGet"].setdefault("scheme", "HTTP")


def _pod(found: Object) -> None:
    spec = found.setdefault("spec", {})
    _pod_spec(spec)
    for container in [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]:
        for name, wanted in (container["resources"].get("limits") or {}).items():
            container["resources"].setdefault("requests", {}).setdefault(name, wanted)
    spec.setdefault("enableServiceLinks", True)
    status = found.setdefault("status", {})
    status.setdefault("phase", "Pending")
    status.setdefault("qosClass", _quality(spec))


def _quality(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort, from what the containers ask for."""
    asked = [each.get("resources") or {} for each in spec.get("containers") or ()]
    if not any(each.get("requests") or each.get("limits") for each in asked):
        return "BestEffort"
    full = all(
        each.get("limits", {}).keys() >= {"cpu", "memory"} and each["limits"] == each.get("requests") for each in asked
    )
    return "Guaranteed" if full else "Burstable"


def _template(spec: Object) -> None:
    template = spec.setdefault("template", {})
    template.setdefault("metadata", {})
    _pod_spec(template.setdefault("spec", {}))


def _deployment(found: Object) -> None:
    spec = found.setdefault("spec", {})
    _template(spec)
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxSurge", "25%")
        rolling.setdefault("maxUnavailable", "25%")
    found.setdefault("status", {})


def _replica_set(found: Object) -> None:
    spec = found.setdefault("spec", {})
    _template(spec)
    spec.setdefault("replicas", 1)
    found.setdefault("status", {"replicas": 0})


def _service(found: Object) -> None:
    spec = found.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports") or ():
        port.setdefault("protocol", "TCP")
        if not port.get("targetPort"):
            port["targetPort"] = port.get("port")
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    found.setdefault("status", {"loadBalancer": {}}).setdefault("loadBalancer", {})


def _namespace(found: Object) -> None:
    metadata = found["metadata"]
    metadata["labels"] = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata.get("name", "")}


def _secret(found: Object) -> None:
    found.setdefault("type", "Opaque")
    if plain := found.pop("stringData", None):
        import base64

        data = found.setdefault("data", {})
        data.update({key: base64.b64encode(value.encode()).decode() for key, value in plain.items()})


def _event(found: Object) -> None:
    found.setdefault("source", {})
    found.setdefault("reportingComponent", "")
    found.setdefault("reportingInstance", "")
    for field in ("firstTimestamp", "lastTimestamp", "eventTime"):
        found.setdefault(field, None)


def _endpoint_slice(found: Object) -> None:
    if found.get("endpoints") is None:
        found["endpoints"] = []
    if found.get("ports") is None:
        found["ports"] = None
    for port in found["ports"] or ():
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


def _endpoints(found: Object) -> None:
    for subset in found.get("subsets") or ():
        for port in subset.get("ports") or ():
            port.setdefault("protocol", "TCP")


def _part(name: str) -> Callable[[Object], None]:
    def fill(found: Object) -> None:
        found.setdefault(name, {})

    return fill


_FILL: dict[str, Callable[[Object], None]] = {
    "Pod": _pod, "Deployment": _deployment, "ReplicaSet": _replica_set, "Namespace": _namespace, "Secret": _secret,
    "Event": _event, "EndpointSlice": _endpoint_slice, "Endpoints": _endpoints, "Lease": _part("spec"),
    "Node": _part("status"), "Service": _service,
}  # fmt: skip


def fill(kind: str, found: Object) -> None:
    """Completes an object of one of Kubernetes' own kinds, in place; who wrote the object owns these fields."""
    if kind in _FILL:
        _FILL[kind](found)


def settle(kind: str, found: Object, allocate: Allocate) -> None:
    """Adds, in place, what the server decides and nobody owns. `allocate` gives a free address to a Service."""
    spec = found.get("spec") or {}
    if kind == "Namespace":
        found["spec"] = {"finalizers": ["kubernetes"], **spec}
        found.setdefault("status", {}).setdefault("phase", "Active")
    elif kind == "Service" and spec.get("type") != "ExternalName":
        if not spec.get("clusterIP"):
            spec["clusterIP"] = allocate()
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
