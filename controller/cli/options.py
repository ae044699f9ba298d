"""Options: those that several commands share."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.problem import Problem
from controller.local.home import Home

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Output(StrEnum):
    """For whom."""

    TEXT = "text"
    JSON = "json"


StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir", envvar="PENSTOCK_STATE_DIR", help="Folder of `penstock up`; usually by XDG_STATE_HOME."
    ),
]
Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace.")]
AsOutput = Annotated[Output, typer.Option("--output", "-o", help="Text for people, JSON for programs.")]
Timeout = Annotated[str, typer.Option("--timeout", help="How long to wait, such as 90s or 2m.")]


def home_of(state_dir: Path | None) -> Home:
    return Home.of(os.environ, state_dir)


def seconds(option: str, said: str) -> float:
    """A number with its unit. Raises Problem that names the option."""
    for unit in ("ms", "s", "m", "h"):
        number = said.removesuffix(unit)
        if number != said and number.replace(".", "", 1).isdecimal():
            return float(number) * SECONDS[unit]
    raise Problem(f'{option}: "{said}" is no time', "use a number and a unit: 500ms, 30s, 2m")
