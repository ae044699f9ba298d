"""Network: what an activator reads in the map `config-network` (2.7)."""

from __future__ import annotations

from collections.abc import Mapping

from dataplane.contract.record import Record
from dataplane.contract.values import go_bool, quoted

AUTO, ENABLED, DISABLED = "auto", "enabled", "disabled"
"""Whether a service mesh keeps pods from being called by their addresses: found out, yes, no."""

MESH_KEY = "mesh-compatibility-mode"
ADDRESSABLE_KEY = "enable-mesh-pod-addressability"


class Network(Record):
    """How pods are reached."""

    mesh: str = AUTO
    addressable: bool = False
    """The mesh lets pods be called by their addresses, under the name of their Service."""


def read_network(data: Mapping[str, str]) -> tuple[Network, list[str]]:
    """The settings, with defaults for what cannot be used, and a sentence for each such value."""
    problems = []
    mesh = data.get(MESH_KEY, AUTO).lower()
    if mesh not in (AUTO, ENABLED, DISABLED):
        problems.append(f"{MESH_KEY}: {quoted(mesh)} is not known; use {AUTO}, {ENABLED} or {DISABLED}")
        mesh = AUTO
    addressable = False
    try:
        addressable = go_bool(data.get(ADDRESSABLE_KEY, "false"))
    except ValueError:
        problems.append(f"{ADDRESSABLE_KEY}: {quoted(data[ADDRESSABLE_KEY])} is no truth value; use true or false")
    return Network(mesh=mesh, addressable=addressable), problems
