"""Refusal: what a pod asks for and processes of one machine cannot give, by field, each with a way out."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def refusals(spec: Object) -> list[str]:
    """Everything that stands in the way of a pod; empty: nothing."""
    found = []
    for number, volume in enumerate(spec.get("volumes") or ()):
        kind = next((key for key in volume if key != "name"), "emptyDir")
        found.append(
            f'spec.volumes[{number}]: volume "{volume.get("name", "")}" ({kind}) cannot be mounted, as containers are '
            "processes of this machine; remove it, and let the app read files of its folder, or variables (envFrom)"
        )
    if spec.get("initContainers"):
        names = ", ".join(one.get("name", "") for one in spec["initContainers"])
        found.append(f"spec.initContainers: {names} cannot be run here; remove them, and begin with `command` instead")
    for number, container in enumerate(spec.get("containers") or ()):
        where = f"spec.containers[{number}]"
        for device in container.get("volumeDevices") or ():
            found.append(f'{where}.volumeDevices: "{device.get("name", "")}" cannot be mounted; remove it')
        for name in PROBES:
            if "grpc" in (container.get(name) or {}):
                found.append(f"{where}.{name}.grpc: not there on one machine; use tcpSocket, httpGet or exec")
    return found
