"""Command: runs the side-by-side bench and prints its tables.

Usage  python -m loadtests.compare [QUICK=1] [ONLY=case,case] [PEERS=peer,peer]
                                   [ROUNDS=n] [SECONDS=s]

Each may be an argument or an environment variable.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from loadtests.compare import (
    activator,
    coldstart,
    counting,
    environment,
    footprint,
    gateway,
    latency,
    report,
    throughput,
    wholepath,
)
from loadtests.compare.bench import US, Bench, Case
from loadtests.compare.callers import raise_file_limit
from loadtests.compare.figures import FIGURES
from loadtests.compare.latency import DIRECT
from loadtests.compare.load import LoadError
from loadtests.compare.peers import PEERS, Peer
from loadtests.process import ProcessError, end_on_term
from loadtests.settings import Settings
from loadtests.tools import ToolError

RESULTS = Path(__file__).parent.parent / "results"
ALL: list[Case] = [
    *throughput.CASES, *latency.CASES, *footprint.CASES, *counting.CASES,
    *gateway.CASES, *activator.CASES, *wholepath.CASES, *coldstart.CASES,
]  # fmt: skip
CASES = {case.name: case for case in ALL}


def choose_peers(names: list[str]) -> list[Peer]:
    """The peers to run, in the order of the table; those that are missing here are named and left out."""
    chosen = []
    for name, peer in PEERS.items():
        if names and name not in names:
            continue
        why = peer.missing()
        if why:
            print(f"without {name}: {why}", flush=True)
        else:
            chosen.append(peer)
    return chosen


def quick_choice() -> dict[str, set[str]]:
    """By case: us, nginx, and the peers that a figure names. Cases that are short anyway keep all peers."""
    chosen: dict[str, set[str]] = {
        case.name: {US, "nginx", DIRECT, *(figure.peer for figure in FIGURES if figure.case == case.name)}
        for case in (*throughput.CASES, *latency.CASES, footprint.Memory())
    }
    chosen["keepalive-64"].update(PEERS)
    chosen["limiter"].add("haproxy")
    chosen["h1-h2c"].add("haproxy")
    return chosen


def main() -> int:
    settings = Settings(
        "loadtests.compare",
        {"QUICK": "0", "ONLY": "", "PEERS": "", "ROUNDS": "", "SECONDS": ""},
        numbers=("ROUNDS", "SECONDS"),
        words={"ONLY": CASES, "PEERS": PEERS, "QUICK": ("0", "1")},
    ).read()
    if settings.complain():
        return 2
    quick = settings.text("QUICK") == "1"
    bench = Bench(
        choose_peers(settings.words("PEERS")),
        rounds=settings.number("ROUNDS") if settings.given("ROUNDS") else 3 if quick else 6,
        seconds=settings.number("SECONDS") if settings.given("SECONDS") else 1 if quick else 2,
        quick=quick,
        beside=quick_choice() if quick and not settings.given("PEERS") else {},
        say=lambda line: print(line, flush=True),
    )
    end_on_term()
    raise_file_limit()
    about = environment.describe(bench.peers)
    started = time.monotonic()
    for name in settings.words("ONLY") or CASES:
        bench.say(f"[{time.monotonic() - started:4.0f} s] {CASES[name].title}")
        try:
            CASES[name].run(bench)
        except (LoadError, ProcessError, ToolError, OSError) as e:
            bench.fail(name, "all", e)
    partial = settings.given("ONLY") or settings.given("PEERS")
    report.show(bench, {name: case.title for name, case in CASES.items()}, whole=not partial)
    path = RESULTS / f"compare-{'partial' if partial else 'quick' if quick else 'full'}.json"
    report.write(bench, about, path)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f"The run took {minutes} min {seconds} s; every round stands in loadtests/results/{path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
