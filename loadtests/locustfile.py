"""Locustfile: the users and the shape that a load is made of, as the environment names them.

LOAD_KINDS   keepalive,bursts,uploads,slow,streaming,websocket,grpc (default all)
LOAD_SHAPE   steady, step, ramp, burst or sawtooth (default step)
"""

from __future__ import annotations

import importlib
import os

from loadtests.shapes import SHAPES

MODULES = {
    "keepalive": ("loadtests.users.keepalive", "KeepaliveUser", 6),
    "bursts": ("loadtests.users.bursts", "BurstUser", 1),
    "uploads": ("loadtests.users.uploads", "UploadUser", 1),
    "slow": ("loadtests.users.slow", "SlowUser", 2),
    "streaming": ("loadtests.users.streaming", "StreamUser", 2),
    "websocket": ("loadtests.users.websocket", "WebSocketUser", 2),
    "grpc": ("loadtests.users.grpc_calls", "GrpcUser", 2),
}


def chosen() -> dict[str, type]:
    """The user classes by name, with their weights. Locust finds users among the names of this module."""
    found = {}
    for kind in os.environ.get("LOAD_KINDS", ",".join(MODULES)).split(","):
        module, name, weight = MODULES[kind]
        found[name] = getattr(importlib.import_module(module), name)
        found[name].weight = weight
    return found


globals().update(chosen())
Shape = SHAPES[os.environ.get("LOAD_SHAPE", "step")]
