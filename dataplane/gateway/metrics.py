"""Metrics: what a gateway shows on its admin port, as Prometheus text: cold starts by phase, and its process.

Source: prometheus.io, "Exposition formats".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from dataplane.metrics.process import readings
from dataplane.plan import NS_PER_S

COLD_START = "penstock_cold_start_seconds"
COLD_HELP = "What requests waited for that came while an instance had to start, by phase."


def page(bounds_ns: Sequence[int], cold: Mapping[str, tuple[Sequence[int], int]]) -> bytes:
    """The whole text.

    bounds_ns  upper ones of the buckets, but for the last
    cold       by phase: requests by bucket, and the sum in ns (Engine.cold)
    """
    lines = [f"# HELP {COLD_START} {COLD_HELP}", f"# TYPE {COLD_START} histogram"]
    bounds = [*(f"{bound / NS_PER_S:g}" for bound in bounds_ns), "+Inf"]
    for phase, (counts, total_ns) in cold.items():
        label = f'phase="{phase}"'
        for bound, below in zip(bounds, accumulate(counts), strict=True):
            lines.append(f'{COLD_START}_bucket{{{label},le="{bound}"}} {below}')
        lines.append(f"{COLD_START}_sum{{{label}}} {total_ns / NS_PER_S!r}")
        lines.append(f"{COLD_START}_count{{{label}}} {sum(counts)}")
    for name, kind, text, value in readings():
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", f"{name} {value!r}"]
    return ("\n".join(lines) + "\n").encode()
