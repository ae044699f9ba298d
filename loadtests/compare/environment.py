"""Environment: the machine and the versions that made a result."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

from loadtests.compare.peers import Peer


def cpu_model() -> str:
    """The processor, as the kernel names it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def describe(peers: list[Peer]) -> dict[str, object]:
    """CPU, kernel, memory, load and versions, ready for JSON."""
    memory_kib = int(Path("/proc/meminfo").read_text().split()[1])
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "memory_mib": memory_kib // 1024,
        "kernel": platform.release(),
        "machine": platform.machine(),
        "load_average_at_start": os.getloadavg()[0],
        "commit": commit,
        "versions": {peer.name: peer.version() for peer in peers},
    }
