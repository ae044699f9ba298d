"""Gc: how many old revisions are kept, and for how long, from config-gc (SC 3.11)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from controller.config.reader import Reader

DISABLED = "disabled"


class Gc(msgspec.Struct, frozen=True, kw_only=True):
    """None: this check is off."""

    retain_since_create_s: float | None = 48 * 3600.0
    retain_since_last_active_s: float | None = 15 * 3600.0
    min_non_active: int = 20
    max_non_active: int | None = 1000


def read(data: Mapping[str, str]) -> tuple[Gc, list[str]]:
    """Settings, and every problem of the map; a value with a problem has its default."""
    reader, default = Reader(data), Gc()
    settings = Gc(
        retain_since_create_s=_duration(reader, default.retain_since_create_s, "retain-since-create-time"),
        retain_since_last_active_s=_duration(
            reader, default.retain_since_last_active_s, "retain-since-last-active-time"
        ),
        min_non_active=reader.integer(default.min_non_active, "min-non-active-revisions"),
        max_non_active=(
            None
            if _is_disabled(reader, "max-non-active-revisions")
            else reader.integer(default.max_non_active or 0, "max-non-active-revisions")
        ),
    )
    least, most = settings.min_non_active, settings.max_non_active
    reader.require(least >= 0, f"min-non-active-revisions must be non-negative, was: {least}")
    if most is not None:
        reader.require(most >= 0, f"max-non-active-revisions must be non-negative, was: {most}")
        reader.require(
            least <= most,
            f"min-non-active-revisions({least}) must be less than or equal to max-non-active-revisions({most})",
        )
    return settings, reader.problems


def _is_disabled(reader: Reader, key: str) -> bool:
    return reader.text("", key).strip().lower() == DISABLED


def _duration(reader: Reader, default: float | None, key: str) -> float | None:
    if _is_disabled(reader, key):
        return None
    seconds = reader.duration_s(default or 0.0, key)
    reader.require(seconds >= 0, f"{key} cannot be negative, was: {reader.text('', key)}")
    return seconds
