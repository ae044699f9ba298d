"""Traces: when requests come and how long each takes: made ones by a seed, recorded ones from a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from random import Random

REQUEST_S = 0.5
"""How long a request takes in the made traces, on average."""

SPREAD_SHAPE = 4.0
"""Of the gamma distribution of durations: the slowest of a hundred takes two and a half times the average."""


class TraceError(ValueError):
    """A file is no recorded load; the message names the line and what should stand there."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request."""

    at_s: float
    takes_s: float


@dataclass(frozen=True, slots=True)
class Trace:
    """A load from beginning to end."""

    name: str
    arrivals: tuple[Arrival, ...]
    length_s: float
    steps: tuple[tuple[float, float], ...]
    """(from when on, requests at once on average): where it changes abruptly; none where it moves all the time."""
    goes_on: bool = True
    """More requests follow after a step; else these were all."""


def step(seed: int = 1, low: float = 20.0, high: float = 200.0, plateau_s: float = 120.0) -> Trace:
    """From nothing to a low level, up to a high one, and down again; requests at once, Poisson arrivals."""
    steps = ((10.0, low), (10.0 + plateau_s, high), (10.0 + 2 * plateau_s, low))
    end_s = 10.0 + 3 * plateau_s

    def level(at_s: float) -> float:
        return next((at_once for start_s, at_once in reversed(steps) if at_s >= start_s), 0.0) if at_s < end_s else 0.0

    arrivals = _poisson(level, high, end_s, seed)
    return Trace("step", arrivals, end_s + 120.0, (*steps, (end_s, 0.0)))


def ramp(seed: int = 1, high: float = 300.0, rise_s: float = 180.0) -> Trace:
    """Grows evenly, and falls evenly."""

    def level(at_s: float) -> float:
        return high * max(0.0, 1 - abs(at_s - 10.0 - rise_s) / rise_s)

    return Trace("ramp", _poisson(level, high, 10.0 + 2 * rise_s, seed), 130.0 + 2 * rise_s, ())


def burst(_seed: int = 1, count: int = 100, takes_s: float = REQUEST_S, at_s: float = 10.0) -> Trace:
    """Many requests in the same moment, from zero."""
    arrivals = tuple(Arrival(at_s + i * 1e-5, takes_s) for i in range(count))
    return Trace("burst", arrivals, at_s + 110.0, ((at_s, float(count)), (at_s + 2 * takes_s, 0.0)), goes_on=False)


def day(seed: int = 1, high: float = 60.0, length_s: float = 3600.0) -> Trace:
    """A day's wave in an hour: quiet nights without any request, a high noon, and a noisy middle."""

    def level(at_s: float) -> float:
        wave = (1 - cos(2 * pi * at_s / length_s)) / 2
        return high * wave**2 if wave > NIGHT else 0.0

    return Trace("day", _poisson(level, high, length_s, seed), length_s + 120.0, ())


NIGHT = 0.1
"""Part of the wave below which nobody is awake."""

MADE: dict[str, Callable[[int], Trace]] = {"step": step, "ramp": ramp, "burst": burst, "day": day}
"""By name; each takes a seed."""


def read(path: Path) -> Trace:
    """A recorded load: JSON (a list of objects) or CSV with a head; `time_s`, and `duration_s` where it is known.

    Raises  TraceError that names the line, OSError.
    """
    text = path.read_text()
    rows: Iterable[object]
    if path.suffix == ".json":
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise TraceError(f"{path}: no JSON: {error}") from error
        if not isinstance(rows, list):
            raise TraceError(f"{path}: a list of objects with time_s and duration_s is wanted")
        first = 1
    else:
        rows, first = csv.DictReader(text.splitlines()), 2
    problems: list[str] = []
    arrivals = [one for number, row in enumerate(rows, first) if (one := _arrival(row, number, problems))]
    if problems or not arrivals:
        raise TraceError(f"{path}: " + ("; ".join(problems[:10]) or "no request in it"))
    arrivals.sort(key=lambda one: one.at_s)
    start_s = arrivals[0].at_s
    moved = tuple(Arrival(one.at_s - start_s, one.takes_s) for one in arrivals)
    return Trace(path.stem, moved, moved[-1].at_s + 120.0, ())


def _arrival(row: object, number: int, problems: list[str]) -> Arrival | None:
    values = row if isinstance(row, dict) else {}
    try:
        at_s, takes_s = float(values["time_s"]), float(values.get("duration_s") or REQUEST_S)
    except (KeyError, TypeError, ValueError):
        problems.append(f"entry {number}: time_s and duration_s are seconds as numbers, this is {row}")
        return None
    if not (0 <= at_s < float("inf") and 0 < takes_s < float("inf")):
        problems.append(f"entry {number}: time_s and duration_s are 0 or more and finite, this is {row}")
        return None
    return Arrival(at_s, takes_s)


def _poisson(level: Callable[[float], float], high: float, end_s: float, seed: int) -> tuple[Arrival, ...]:
    """Arrivals whose requests at once follow `level`, thinned from a rate that is never exceeded."""
    random = Random(seed)
    most_per_s = high / REQUEST_S
    arrivals, at_s = [], 0.0
    while (at_s := at_s + random.expovariate(most_per_s)) < end_s:
        if random.random() * high < level(at_s):
            arrivals.append(Arrival(at_s, random.gammavariate(SPREAD_SHAPE, REQUEST_S / SPREAD_SHAPE)))
    return tuple(arrivals)
