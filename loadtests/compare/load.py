"""Load: what a client drove through a proxy, and which client does it.

wrk and h2load are closed loops at full speed; caller (ours) is the open loop, and the closed one of an exact count.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from loadtests.tools import program, tool


class LoadError(Exception):
    """A load client could not do its work; carries its words."""


class Load:
    """One stretch of load: requests that were answered, answers in a second, failures."""

    __slots__ = ("failed", "percentiles_us", "rate", "requests")

    def __init__(self, requests: int, rate: float, failed: int, percentiles_us: dict[str, float] | None = None) -> None:
        self.requests = requests
        self.rate = rate
        self.failed = failed
        self.percentiles_us = percentiles_us or {}


def _run(argv: list[str], cpu: int | None, timeout_s: float) -> str:
    pinned = ["taskset", "-c", str(cpu)] if cpu is not None else []
    try:
        done = subprocess.run([*pinned, *argv], capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as e:
        raise LoadError(f"{Path(argv[0]).name} {argv[-1]}: not done after {timeout_s:g} s") from e
    if done.returncode:
        words = " ".join(f"{done.stderr} {done.stdout}".split())
        raise LoadError(f"{Path(argv[0]).name} {argv[-1]}: {words[:300]}")
    return done.stdout


def wrk(
    url: str,
    *,
    connections: int,
    seconds: float,
    cpu: int | None = None,
    close: bool = False,
    script: Path | None = None,
) -> Load:
    """Closed loop over HTTP/1.1 by wrk with one thread, for whole seconds.

    close   asks for a new connection each time
    script  a Lua file for wrk, for requests with a body
    """
    argv = [program("wrk"), "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s"]
    if close:
        argv += ["-H", "Connection: close"]
    if script is not None:
        argv += ["-s", str(script)]
    text = _run([*argv, url], cpu, seconds + 20)
    total = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", text)
    if total is None:
        raise LoadError(f"wrk printed no total: {text}")
    unit = {"ms": 0.001, "s": 1.0, "m": 60.0}[total.group(3)]
    failed = sum(int(n) for n in re.findall(r"Non-2xx or 3xx responses: (\d+)", text))
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    if sockets:
        failed += sum(int(n) for n in sockets.groups())
    requests = int(total.group(1))
    return Load(requests, requests / (float(total.group(2)) * unit), failed)


def h2load(url: str, *, connections: int, streams: int, seconds: float, cpu: int | None = None) -> Load:
    """Closed loop over HTTP/2 by prior knowledge, by h2load with one thread."""
    argv = [program("h2load"), "-t1", f"-c{connections}", f"-m{streams}", f"-D{max(1, round(seconds))}", url]
    text = _run(argv, cpu, seconds + 20)
    counts = re.search(r"(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    seconds_run = re.search(r"finished in ([\d.]+)(ms|s)", text)
    if counts is None or seconds_run is None:
        raise LoadError(f"h2load printed no total: {text}")
    done, succeeded, _, errored, timed_out = (int(n) for n in counts.groups())
    statuses = re.search(r"status codes: (\d+) 2xx", text)
    good = int(statuses.group(1)) if statuses else succeeded
    unit = {"ms": 0.001, "s": 1.0}[seconds_run.group(2)]
    # streams that the end of the run cuts short count as errored for h2load, not for us
    unanswered = max(0, errored + timed_out - connections * streams)
    rate = done / (float(seconds_run.group(1)) * unit)
    return Load(done, rate, max(0, done - good) + unanswered)


def open_loop(
    targets: list[str], path: str, *, rate: int, connections: int, seconds: float, cpu: int | None = None
) -> list[Load]:
    """Open loop: requests leave on a fixed schedule, whatever happened to those before.

    targets  `address:port` each; they are asked in turns of a quarter of a second, `seconds` each in all
    Latency counts from the moment that was planned, so a stall of the proxy is
    charged to every request that it held up (no coordinated omission).
    """
    argv = [str(tool("caller")), "open", path, str(rate), str(connections), f"{seconds:g}", *targets]
    loads = []
    for line in _run(argv, cpu, (seconds + 1) * len(targets) + 20).splitlines():
        seen = json.loads(line)
        percentiles = {key: float(seen[key]) for key in ("p50", "p90", "p99", "p99.9", "max")}
        loads.append(Load(int(seen["answered"]), rate, int(seen["failed"]), percentiles))
    return loads


def closed_loop(target: str, path: str, *, connections: int, skip: int, count: int, cpu: int | None = None) -> Load:
    """Closed loop whose rate is that of `count` answers after the first `skip`, to the microsecond."""
    argv = [str(tool("caller")), "closed", path, str(connections), str(skip), str(count), target]
    seen = json.loads(_run(argv, cpu, 60))
    if not seen["rate"]:
        raise LoadError(f"{seen['answered']} answers instead of {skip + count}, {seen['failed']} requests failed")
    return Load(int(seen["answered"]), float(seen["rate"]), int(seen["failed"]))
