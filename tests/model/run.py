"""Checks limiter.pml and roster.pml with spin, exhaustively, and prints how many states there were.

    python -m tests.model.run            all cases, about a minute
    python -m tests.model.run --quick    the small ones

Needs spin and gcc. Exit status 1 when a case finds an error, or runs out of
depth or memory, which would leave it unproved.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).parent
DEPTH = 1_000_000
MEMORY_MB = 1500


class Case:
    """One size of the model, and what is checked.

    sizes      constants of the model that differ from its own.
    progress   checks that no loop turns for ever, not the assertions alone.
    quick      small enough for every run of the tests.
    model      "limiter" or "roster".
    """

    def __init__(
        self,
        name: str,
        sizes: dict[str, object],
        *,
        progress: bool = False,
        quick: bool = False,
        model: str = "limiter",
    ) -> None:
        self.name = name
        self.model = FOLDER / f"{model}.pml"
        self.sizes = sizes
        self.progress = progress
        self.quick = quick


class Outcome:
    """What spin said: `errors` found, `states` stored, and the first complaint."""

    def __init__(self, errors: int, states: int, complaint: str) -> None:
        self.errors = errors
        self.states = states
        self.complaint = complaint


CASES = (
    Case("2 workers, 2 tickets", {"TICKETS": 2, "RESIZES": 0}, quick=True),
    Case("3 workers", {"WORKERS": 3, "TICKETS": 1, "RESIZES": 0}, quick=True),
    Case("2 workers, 2 tickets, progress", {"TICKETS": 2, "RESIZES": 0}, progress=True, quick=True),
    Case("2 workers, 2 tickets, resized", {"TICKETS": 2, "RESIZES": 1}),
    Case("2 workers, resized twice, tickets used 3 times", {"TICKETS": 1, "USES": 3, "RESIZES": 2}),
    Case("3 workers, resized", {"WORKERS": 3, "TICKETS": 1, "RESIZES": 1}),
    Case(
        "3 workers, 2 slots, 1 place, tickets used twice",
        {"WORKERS": 3, "TICKETS": 1, "USES": 2, "RESIZES": 0, "CAPACITY": 2, "WAITING_MAX": 1},
    ),
    Case("3 workers, resized, progress", {"WORKERS": 3, "TICKETS": 1, "RESIZES": 1}, progress=True),
    Case("3 workers, sent back", {"WORKERS": 3, "TICKETS": 1, "RESIZES": 0, "RETURNS": 1}, quick=True),
    Case("2 workers, 2 tickets, sent back", {"TICKETS": 2, "RESIZES": 0, "RETURNS": 1}),
    Case("2 workers, resized, sent back twice", {"TICKETS": 1, "RESIZES": 1, "RETURNS": 2}),
    Case("2 members, 2 requests", {"REQUESTS": 2}, quick=True, model="roster"),
    Case("2 members, 2 requests, 3 changes, 2 refusals", {"REQUESTS": 2, "CHANGES": 3, "REFUSALS": 2}, model="roster"),
    Case("2 members, 3 requests", {}, model="roster"),
    Case("2 members, 3 requests, 2 slots each, no refusal", {"CAPACITY": 2, "REFUSALS": 0}, model="roster"),
)


def check(case: Case) -> Outcome:
    """Translates, compiles and runs one case in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        sizes = [f"-D{name}={value}" for name, value in case.sizes.items()]
        step(["spin", *sizes, "-a", str(case.model)], folder)
        kind = "-DNP" if case.progress else "-DSAFETY"
        step(["gcc", "-O2", "-w", kind, "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"], folder)
        said = step(["./pan", f"-m{DEPTH}", *(["-l"] if case.progress else [])], folder)
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"(\S+) states, stored", said)
    complaint = re.search(r"^pan:\d+: (.*)$", said, re.MULTILINE)
    unfinished = re.search(r"max search depth too small|reached memory bound|Search not completed", said)
    if errors is None or states is None or (unfinished and errors[1] == "0"):
        raise SystemExit(f"{case.name}: the search was not completed\n{said}")
    return Outcome(int(errors[1]), int(float(states[1])), complaint[1] if complaint else "")


def step(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main(arguments: list[str]) -> int:
    missing = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)}")
    failed = 0
    total = 0
    for case in CASES:
        if "--quick" in arguments and not case.quick:
            continue
        began = time.monotonic()
        outcome = check(case)
        failed += outcome.errors
        total += outcome.states
        verdict = f"{outcome.errors} errors: {outcome.complaint}" if outcome.errors else "no error"
        print(f"{case.name:<50} {outcome.states:>10,} states  {time.monotonic() - began:5.1f} s  {verdict}", flush=True)
    print(f"{'limiter and roster':<50} {total:>10,} states           {'FAILED' if failed else 'no error'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
