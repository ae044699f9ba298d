"""ContainerRules: what a container of a revision may be (SC 3.8)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from enum import Enum
from typing import Any

from controller.api import podspec
from controller.api.errors import (
    INT32_MAX,
    FieldError,
    generic,
    invalid,
    missing,
    none_of,
    out_of_bounds,
    quoted,
    several_of,
    under,
)
from controller.api.image import reference_problem
from controller.api.probe_rules import beyond, probe_problems, readiness_problems, sidecar_problems
from dataplane.contract import ports

Json = dict[str, Any]


class Role(Enum):
    """What a container is for."""

    SERVING = "serving"
    SIDECAR = "sidecar"
    INIT = "init"


class Rules:
    """What the flags open, for the containers of one pod."""

    __slots__ = ("capabilities_add", "field_ref", "mount_propagation", "secure", "sidecar_probes")

    def __init__(self, features: Any) -> None:
        self.field_ref: bool = features.is_open("kubernetes.podspec-fieldref")
        self.mount_propagation: bool = features.is_open("kubernetes.podspec-volumes-mount-propagation")
        self.capabilities_add: bool = features.is_open("kubernetes.containerspec-addcapabilities")
        self.secure: bool = features.is_open("secure-pod-defaults")
        self.sidecar_probes: bool = features.is_enabled("multi-container-probing")


RESERVED_NAMES = ("queue-proxy",)
RESERVED_ENV = ("PORT", "K_SERVICE", "K_CONFIGURATION", "K_REVISION")
RESERVED_PATHS = ("/", "/dev", "/dev/log")
RESERVED_PORTS = (
    ports.SERVING_PORT,
    ports.SERVING_H2C_PORT,
    ports.ADMIN_PORT,
    ports.STATS_PORT,
    ports.USER_METRICS_PORT,
    ports.PROFILING_PORT,
)
PORT_NAMES = ("", "h2c", "http1")
TERMINATION_POLICIES = ("", "File", "FallbackToLogsOnError")
PROPAGATIONS = ("None", "HostToContainer")
NOT_IN_INIT = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")


def container_problems(
    container: Json, role: Role, volumes: dict[str, Json], port_name: str, rules: Rules
) -> Iterator[FieldError]:
    """All that is wrong with one container, by field path.

    volumes     of the pod, by name
    port_name   of the pod's serving port
    """
    if not container:
        yield missing("")
        return
    yield from _probes(container, role, port_name, rules)
    allowed = {*podspec.CONTAINER, *(NOT_IN_INIT if role is Role.INIT else ())}
    yield from beyond(container, allowed)
    if (name := container.get("name")) in RESERVED_NAMES:
        yield generic(f"{quoted(name)} is a reserved container name", "name")
    yield from under("env", _env(container.get("env") or [], role, rules))
    yield from under("envFrom", _env_from(container.get("envFrom") or []))
    yield from _image(container.get("image") or "")
    yield from under("ports", _ports(container.get("ports") or [], role))
    yield from under("resources", beyond(container.get("resources") or {}, podspec.RESOURCES))
    yield from under("securityContext", _security(container.get("securityContext") or {}, rules))
    policy = container.get("terminationMessagePolicy") or ""
    if policy not in TERMINATION_POLICIES:
        yield invalid(policy, "terminationMessagePolicy")
    yield from under("volumeMounts", _mounts(container.get("volumeMounts") or [], volumes, rules))


def _probes(container: Json, role: Role, port_name: str, rules: Rules) -> Iterator[FieldError]:
    if role is Role.INIT:
        for name in NOT_IN_INIT:
            if container.get(name):
                yield generic("field not allowed in an init container", name)
        return
    for name in ("livenessProbe", "readinessProbe"):
        probe = container.get(name)
        if probe is None:
            continue
        if role is Role.SIDECAR and not rules.sidecar_probes:
            yield from under(name, beyond(probe, ()))
            continue
        yield from under(name, probe_problems(probe, port_name if role is Role.SERVING else ""))
        if role is Role.SIDECAR:
            yield from under(name, sidecar_problems(probe))
        if name == "readinessProbe":
            yield from under(name, readiness_problems(probe))


def _env(env: list[Json], role: Role, rules: Rules) -> Iterator[FieldError]:
    reserved = RESERVED_ENV if role is Role.SERVING else tuple(name for name in RESERVED_ENV if name != "PORT")
    sources = {**podspec.ENV_SOURCE, **(podspec.ENV_SOURCE_FIELD_REF if rules.field_ref else {})}
    for index, variable in enumerate(env):
        at = f"[{index}]"
        yield from under(at, beyond(variable, podspec.ENV))
        name = variable.get("name") or ""
        if not name:
            yield missing(f"{at}.name")
        elif name in reserved:
            yield generic(f"{quoted(name)} is a reserved environment variable", f"{at}.name")
        yield from under(f"{at}.valueFrom", beyond(variable.get("valueFrom") or {}, sources))


def _env_from(sources: list[Json]) -> Iterator[FieldError]:
    for index, source in enumerate(sources):
        at = f"[{index}]"
        yield from under(at, beyond(source, podspec.ENV_FROM))
        found = [name for name in ("configMapRef", "secretRef") if source.get(name) is not None]
        for name in found:
            yield from under(f"{at}.{name}", beyond(source[name], podspec.ENV_REF))
        paths = (f"{at}.configMapRef", f"{at}.secretRef")
        if not found:
            yield none_of(*paths)
        elif len(found) > 1:
            yield several_of(*paths)


def _image(image: str) -> Iterator[FieldError]:
    if not image:
        yield missing("image")
    elif problem := reference_problem(image):
        details = f"image: {quoted(image)}, error: {problem}"
        yield generic("Failed to parse image reference", "image", details=details)


def _ports(found: list[Json], role: Role) -> Iterator[FieldError]:
    checked = found if role is Role.INIT else found[:1]
    for index, port in enumerate(checked):
        at = f"[{index}]" if role is Role.INIT else ""
        yield from under(at, _port(port))
    if not checked or role is Role.INIT:
        return
    protocol, name = checked[0].get("protocol") or "TCP", checked[0].get("name") or ""
    if protocol != "TCP":
        yield invalid(protocol, "protocol")
    if name not in PORT_NAMES:
        details = "Name must be empty, or one of: 'h2c', 'http1'"
        yield generic(f"Port name {name} is not allowed", "", details=details)


def _port(port: Json) -> Iterator[FieldError]:
    yield from beyond(port, podspec.PORT)
    number = port.get("containerPort") or 0
    if number in RESERVED_PORTS:
        said = f"{number} is a reserved port"
        yield invalid(said, "containerPort", f"{said}, please use a different value")
    if not 0 <= number <= ports.PORT_MAX:
        yield out_of_bounds(number, 0, ports.PORT_MAX, "containerPort")


def id_problems(context: Json, names: tuple[str, ...]) -> Iterator[FieldError]:
    """User and group ids fit into 31 bits."""
    for name in names:
        value = context.get(name)
        if value is not None and not 0 <= value <= INT32_MAX:
            yield out_of_bounds(value, 0, INT32_MAX, name)


def _security(context: Json, rules: Rules) -> Iterator[FieldError]:
    yield from beyond(context, podspec.SECURITY_CONTEXT)
    capabilities = context.get("capabilities") or {}
    is_bind = rules.secure and capabilities.get("add") == ["NET_BIND_SERVICE"]
    allowed = {**podspec.CAPABILITIES, **(podspec.CAPABILITIES_ADD if rules.capabilities_add or is_bind else {})}
    yield from under("capabilities", beyond(capabilities, allowed))
    yield from under("seccompProfile", beyond(context.get("seccompProfile") or {}, podspec.SECCOMP))
    yield from id_problems(context, ("runAsUser", "runAsGroup"))


def _mounts(mounts: list[Json], volumes: dict[str, Json], rules: Rules) -> Iterator[FieldError]:
    allowed = {**podspec.VOLUME_MOUNT, **(podspec.VOLUME_MOUNT_PROPAGATION if rules.mount_propagation else {})}
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        at = f"[{index}]"
        yield from under(at, beyond(mount, allowed))
        volume = volumes.get(mount.get("name") or "")
        if volume is None:
            yield generic("volumeMount has no matching volume", f"{at}.name")
        yield from under(at, _mount_path(mount.get("mountPath") or "", seen))
        yield from under(at, _read_only(mount, volume))
        propagation = mount.get("mountPropagation")
        if rules.mount_propagation and propagation and propagation not in PROPAGATIONS:
            yield generic(f"mount propagation should be set to {' or '.join(PROPAGATIONS)}", f"{at}.mountPropagation")


def _mount_path(path: str, seen: set[str]) -> Iterator[FieldError]:
    clean = cleaned(path)
    if not path:
        yield missing("mountPath")
    elif clean in RESERVED_PATHS:
        yield generic(f"mountPath {quoted(clean)} is a reserved path", "mountPath")
    elif not path.startswith("/"):
        yield invalid(path, "mountPath")
    elif clean in seen:
        yield invalid(f"{quoted(path)} must be unique", "mountPath")
    seen.add(clean)


def cleaned(path: str) -> str:
    """A path without `.`, `..` and doubled slashes; a second slash at the start means nothing."""
    clean = posixpath.normpath(path)
    return clean[1:] if clean.startswith("//") else clean


def _read_only(mount: Json, volume: Json | None) -> Iterator[FieldError]:
    """Only volumes that are meant for it may be written (SC-074)."""
    if mount.get("readOnly"):
        return
    claim = (volume or {}).get("persistentVolumeClaim")
    if volume is None or not any(volume.get(name) is not None for name in podspec.WRITABLE_VOLUMES):
        yield generic("volume mount should be readOnly for this type of volume", "readOnly")
    elif claim is not None and claim.get("readOnly"):
        yield generic("volume is readOnly but volume mount is not", "readOnly")
