"""Report: what a run measured, as tables for people and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from loadtests.compare.bench import US, Bench, number
from loadtests.compare.figures import FIGURES

METRIC_WIDTH = 15
VALUE_WIDTH = 13


def case_table(bench: Bench, case: str, title: str, width: int) -> Table:
    """Every metric of a case: medians over the rounds, a column for each peer that was measured."""
    metrics = bench.values[case]
    measured = {peer for by in metrics.values() for peer in by}
    names = [peer.name for peer in bench.peers if peer.name in measured]
    columns = [*names, *sorted(measured - set(names))]
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("", min_width=METRIC_WIDTH, no_wrap=True)
    # the same width in every table, unless the terminal is too narrow for it
    fits = METRIC_WIDTH + len(columns) * (VALUE_WIDTH + 2) <= width
    for name in columns:
        table.add_column(name, justify="right", min_width=VALUE_WIDTH if fits else None)
    for metric in metrics:
        table.add_row(metric, *(_cell(bench, case, metric, name) for name in columns))
    return table


def _cell(bench: Bench, case: str, metric: str, name: str) -> str:
    seen = bench.spread(case, metric, name)
    if seen is None:
        return "-"
    if name == US:
        return number(seen.median)
    ratio = bench.ratio(case, metric, name)
    return f"{number(seen.median)} [{ratio.median:.2f}]" if ratio else number(seen.median)


def figures_table(bench: Bench, *, whole: bool) -> Table:
    """Each target beside what was measured; one without a value has a row in a whole run only."""
    table = Table(title="Figures to reach: medians, in brackets the smallest and the largest")
    for name in ("figure", "target", "measured", "verdict"):
        table.add_column(name)
    for figure in FIGURES:
        seen = figure.measured(bench)
        if seen is not None:
            colour = "green" if figure.met(seen) else "red"
            table.add_row(figure.title, figure.target(), str(seen), f"[{colour}]{figure.verdict(seen)}[/]")
        elif whole:
            table.add_row(figure.title, figure.target(), "-", "[red]not measured[/]")
    return table


def show(bench: Bench, titles: dict[str, str], *, whole: bool) -> None:
    """Prints a table for each case, the system calls of each peer, the figures, and what failed."""
    console = Console(width=None if Console().is_terminal else 170)
    console.print("Medians of all rounds; in brackets our ratio to the peer, of paired rounds.", highlight=False)
    for case in bench.values:
        console.print(case_table(bench, case, titles[case], console.width))
    console.print()
    for about, words in bench.notes.items():
        console.print(f"{about}: {words}", highlight=False)
    table = figures_table(bench, whole=whole)
    if table.row_count:
        console.print()
        console.print(table)
    for failure in bench.failures:
        console.print(f"! {failure}", markup=False, highlight=False)


def write(bench: Bench, environment: dict[str, object], path: Path) -> None:
    """Writes every round, the figures, and the environment as JSON."""
    figures = []
    for figure in FIGURES:
        seen = figure.measured(bench)
        row: dict[str, object] = {"figure": figure.title, "target": figure.target(), "case": figure.case}
        if seen is not None:
            row |= {"median": seen.median, "low": seen.low, "high": seen.high}
            row |= {"measured": str(seen), "verdict": figure.verdict(seen)}
        figures.append(row)
    document = {
        "environment": environment,
        "rounds": bench.rounds,
        "seconds_each": bench.seconds,
        "figures": figures,
        "notes": bench.notes,
        "failures": bench.failures,
        "values": bench.values,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
