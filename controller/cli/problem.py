"""Problem: what a user is told when something cannot be done: one line that says what, and one that says what to do."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NoReturn, TypeVar

import msgspec
import typer

from controller.local.home import HomeError, Taken
from dataplane.kube.errors import KubeError, Unreachable

C = TypeVar("C", bound=Callable[..., Any])

NOT_RUNNING = "start it: penstock up"
DEBUG = "PENSTOCK_DEBUG"
"""Variable with which tracebacks are shown."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


class Problem(Exception):
    """fix: what to do about it; empty where the text says it already."""

    def __init__(self, text: str, fix: str = "", status: int = 1) -> None:
        self.text = text
        self.fix = fix
        self.status = status
        super().__init__(text)


def nearest(name: str, names: Iterable[str]) -> str:
    """A half sentence with the names that are like it, or all of a few; empty when there are none."""
    known = sorted(names)
    found = get_close_matches(name, known, 3, 0.5) or (known if len(known) <= 3 else [])
    return f"did you mean {' or '.join(found)}?" if found else ""


def reported(command: C) -> C:
    """Makes a command end with status 1 and a line for what goes wrong; with `--output json` the line is JSON."""

    @functools.wraps(command)
    def wrapped(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except typer.Exit:
            raise
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            _end(problem_of(error), is_json=options.get("output") == "json")

    return wrapped  # type: ignore[return-value]


def problem_of(error: Exception) -> Problem:
    """Any error as a user should hear of it."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, Unreachable):
        return Problem(f"penstock does not answer: {error.message}", NOT_RUNNING)
    if isinstance(error, KubeError):
        return Problem(error.message)
    if isinstance(error, Taken):
        return _taken(error)
    if isinstance(error, HomeError | OSError):
        return Problem(str(error))
    return Problem(f"this is a defect: {type(error).__name__}: {error}", f"{DEBUG}=1 in the environment shows where")


def _taken(error: Taken) -> Problem:
    """Where the first one runs."""
    one = error.running
    if one is None:
        return Problem("penstock is being started here by somebody else", "wait a moment, or end it: penstock down")
    return Problem(
        f"penstock runs already: process {one.pid}, port {one.port}, state in {one.state}",
        "end it: penstock down; or start another one: penstock up --state-dir DIR --port PORT",
    )


def _end(problem: Problem, *, is_json: bool) -> NoReturn:
    if is_json:
        line = msgspec.json.encode({"error": problem.text, "fix": problem.fix}).decode()
    else:
        line = f"penstock: {problem.text}" + (f"\n  {problem.fix}" if problem.fix else "")
    print(line, file=sys.stderr)
    raise typer.Exit(problem.status)
