"""Plot: simulated runs of one trace as a picture: the load, and what each algorithm asks for and has ready."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from .figures import figures, right_scale
from .simulate import Outcome

INCHES = (11.0, 3.2)
"""Of one panel."""


def plot(outcomes: Sequence[Outcome], path: Path) -> None:
    """One panel for the load and one for each outcome, on the same axis of time. Raises OSError, ValueError."""
    trace = outcomes[0].trace
    figure = Figure(figsize=(INCHES[0], INCHES[1] * (len(outcomes) + 1)), layout="constrained")
    panels = figure.subplots(len(outcomes) + 1, sharex=True)
    panels[0].fill_between(*_columns(outcomes[0].load), color="#9ab", linewidth=0)
    panels[0].set_ylabel("requests at once")
    panels[0].set_title(f"{trace.name}: {len(trace.arrivals)} requests")
    most = max((pods for outcome in outcomes for _, pods in outcome.wanted), default=1)
    for panel, outcome in zip(panels[1:], outcomes, strict=True):
        _pods(panel, outcome, most)
    panels[-1].set_xlabel("s")
    figure.savefig(path, dpi=90)


def _pods(panel: object, outcome: Outcome, most: int) -> None:
    found, end_s = figures(outcome), outcome.trace.length_s
    for series, name, color in ((outcome.wanted, "asked for", "#c40"), (outcome.ready, "ready", "#069")):
        whole = [(0.0, 0), *series, (end_s, series[-1][1] if series else 0)]
        panel.step(*_columns(whole), where="post", label=name, color=color)  # type: ignore[attr-defined]
    steps = [(at_s, right_scale(outcome, at_once)) for at_s, at_once in outcome.trace.steps]
    if steps and outcome.trace.goes_on:
        ends = (*steps, (end_s, steps[-1][1]))
        panel.step(*_columns(ends), where="post", label="right", color="#888", linestyle=":")  # type: ignore[attr-defined]
    panel.set_ylim(0, most * 1.08)  # type: ignore[attr-defined]
    panel.set_ylabel("pods")  # type: ignore[attr-defined]
    panel.legend(loc="upper right")  # type: ignore[attr-defined]
    panel.set_title(  # type: ignore[attr-defined]
        f"{outcome.setting.algorithm}: {found.pod_s:.0f} pod-seconds, {found.pods} pods made, "
        f"wait p99 {found.wait_p99_s:.2f} s"
    )


def _columns(rows: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [row[0] for row in rows], [row[1] for row in rows]
