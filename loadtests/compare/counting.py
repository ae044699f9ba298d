"""Counting: system calls and instructions for each request, which no noise can change."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

from loadtests.compare.bench import Bench, Case
from loadtests.compare.load import LoadError, wrk
from loadtests.compare.peers import Peer, Running, Setup
from loadtests.origin.server import Origin
from loadtests.tools import program

CONNECTIONS = 64
TOP = 6


class Syscalls:
    """A case: system calls of a proxy under 64 connections, by `strace -c -f`.

    Records calls (for each request), and notes the most frequent ones.
    """

    name = "syscalls"
    title = "system calls per request, 64 connections"

    def run(self, bench: Bench) -> None:
        """Each peer as often as the run asks."""
        setup = Setup(floor=True)
        with Origin(cpu=bench.load_cpu) as origin, bench.running(self.name, setup, origin.port) as running:
            for _ in range(bench.few):
                for name, proxy in running.items():
                    bench.try_round(self.name, name, partial(self._round, bench, proxy), ("calls",))

    def _round(self, bench: Bench, proxy: Running) -> dict[str, float]:
        counted = proxy.place.dir / "strace"
        argv = [program("strace"), "-c", "-f", "-o", str(counted)]
        for pid in proxy.process.pids():
            argv += ["-p", str(pid)]
        tracer = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_traced(proxy.process.pid)
            url = f"http://{proxy.address}:{proxy.port}/"
            load = wrk(url, connections=CONNECTIONS, seconds=max(2, bench.seconds), cpu=bench.load_cpu)
        finally:
            tracer.send_signal(signal.SIGINT)
            tracer.wait()
        if not load.requests:
            raise LoadError("no request was answered")
        calls = _read_strace(counted.read_text())
        total = sum(calls.values())
        often = sorted(calls.items(), key=lambda item: -item[1])[:TOP]
        words = ", ".join(f"{name} {count / load.requests:.2f}" for name, count in often)
        bench.notes[f"{self.name}: {proxy.peer.name}"] = words
        return {"calls": total / load.requests}


def _wait_traced(pid: int, timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        traced = re.search(r"TracerPid:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
        if traced and traced.group(1) != "0":
            return
        time.sleep(0.01)
    raise LoadError("strace could not attach")


def _read_strace(text: str) -> dict[str, int]:
    """The rows of strace's summary: name of the call and how often it was made."""
    calls = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 5 and words[0].replace(".", "").isdigit() and words[-1] != "total":
            calls[words[-1]] = int(words[3])
    return calls


class Instructions:
    """A case: instructions in user space for each request, by callgrind.

    Records instructions. Envoy and Go are left out: the one takes minutes to
    start under valgrind, the other brings its own scheduler and stacks.
    """

    name = "instructions"
    title = "instructions per request, 64 connections"

    def run(self, bench: Bench) -> None:
        """Once for each peer; the count hardly varies."""
        with Origin(cpu=bench.load_cpu) as origin:
            for peer in bench.peers_of(self.name):
                if peer.name not in ("envoy", "go"):
                    measure = partial(self._one, bench, peer, origin.port)
                    bench.try_round(self.name, peer.name, measure, ("instructions",))

    def _one(self, bench: Bench, peer: Peer, origin_port: int) -> dict[str, float]:
        grind = (
            program("valgrind"),
            "--tool=callgrind",
            "--instr-atstart=no",
            "--trace-children=yes",
            "--callgrind-out-file=@DIR@/callgrind.%p",
        )
        setup = Setup(floor=True, master=False)
        with Running(peer, setup, origin_port, cpu=bench.proxy_cpu, wrap=grind) as proxy:
            proxy.wait_ready(60)
            url = f"http://{proxy.address}:{proxy.port}/"
            wrk(url, connections=CONNECTIONS, seconds=1, cpu=bench.load_cpu)
            _control(proxy, "-i", "on")
            load = wrk(url, connections=CONNECTIONS, seconds=2, cpu=bench.load_cpu)
            _control(proxy, "-i", "off")
            _control(proxy, "--dump")
            counted = sum(_read_totals(path) for path in proxy.place.dir.glob("callgrind.*"))
        if not load.requests or not counted:
            raise LoadError(f"{load.requests} requests and {counted} instructions were counted")
        return {"instructions": counted / load.requests}


def _control(proxy: Running, *words: str) -> None:
    argv = [program("callgrind_control"), *words, str(proxy.process.pid)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise LoadError(f"callgrind_control: {done.stderr.strip() or done.stdout.strip()}")


def _read_totals(path: Path) -> int:
    """Instructions of one file of callgrind; a process that was never counted has none."""
    return sum(int(number) for number in re.findall(r"^totals: (\d+)", path.read_text(), re.MULTILINE))


CASES: list[Case] = [Syscalls(), Instructions()]
