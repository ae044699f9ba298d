"""Digest: the hash of an Ingress, byte for byte as Go writes the JSON that it is made of (networking.md 1.8)."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from controller.api.networking import Ingress

_ESCAPED = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
"""What Go writes as an escape and nobody else does; none of them stands outside of a string."""

_MAPS = ("headers", "appendHeaders")


def digest(ingress: Ingress) -> str:
    """64 hex digits. Before any path for probes is inserted, after defaults."""
    text = msgspec.json.encode(_sorted(msgspec.to_builtins(ingress.spec))).decode()
    for plain, escaped in _ESCAPED:
        text = text.replace(plain, escaped)
    return hashlib.sha256((text + ingress.namespace + ingress.name).encode()).hexdigest()


def _sorted(value: Any) -> Any:
    """Fields in their order of declaration, keys of maps by bytes."""
    if isinstance(value, dict):
        return {
            key: dict(sorted(inner.items(), key=lambda pair: pair[0].encode())) if key in _MAPS else _sorted(inner)
            for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_sorted(one) for one in value]
    return value
