"""Command: runs the endurance programs, prints what they counted, and judges it.

Usage  python -m loadtests.endure [ONLY=random,abort,fixed-50ms,fixed-5s,abandoned]
                                  [COUNT=requests] [SECONDS=s] [PROXY=peer]

COUNT     requests of `random` and `abort` together (default 1,000,000)
SECONDS   duration of `abandoned` (default 600) and of `fixed-5s` (a tenth of it, at least 20)
PROXY     what stands between: penstock, or a peer of loadtests.compare to compare with
Exits 1 when a promise is broken.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

from loadtests.compare.callers import get, raise_file_limit
from loadtests.compare.load import LoadError
from loadtests.compare.peers import PEERS, Running, Setup
from loadtests.endure.memory import Grown, Watch
from loadtests.process import Process, ProcessError, end_on_term, free_port
from loadtests.settings import Settings
from loadtests.tools import ToolError, tool

SLOTS = 10
METRICS_PORT = 9091
PULSE_CALLERS = 200
# pulses after which a pool has had every chance to learn an idle time
LEARNING_PULSES = 10


class Promise(Exception):
    """A promise of the endurance tests that did not hold."""


def race(proxy: str, *words: str) -> dict[str, Any]:
    """Runs the race program behind a fresh proxy; returns its counts."""
    app_port = free_port()
    with Running(PEERS[proxy], Setup(), app_port) as running:
        argv = [str(tool("race")), "-app", f"127.0.0.1:{app_port}", "-proxy", f"{running.address}:{running.port}"]
        with Process([*argv, *words]) as load:
            status = load.wait()
            if status:
                raise ProcessError(f"race ended with {status}: {load.output().strip()}")
            running.process.check()
            seen: dict[str, Any] = json.loads(load.output().splitlines()[-1])
        _show(seen)
        _show_retries(running)
        return seen


def _show(seen: dict[str, Any]) -> None:
    for name, value in seen.items():
        if not isinstance(value, dict):
            print(f"  {name.replace('_', ' ')}: {round(value, 2):,}")
            continue
        print(f"  {name.replace('_', ' ')}: {'none' if not value else ''}")
        for cause, count in sorted(value.items(), key=lambda item: -item[1]):
            print(f"    {count:>9,}  {cause}")


def _show_retries(running: Running) -> None:
    if running.peer.name != "penstock":
        return
    text = get(running.address, METRICS_PORT, "/metrics").decode()
    for line in text.splitlines():
        if line.startswith("penstock_") and ("retr" in line or "pool" in line):
            print(f"  {line}")


def _none_failed(seen: dict[str, Any], *methods: str) -> None:
    for method in methods:
        if seen["failed_after_learning"].get(method):
            raise Promise(f"{seen['failed_after_learning'][method]} {method} failed")


def _none_twice(seen: dict[str, Any]) -> None:
    if seen["post_executed_twice"]:
        raise Promise(f"{seen['post_executed_twice']} POST were executed twice")


def random_closes(proxy: str, count: int, seconds: float) -> None:
    """An app that closes idle connections after 0 to 50 ms: no GET fails, no POST runs twice."""
    seen = race(proxy, "-random", "-after", "50ms", "-count", str(count * 9 // 10))
    _none_failed(seen, "GET")
    _none_twice(seen)


def aborts(proxy: str, count: int, seconds: float) -> None:
    """The same, and 1 % of all requests are executed and then reset: no POST runs twice."""
    seen = race(proxy, "-random", "-after", "50ms", "-abort", "0.01", "-count", str(count // 10))
    _none_twice(seen)


def fixed_50ms(proxy: str, count: int, seconds: float) -> None:
    """An app that closes after 50 ms, and callers that come about then: once learnt, nothing fails."""
    learn = PULSE_CALLERS * LEARNING_PULSES
    words = ("-after", "50ms", "-pulse", "-callers", str(PULSE_CALLERS), "-learn", str(learn))
    seen = race(proxy, *words, "-count", str(max(learn * 2, count // 10)))
    _none_failed(seen, "GET", "POST")
    _none_twice(seen)


def fixed_5s(proxy: str, count: int, seconds: float) -> None:
    """The same with 5 s."""
    pulses = max(4, int(seconds / 10 / 5))
    words = ("-after", "5s", "-pulse", "-callers", str(PULSE_CALLERS), "-learn", str(PULSE_CALLERS * 2))
    seen = race(proxy, *words, "-count", str(PULSE_CALLERS * (pulses + 2)))
    _none_failed(seen, "GET", "POST")
    _none_twice(seen)


def abandoned(proxy: str, count: int, seconds: float) -> None:
    """Callers that give up after 50 ms before an app that takes 5 s, limit 10: RSS flat, no slot lost."""
    app_port = free_port()
    with Running(PEERS[proxy], Setup(limit=SLOTS), app_port) as running:
        argv = [str(tool("abandon")), "-app", f"127.0.0.1:{app_port}", "-proxy", f"{running.address}:{running.port}"]
        with Process([*argv, "-slots", str(SLOTS), "-seconds", f"{seconds:g}"]) as load:
            stop = threading.Event()
            watch = Watch(running.process, stop, every_s=min(1.0, seconds / 40))
            status = load.wait()
            stop.set()
            watch.join()
            if status:
                raise ProcessError(f"abandon ended with {status}: {load.output().strip()}")
            running.process.check()
            seen: dict[str, Any] = json.loads(load.output().splitlines()[-1])
    _show(seen)
    print(f"  RSS: {watch.summary()}")
    if seen["slots_served_at_once"] != SLOTS:
        raise Promise(f"{seen['slots_served_at_once']} of {SLOTS} slots serve afterwards")
    if seen["most_at_once_in_the_check"] > SLOTS:
        raise Promise(f"{seen['most_at_once_in_the_check']} requests ran at once, above the limit of {SLOTS}")
    watch.judge()


PROGRAMS: dict[str, Callable[[str, int, float], None]] = {
    "random": random_closes,
    "abort": aborts,
    "fixed-50ms": fixed_50ms,
    "fixed-5s": fixed_5s,
    "abandoned": abandoned,
}


def main() -> int:
    settings = Settings(
        "loadtests.endure",
        {"ONLY": ",".join(PROGRAMS), "COUNT": "1000000", "SECONDS": "600", "PROXY": "penstock"},
        numbers=("COUNT", "SECONDS"),
        words={"ONLY": PROGRAMS, "PROXY": PEERS},
    ).read()
    proxy = settings.text("PROXY")
    if not settings.problems and PEERS[proxy].missing():
        settings.problems.append(PEERS[proxy].missing())
    if settings.complain():
        return 2
    end_on_term()
    raise_file_limit()
    broken = 0
    for name in settings.words("ONLY"):
        print(f"{name}: {PROGRAMS[name].__doc__}", flush=True)
        try:
            PROGRAMS[name](proxy, settings.number("COUNT"), float(settings.number("SECONDS")))
        except (Promise, Grown, ProcessError, ToolError, LoadError, OSError) as e:
            broken += 1
            print(f"  BROKEN: {e}", flush=True)
            continue
        print("  held", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
