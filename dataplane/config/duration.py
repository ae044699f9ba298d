"""Duration: a span of time as Go writes it (2.1)."""

from __future__ import annotations

import re

UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
_WHOLE = re.compile(rf"\+?({_PART})+", re.ASCII)


def go_duration_s(text: str) -> float:
    """Seconds of `300ms`, `1m30s` or `0.2s`.

    Raises  ValueError for anything else, for a number without a unit, and for what is below zero.
    """
    if text in ("0", "+0", "-0"):
        return 0.0
    if not _WHOLE.fullmatch(text):
        raise ValueError("not a duration")
    return sum(float(number) * UNITS_S[unit] for number, unit in re.findall(_PART, text))
