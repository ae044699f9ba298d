"""Simulate: `penstock simulate`: how a revision would scale under a load, and whether decisions replay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from controller.api.autoscaling import ALGORITHMS
from controller.autoscaler import traces
from controller.autoscaler.figures import Figures, figures
from controller.autoscaler.page import read_page
from controller.autoscaler.simulate import Outcome, Setting
from controller.autoscaler.simulate import simulate as run

BAD_INPUT = 2

ROWS = (
    ("first pod asked for after", "first_s", "s"),
    ("right scale asked for after", "right_s", "s"),
    ("beyond it at most", "overshoot", "%"),
    ("changes of direction per step", "reversals", ""),
    ("at zero after the last request", "zero_s", "s"),
    ("pod-seconds", "pod_s", "0"),
    ("pods made", "pods", ""),
    ("of them never used", "unused", ""),
    ("wait of requests, p50", "wait_p50_s", "s"),
    ("wait of requests, p99", "wait_p99_s", "s"),
)
"""What is printed, the figure, and its unit."""

Load = Annotated[
    str, typer.Argument(help=f"{', '.join(traces.MADE)}, or a file: CSV with a head or JSON; time_s, duration_s")
]
Algorithm = Annotated[list[str] | None, typer.Option("--algorithm", help="knative or predictive; both when not given")]


def simulate(
    load: Load = "step",
    algorithm: Algorithm = None,
    concurrency: Annotated[int, typer.Option(min=0, help="requests that a pod runs at once; 0: no limit")] = 0,
    target: Annotated[float, typer.Option(min=0.01, help="requests at once for each pod without a limit")] = 100.0,
    utilization: Annotated[float, typer.Option(min=1, max=100, help="how full a pod should be, in percent")] = 70.0,
    start: Annotated[float, typer.Option(min=0.001, help="seconds that a pod takes to start, in the middle")] = 1.0,
    window: Annotated[float, typer.Option(min=6, max=3600, help="stable window, seconds")] = 60.0,
    seed: Annotated[int, typer.Option(help="of everything random")] = 1,
    plot: Annotated[Path | None, typer.Option(help="write a picture (PNG) here")] = None,
    decisions: Annotated[Path | None, typer.Option(help="write every decision (JSON) here")] = None,
    replay: Annotated[Path | None, typer.Option(help="make recorded decisions again: a page of /decisions")] = None,
    output: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """Replays a load against the autoscaler's algorithms, in seconds."""
    if output not in ("table", "json"):
        _refuse(f"--output is table or json, not {output}")
    if replay is not None:
        _replay(replay)
        return
    unknown = [name for name in algorithm or () if name not in ALGORITHMS]
    if unknown:
        _refuse(f"--algorithm is one of {', '.join(ALGORITHMS)}, not {', '.join(unknown)}")
    trace = _trace(load, seed)
    outcomes = [
        run(
            trace,
            Setting(
                algorithm=name,
                concurrency=concurrency,
                target_total=target,
                utilization=utilization / 100,
                start_s=start,
                stable_s=window,
                seed=seed,
            ),
        )
        for name in algorithm or ALGORITHMS
    ]
    _print(outcomes, output)
    if decisions is not None:
        _write(decisions, {"decisions": [made for outcome in outcomes for made in outcome.made]})
    if plot is not None:
        _plot(outcomes, plot)


def _trace(load: str, seed: int) -> traces.Trace:
    if load in traces.MADE:
        return traces.MADE[load](seed)
    try:
        return traces.read(Path(load))
    except FileNotFoundError:
        _refuse(f"{load} is neither one of {', '.join(traces.MADE)} nor a file")
    except (OSError, ValueError) as error:
        _refuse(str(error))


def _print(outcomes: list[Outcome], output: str) -> None:
    found = {outcome.setting.algorithm: figures(outcome) for outcome in outcomes}
    if output == "json":
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    table = Table(title=f"{outcomes[0].trace.name}: {len(outcomes[0].trace.arrivals)} requests")
    table.add_column("")
    for name in found:
        table.add_column(name, justify="right")
    for title, field, unit in ROWS:
        table.add_row(title, *(shown(one, field, unit) for one in found.values()))
    Console().print(table)


def shown(found: Figures, field: str, unit: str) -> str:
    """One figure with its unit."""
    value: Any = getattr(found, field)
    if value is None:
        return "-"
    if value == float("inf"):
        return "never"
    if unit == "s":
        return f"{value:.3f} s"
    if unit == "%":
        return f"{value:.0%}"
    return f"{value:.0f}" if unit == "0" else str(value)


def _write(path: Path, content: object) -> None:
    try:
        path.write_bytes(msgspec.json.encode(content))
    except OSError as error:
        _refuse(f"{path}: {error.strerror}")


def _plot(outcomes: list[Outcome], path: Path) -> None:
    try:
        from controller.autoscaler.plot import plot
    except ImportError:
        _refuse("--plot needs matplotlib: pip install 'penstock[plot]'")
    try:
        plot(outcomes, path)
    except (OSError, ValueError) as error:
        _refuse(f"--plot {path}: {error}")
    typer.echo(f"written: {path}", err=True)


def _replay(path: Path) -> None:
    """Every recorded decision, made once more from what went into it."""
    try:
        recorded = read_page(path.read_bytes()).decisions
    except (OSError, msgspec.MsgspecError) as error:
        _refuse(f"{path}: no recorded decisions: {error}")
    different = [(one, again) for one in recorded if (again := one.again()) != one.decision]
    for one, again in different:
        typer.echo(f"at {one.at_s:.3f}: {one.decision.pods} pods ({one.decision.reason})")
        typer.echo(f"   now: {again.pods} pods ({again.reason})")
    typer.echo(f"{len(recorded)} decisions made again, {len(different)} of them differ")
    if different:
        raise typer.Exit(1)


def _refuse(problem: str) -> NoReturn:
    typer.echo(problem, err=True)
    raise typer.Exit(BAD_INPUT)
