"""PodDefaults: what a revision's spec has when its author did not say (SC 3.6)."""

from __future__ import annotations

from typing import Any

from controller.api.context import Context, template_fields
from controller.api.meta import ObjectMeta, child_name
from controller.api.podspec import HANDLERS, WRITABLE_VOLUMES

Json = dict[str, Any]

SECURE = "secure-pod-defaults"
PRIVILEGED_PORTS_END = 1024


def defaulted_spec(spec: Json, context: Context, parent: ObjectMeta) -> Json:
    """The spec with its defaults; the given one is left as it is.

    parent   metadata of the object that has the template
    """
    defaults = context.settings.defaults
    spec = dict(spec)
    spec["timeoutSeconds"] = timeout = spec.get("timeoutSeconds") or defaults.revision_timeout_s
    for name, seconds in (
        ("idleTimeoutSeconds", defaults.idle_timeout_s),
        ("responseStartTimeoutSeconds", defaults.response_start_timeout_s),
    ):
        if spec.get(name) is None and 0 < seconds < timeout:
            spec[name] = seconds
    if spec.get("containerConcurrency") is None:
        spec["containerConcurrency"] = defaults.container_concurrency
    links = defaults.enable_service_links
    if context.is_create and links is not None and spec.get("enableServiceLinks") is None:
        spec["enableServiceLinks"] = links
    _default_containers(spec, context, parent)
    return spec


def _default_containers(spec: Json, context: Context, parent: ObjectMeta) -> None:
    containers: list[Json] = [dict(each) for each in spec.get("containers") or []]
    init: list[Json] = [dict(each) for each in spec.get("initContainers") or []]
    taken = {each["name"] for each in (*containers, *init) if each.get("name")}
    fields, defaults = template_fields(parent), context.settings.defaults
    _name(containers, taken, defaults.container_name.render(fields))
    _name(init, taken, defaults.init_container_name.render(fields))
    writable = {
        volume.get("name") for volume in spec.get("volumes") or [] if any(k in volume for k in WRITABLE_VOLUMES)
    }
    pod_context = spec.get("securityContext") or {}
    probing = context.settings.features.is_enabled("multi-container-probing")
    for container in containers:
        _default_resources(container, context)
        _default_security(container, pod_context, context)
        _default_mounts(container, writable)
        is_serving = len(containers) == 1 or bool(container.get("ports"))
        if is_serving or (probing and container.get("readinessProbe")):
            container["readinessProbe"] = _readiness(container.get("readinessProbe") or {})
        if (liveness := container.get("livenessProbe")) and liveness.get("grpc") is not None:
            container["livenessProbe"] = _with_service(liveness)
    for container in init:
        _default_security(container, pod_context, context)
    for name, found in (("containers", containers), ("initContainers", init)):
        if found:
            spec[name] = found


def _name(containers: list[Json], taken: set[str], name: str) -> None:
    """Names for those that have none: the name itself for the only one, else the first numbers that are free."""
    number = 0
    for container in containers:
        if container.get("name"):
            continue
        chosen = name
        while chosen in taken or (chosen == name and len(containers) > 1):
            chosen, number = child_name(name, f"-{number}"), number + 1
        container["name"] = chosen
        taken.add(chosen)


def _default_resources(container: Json, context: Context) -> None:
    defaults = context.settings.defaults
    for kind, wanted in (("requests", defaults.requests), ("limits", defaults.limits)):
        resources = container.get("resources") or {}
        said = resources.get(kind) or {}
        missing = {name: amount for name, amount in wanted.items() if name not in said}
        if missing:
            container["resources"] = {**resources, kind: {**said, **missing}}


def _default_mounts(container: Json, writable: set[str | None]) -> None:
    if mounts := container.get("volumeMounts"):
        container["volumeMounts"] = [
            mount if mount.get("name") in writable else {**mount, "readOnly": True} for mount in mounts
        ]


def _readiness(probe: Json) -> Json:
    probe = _with_service(dict(probe))
    if not any(probe.get(name) is not None for name in HANDLERS):
        probe["tcpSocket"] = {"port": 0}
    if not probe.get("successThreshold"):
        probe["successThreshold"] = 1
    if probe.get("periodSeconds"):
        probe["failureThreshold"] = probe.get("failureThreshold") or 3
        probe["timeoutSeconds"] = probe.get("timeoutSeconds") or 1
    return probe


def _with_service(probe: Json) -> Json:
    """A gRPC probe asks for the empty service where none is named."""
    grpc = probe.get("grpc")
    if grpc is None or grpc.get("service") is not None:
        return probe
    return {**probe, "grpc": {**grpc, "service": ""}}


def _default_security(container: Json, pod: Json, context: Context) -> None:
    """The restricted profile where nobody says otherwise; `AllowRootBounded` leaves the user alone (SC-059)."""
    features = context.settings.features
    if not features.is_open(SECURE):
        return
    own = dict(container.get("securityContext") or {})
    if own.get("allowPrivilegeEscalation") is None:
        own["allowPrivilegeEscalation"] = False
    if not (pod.get("seccompProfile") or {}).get("type"):
        profile = own.get("seccompProfile") or {}
        own["seccompProfile"] = {**profile, "type": profile.get("type") or "RuntimeDefault"}
    if own.get("capabilities") is None:
        ports = [port.get("containerPort") or 0 for port in container.get("ports") or []]
        own["capabilities"] = {"drop": ["ALL"]}
        if any(0 < port < PRIVILEGED_PORTS_END for port in ports):
            own["capabilities"]["add"] = ["NET_BIND_SERVICE"]
    if features.is_enabled(SECURE) and own.get("runAsNonRoot") is None and pod.get("runAsNonRoot") is None:
        own["runAsNonRoot"] = True
    container["securityContext"] = own
