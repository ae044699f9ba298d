"""PodRules: what the pod of a revision may be (SC 3.8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controller.api import podspec
from controller.api.container_rules import Role, Rules, container_problems, id_problems
from controller.api.context import Context
from controller.api.errors import (
    FieldError,
    disallowed,
    generic,
    invalid,
    missing,
    none_of,
    quoted,
    several_of,
    under,
    warning,
)
from controller.api.probe_rules import beyond
from controller.api.serving import serving_container
from controller.api.values import label_1123_problems, quantity, subdomain_problems

Json = dict[str, Any]

POD_FLAG = "kubernetes.podspec-{}"
INSECURE = "Kubernetes default value is insecure, Knative may default this to secure in a future release"
DEFAULT_PORT_NAME = "http"
SECCOMP_TYPES = ("RuntimeDefault", "Unconfined")


def pod_problems(spec: Json, context: Context) -> Iterator[FieldError]:
    """All that is wrong with the pod in a revision's spec, by field path."""
    features = context.settings.features
    yield from beyond(spec, _allowed(features))
    if spec.get("securityContext"):
        yield from under("securityContext", _pod_security(spec["securityContext"], features))
    containers: list[Json] = spec.get("containers") or []
    init: list[Json] = spec.get("initContainers") or []
    if not features.is_open("secure-pod-defaults"):
        yield from _insecure(spec)
    volumes = {volume.get("name") or "": volume for volume in spec.get("volumes") or []}
    yield from under("volumes", _volumes(spec, features))
    yield from _init_containers(init, containers, volumes, features)
    yield from under("containers[*]", _port_count(containers))
    yield from _containers(containers, volumes, features)
    account = spec.get("serviceAccountName") or ""
    if account:
        for said in subdomain_problems(account):
            yield invalid(account, "serviceAccountName", said)


def _allowed(features: Any) -> set[str]:
    """Fields that the flags leave open."""
    opened = {name for name, (_, flag) in podspec.GATED_POD.items() if features.is_open(POD_FLAG.format(flag))}
    if features.is_open("secure-pod-defaults"):
        opened.add("securityContext")
    return {*podspec.REVISION, *podspec.POD, *opened}


def _pod_security(context: Json, features: Any) -> Iterator[FieldError]:
    allowed: set[str] = set()
    profile = context.get("seccompProfile") or {}
    if features.is_open("secure-pod-defaults") and profile.get("type", "") in SECCOMP_TYPES:
        allowed.add("seccompProfile")
    if features.is_open(POD_FLAG.format(podspec.SECURITY_CONTEXT_FLAG)):
        allowed.update(podspec.POD_SECURITY_CONTEXT)
    yield from beyond(context, allowed)
    yield from id_problems(context, ("runAsUser", "runAsGroup", "fsGroup"))
    for index, group in enumerate(context.get("supplementalGroups") or []):
        yield from under("supplementalGroups", id_problems({f"[{index}]": group}, (f"[{index}]",)))


def _insecure(spec: Json) -> Iterator[FieldError]:
    """Warnings where neither the pod nor the container says what Kubernetes leaves open (SC-098)."""
    pod = spec.get("securityContext") or {}
    for field in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(field) or []):
            own = container.get("securityContext") or {}
            yield from under(f"{field}[{index}].securityContext", _insecure_fields(own, pod))


def _insecure_fields(own: Json, pod: Json) -> Iterator[FieldError]:
    if own.get("runAsNonRoot") is None and pod.get("runAsNonRoot") is None:
        yield warning(INSECURE, "runAsNonRoot")
    if own.get("allowPrivilegeEscalation") is None:
        yield warning(INSECURE, "allowPrivilegeEscalation")
    profiles = [profile for profile in (own.get("seccompProfile"), pod.get("seccompProfile")) if profile is not None]
    if not profiles:
        yield warning(INSECURE, "seccompProfile")
    elif not any(profile.get("type") for profile in profiles):
        yield warning(INSECURE, "seccompProfile.type")
    capabilities = own.get("capabilities")
    if capabilities is None:
        yield warning(INSECURE, "capabilities")
    elif capabilities.get("drop") is None:
        yield warning(INSECURE, "capabilities.drop")
    elif capabilities["drop"][:1] == ["all"]:
        yield warning("invalid value: all", "capabilities.drop", details="Must be spelled as 'ALL'")


def _volumes(spec: Json, features: Any) -> Iterator[FieldError]:
    every = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    mounted = {mount.get("name") for container in every for mount in container.get("volumeMounts") or []}
    seen: set[str] = set()
    for index, volume in enumerate(spec.get("volumes") or []):
        at, name = f"[{index}]", volume.get("name") or ""
        if name in seen:
            yield generic(f"duplicate volume name {quoted(name)}", f"{at}.name")
        if name not in mounted:
            yield generic(f"volume with name {quoted(name)} not mounted", f"{at}.name")
        seen.add(name)
        yield from under(at, _volume(volume, features))


def _volume(volume: Json, features: Any) -> Iterator[FieldError]:
    name = volume.get("name") or ""
    if not name:
        yield missing("name")
    elif label_1123_problems(name):
        yield invalid(name, "name")
    gated = podspec.GATED_VOLUME_SOURCES
    opened = {source for source, (_, flag, _) in gated.items() if features.is_open(POD_FLAG.format(flag))}
    known, allowed = {*podspec.VOLUME_SOURCES, *gated}, {"name", *podspec.VOLUME_SOURCES, *opened}
    if wrong := [field for field, value in volume.items() if value is not None and field not in allowed]:
        yield disallowed(*wrong)
    yield from _closed_sources(volume, features)
    found = [source for source in volume if source in known and volume[source] is not None]
    if not found:
        yield none_of(*podspec.VOLUME_SOURCES, *(source for source in gated if source in opened))
    elif len(found) > 1:
        yield several_of(*found)
    for source in ("secret", "configMap"):
        yield from under(source, _items((volume.get(source) or {}).get("items") or []))
    for index, projection in enumerate((volume.get("projected") or {}).get("sources") or []):
        yield from under(f"projected[{index}]", _projection(projection))
    yield from under("emptyDir", _empty_dir(volume.get("emptyDir") or {}))


