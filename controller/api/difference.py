"""Difference: what changed between two JSON values, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from controller.api.errors import joined

MISSING = object()


def difference(old: Any, new: Any) -> str:
    """Each place that differs, with both values; empty: nothing does."""
    return "\n".join(_places(old, new, ""))


def _places(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _places(old.get(key, MISSING), new.get(key, MISSING), joined(path, key))
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            before = old[index] if index < len(old) else MISSING
            after = new[index] if index < len(new) else MISSING
            yield from _places(before, after, f"{path}[{index}]")
    else:
        yield f"{path}:\n\t-: {_shown(old)}\n\t+: {_shown(new)}"


def _shown(value: Any) -> str:
    return "<missing>" if value is MISSING else msgspec.json.encode(value).decode()
