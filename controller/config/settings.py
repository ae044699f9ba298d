"""Settings: all config maps at once."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from controller.config import autoscaler, defaults, deployment, domain, features, gc, network, observability
from controller.config.reader import EXAMPLE

SYSTEM_NAMESPACE = "knative-serving"
"""Where the maps are when nothing else is said."""

CHECKSUM = "knative.dev/example-checksum"
"""Annotation with the checksum of the example that came with the map."""

Read = Callable[[Mapping[str, str]], tuple[Any, list[str]]]

MAPS: dict[str, tuple[str, Read]] = {
    "config-autoscaler": ("autoscaler", autoscaler.read),
    "config-defaults": ("defaults", defaults.read),
    "config-deployment": ("deployment", deployment.read),
    "config-domain": ("domain", domain.read),
    "config-features": ("features", features.read),
    "config-gc": ("gc", gc.read),
    "config-network": ("network", network.read),
    "config-observability": ("observability", observability.read),
}
"""Field of `Settings` and reader, by the name of the map."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What the maps say, or the defaults where a map is not there."""

    autoscaler: autoscaler.Autoscaler = autoscaler.Autoscaler()
    defaults: defaults.Defaults = defaults.Defaults()
    deployment: deployment.Deployment = deployment.Deployment()
    domain: domain.Domain = domain.Domain()
    features: features.Features = features.Features()
    gc: gc.Gc = gc.Gc()
    network: network.Network = network.Network()
    observability: observability.Observability = observability.Observability()

    def changed(self, name: str, data: Mapping[str, str]) -> tuple[Settings, list[str]]:
        """With one map read anew. A map with a problem changes nothing (SC-230); one that is not ours neither."""
        if name not in MAPS:
            return self, []
        field, read = MAPS[name]
        value, problems = read(data)
        return (self if problems else msgspec.structs.replace(self, **{field: value})), problems


def problems(name: str, data: Mapping[str, str], annotations: Mapping[str, str]) -> list[str]:
    """All that is wrong with a config map before it is stored; a map that is not ours has nothing (SC 5.3)."""
    if name not in MAPS:
        return []
    found = MAPS[name][1](data)[1]
    example, stored = data.get(EXAMPLE), annotations.get(CHECKSUM)
    if example is not None and stored is not None and checksum(example) != stored:
        found.append(
            f'the update modifies a key in "{EXAMPLE}", which is documentation: settings belong directly below "data". '
            f'The annotation "{CHECKSUM}" says {stored}, the example has {checksum(example)}'
        )
    return found


def checksum(example: str) -> str:
    """Eight hex digits: CRC-32 of the trimmed text, with a backslash and an n for each run of line breaks."""
    joined = re.sub(r"[\r\n]+", r"\\n", example.strip())
    return f"{zlib.crc32(joined.encode()):08x}"
