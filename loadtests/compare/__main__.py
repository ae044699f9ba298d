"""Command: runs the side-by-side bench and prints its tables.

Usage  python -m loadtests.compare [QUICK=1] [ONLY=case,case] [PEERS=peer,peer]
                                   [ROUNDS=n] [SECONDS=s]

Each may be an argument or an environment variable.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from loadtests.compare import counting, environment, footprint, latency, report, throughput
from loadtests.compare.bench import US, Bench, Case
from loadtests.compare.callers import raise_file_limit
from loadtests.compare.figures import FIGURES
from loadtests.compare.latency import DIRECT
from loadtests.compare.load import LoadError
from loadtests.compare.peers import PEERS, Peer
from loadtests.process import ProcessError, end_on_term
from loadtests.tools import ToolError

RESULTS = Path(__file__).parent.parent / "results"
SETTINGS = ("QUICK", "ONLY", "PEERS", "ROUNDS", "SECONDS")
ALL: list[Case] = [*throughput.CASES, *latency.CASES, *footprint.CASES, *counting.CASES]
CASES = {case.name: case for case in ALL}


def read_settings(arguments: list[str], environ: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """NAME=value from the environment and, above it, from the arguments; and all problems found."""
    settings = {name: environ[name] for name in SETTINGS if environ.get(name)}
    problems = []
    for argument in arguments:
        name, sign, value = argument.partition("=")
        if not sign or name not in SETTINGS:
            problems.append(f"{argument!r} is not one of {', '.join(f'{s}=…' for s in SETTINGS)}")
        else:
            settings[name] = value
    for name, known in (("ONLY", CASES), ("PEERS", PEERS)):
        for word in filter(None, settings.get(name, "").split(",")):
            if word not in known:
                problems.append(f"{name}: {word!r} is unknown; use {', '.join(known)}")
    for name in ("ROUNDS", "SECONDS"):
        value = settings.get(name, "1")
        if not value.isdecimal() or int(value) < 1:
            problems.append(f"{name}: {value!r} is not a whole number above 0")
    return settings, problems


def choose_peers(words: str) -> list[Peer]:
    """The peers to run, in the order of the table; those that are missing here are named and left out."""
    names = words.split(",") if words else list(PEERS)
    chosen = []
    for name, peer in PEERS.items():
        if name not in names:
            continue
        why = peer.missing()
        if why:
            print(f"without {name}: {why}", flush=True)
        else:
            chosen.append(peer)
    return chosen


def quick_choice() -> dict[str, set[str]]:
    """By case: us, nginx, and the peers that a figure names. Cases that are quick anyway keep all peers."""
    chosen: dict[str, set[str]] = {
        case.name: {US, "nginx", DIRECT, *(figure.peer for figure in FIGURES if figure.case == case.name)}
        for case in (*throughput.CASES, *latency.CASES)
    }
    chosen["keepalive-64"].update(PEERS)
    chosen["limiter"].add("haproxy")
    chosen["h1-h2c"].add("haproxy")
    return chosen


def main() -> int:
    settings, problems = read_settings(sys.argv[1:], dict(os.environ))
    if problems:
        print("\n".join(f"loadtests.compare: {problem}" for problem in problems), file=sys.stderr)
        return 2
    quick = settings.get("QUICK", "0") not in ("0", "")
    bench = Bench(
        choose_peers(settings.get("PEERS", "")),
        rounds=int(settings.get("ROUNDS", 3 if quick else 6)),
        seconds=float(settings.get("SECONDS", 1 if quick else 2)),
        quick=quick,
        beside=quick_choice() if quick and not settings.get("PEERS") else {},
        say=lambda line: print(line, flush=True),
    )
    end_on_term()
    raise_file_limit()
    about = environment.describe(bench.peers)
    only = settings.get("ONLY", "")
    started = time.monotonic()
    for name in only.split(",") if only else CASES:
        bench.say(f"[{time.monotonic() - started:4.0f} s] {CASES[name].title}")
        try:
            CASES[name].run(bench)
        except (LoadError, ProcessError, ToolError, OSError) as e:
            bench.fail(name, "all", e)
    partial = bool(only or settings.get("PEERS"))
    report.show(bench, {name: case.title for name, case in CASES.items()}, whole=not partial)
    path = RESULTS / f"compare-{'partial' if partial else 'quick' if quick else 'full'}.json"
    report.write(bench, about, path)
    print(f"{time.monotonic() - started:.0f} s; every round stands in loadtests/results/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