def _closed_sources(volume: Json, features: Any) -> Iterator[FieldError]:
    """Kinds of volume that have to be switched on for everybody."""
    for source, (_, flag, said) in podspec.GATED_VOLUME_SOURCES.items():
        is_on = features.is_enabled(POD_FLAG.format(flag))
        if said and volume.get(source) is not None and not is_on:
            yield generic(f"{said} volume support is disabled, but found {said} volume {volume.get('name')}", source)
    claim = volume.get("persistentVolumeClaim")
    if claim is None:
        return
    name = claim.get("claimName") or ""
    if not features.is_enabled(POD_FLAG.format("persistent-volume-claim")):
        yield generic(
            f"Persistent volume claim support is disabled, but found persistent volume claim {name}",
            "persistentVolumeClaim",
        )
    if not claim.get("readOnly") and not features.is_enabled(POD_FLAG.format("persistent-volume-write")):
        yield generic(
            f"Persistent volume write support is disabled, but found persistent volume claim {name} "
            "that is not read-only",
            "persistentVolumeClaim",
        )


def _items(items: list[Json]) -> Iterator[FieldError]:
    for index, item in enumerate(items):
        at = f"items[{index}]"
        yield from under(at, beyond(item, podspec.KEY_TO_PATH))
        for name in ("key", "path"):
            if not item.get(name):
                yield missing(f"{at}.{name}")


def _projection(projection: Json) -> Iterator[FieldError]:
    yield from beyond(projection, podspec.PROJECTIONS)
    found = [name for name in podspec.PROJECTIONS if projection.get(name) is not None]
    if not found:
        yield none_of(*podspec.PROJECTIONS)
    elif len(found) > 1:
        yield several_of(*found)
    for name in found:
        source = projection[name]
        yield from under(name, beyond(source, podspec.PROJECTIONS[name]))
        wanted = {"secret": "name", "configMap": "name", "serviceAccountToken": "path"}.get(name)
        if wanted and not source.get(wanted):
            yield missing(f"{name}.{wanted}")
        if name in ("secret", "configMap"):
            yield from under(name, _items(source.get("items") or []))
        elif name == "downwardAPI":
            yield from under(name, _downward(source.get("items") or []))


def _downward(items: list[Json]) -> Iterator[FieldError]:
    for index, item in enumerate(items):
        at = f"items[{index}]"
        found = [name for name in ("fieldRef", "resourceFieldRef") if item.get(name) is not None]
        if not found:
            yield none_of(f"{at}.fieldRef", f"{at}.resourceFieldRef")
        elif len(found) > 1:
            yield generic("Within a single item, cannot set both", f"{at}.fieldRef", f"{at}.resourceFieldRef")
        if not item.get("path"):
            yield missing(f"{at}.path")


def _empty_dir(volume: Json) -> Iterator[FieldError]:
    medium, limit = volume.get("medium") or "", volume.get("sizeLimit")
    if medium not in ("", "Memory"):
        yield invalid(medium, "medium")
    if limit is not None and quantity(str(limit)) < 0:
        yield invalid(limit, "sizeLimit")


def _init_containers(
    init: list[Json], containers: list[Json], volumes: dict[str, Json], features: Any
) -> Iterator[FieldError]:
    if not init:
        return
    if not features.is_enabled(POD_FLAG.format("init-containers")):
        said = f"pod spec support for init-containers is off, but found {len(init)} init containers"
        yield generic(said, "initContainers")
        return
    taken = {container.get("name") for container in containers}
    rules = Rules(features)
    for index, container in enumerate(init):
        at = f"initContainers[{index}]"
        if container.get("name") in taken:
            yield generic(f"duplicate container name {quoted(container.get('name') or '')}", f"{at}.name")
        taken.add(container.get("name"))
        yield from under(at, container_problems(container, Role.INIT, volumes, "", rules))


def _port_count(containers: list[Json]) -> Iterator[FieldError]:
    """One port over all containers; a lone container may leave it to us (SC-067)."""
    count = sum(len(container.get("ports") or []) for container in containers)
    if count == 0 and len(containers) > 1:
        yield missing("ports")
    elif count > 1:
        details = "Only a single port is allowed across all containers"
        yield generic("more than one container port is set", "ports", details=details)


def _containers(containers: list[Json], volumes: dict[str, Json], features: Any) -> Iterator[FieldError]:
    if not containers:
        yield missing("containers")
        return
    if len(containers) > 1 and not features.is_enabled("multi-container"):
        yield generic(f"multi-container is off, but found {len(containers)} containers", "containers")
        return
    port = (serving_container(containers).get("ports") or [{}])[0]
    port_name = port.get("name") or DEFAULT_PORT_NAME
    taken: set[str] = set()
    rules = Rules(features)
    for index, container in enumerate(containers):
        at, name = f"containers[{index}]", container.get("name") or ""
        if name in taken:
            yield generic(f"duplicate container name {quoted(name)}", f"{at}.name")
        taken.add(name)
        is_serving = len(containers) == 1 or bool(container.get("ports"))
        role = Role.SERVING if is_serving else Role.SIDECAR
        yield from under(at, container_problems(container, role, volumes, port_name, rules))
