"""Story: one service on one machine: from zero, burst, growth, canary, rollback, and back to zero.

It types the commands that a person would, into folders of its own, and asks
the service all the while. The exit status is 1 when a request was not
answered, or when something went otherwise than it was told.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loadtests.demo import DemoError, check, say, title
from loadtests.sidecar import BINARY

NAME = "hello"
HOST = f"{NAME}.default.localhost"
WINDOW_S = 6
PATIENCE_S = 60.0
BURST = 20
BURST_MS = 500
CALLERS = 6
GROWTH_S = 8
STEPS, STEP_S = (10, 50, 100), 3
LOOK_S = 0.5
BAR = 30
PHASES = {
    "queued": "held at the gateway, beside what follows",
    "decided": "the autoscaler hears of it, and wants a pod",
    "created": "the node starts the sidecar and the app",
    "started": "the app comes up, until it listens",
    "ready": "the sidecar listens too, and the gateway is told",
    "forwarded": "to the app, until its answer begins",
}
"""Of a cold start, as Server-Timing has them."""


class Story:
    """One run, in a folder that goes away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.app = folder / "app"
        self.app.mkdir()
        shutil.copy(Path(__file__).with_name("story_app.py"), self.app / "app.py")
        (folder / "run").mkdir(mode=0o700)
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "XDG_STATE_HOME": str(folder / "state"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }  # fmt: skip
        self.port = 0
        self.statuses: Counter[str] = Counter()
        self._lock = threading.Lock()

    def penstock(self, *words: object, shown: bool = True) -> str:
        """One command, printed as it would be typed. Raises DemoError when it fails."""
        if shown:
            say(f"$ penstock {' '.join(map(str, words))}")
        argv = [str(BINARY.with_name("penstock")), *map(str, words)]
        done = subprocess.run(
            argv, env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        check(done.returncode == 0, f"penstock {words[0]} ends well: {done.stderr.strip()}")
        return done.stdout

    def asked(self, *words: object) -> Any:
        return json.loads(self.penstock(*words, "-o", "json", shown=False))

    def pods(self) -> tuple[int, int]:
        """Ready and starting, of all revisions."""
        found = self.asked("explain", NAME)["revisions"]
        return sum(one["pods_ready"] for one in found), sum(one["pods_starting"] for one in found)

    def get(self, path: str = "/") -> tuple[str, str, float]:
        """Revision, Server-Timing and seconds of one request; every answer counts."""
        began_s = time.monotonic()
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            conn.request("GET", path, headers={"Host": HOST})
            answer = conn.getresponse()
            body = answer.read().decode()
            what, timing = str(answer.status), answer.headers.get("Server-Timing", "")
        except (OSError, http.client.HTTPException) as error:
            what, body, timing = type(error).__name__, "", ""
        finally:
            conn.close()
        with self._lock:
            self.statuses[what] += 1
        return body, timing, time.monotonic() - began_s

    @contextmanager
    def load(self, path: str) -> Iterator[Counter[str]]:
        """Callers who ask on and on; answers by revision."""
        seen: Counter[str] = Counter()
        over = threading.Event()

        def ask_on() -> None:
            while not over.is_set():
                revision = self.get(path)[0]
                with self._lock:
                    seen[revision] += 1

        threads = [threading.Thread(target=ask_on) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def until_zero(self) -> float:
        """Seconds until no pod is left. Raises DemoError."""
        began_s = time.monotonic()
        while self.pods() != (0, 0):
            check(time.monotonic() - began_s < PATIENCE_S, "the service comes back to zero")
            time.sleep(LOOK_S)
        return time.monotonic() - began_s

    def deploy(self, *more: object) -> str:
        window = f"autoscaling.knative.dev/window={WINDOW_S}s"
        words = ("deploy", "app", "--name", NAME, "--concurrency", 1, "--annotation", window, *more)
        return self.penstock(*words).splitlines()[0]

    def begin(self) -> None:
        title("1. Everything on one machine, one command")
        began_s = time.monotonic()
        self.port = json.loads(self.penstock("up", "--detach", "--port", 0, "-o", "json"))["port"]
        say(f"ready after {time.monotonic() - began_s:.1f} s: API server, controllers, autoscaler, node, gateway")
        say(self.deploy())
        say(f"no request comes: at zero {self.until_zero():.1f} s later")

    def from_zero(self) -> None:
        title("2. A request to nothing: it is held, a pod is made, it is answered")
        revision, timing, took_s = self.get()
        say(f"answered by {revision} after {took_s * 1000:.0f} ms, the start of a Python app included:")
        phases = {name: float(ms) for name, _, ms in (one.strip().partition(";dur=") for one in timing.split(","))}
        check(list(phases) == list(PHASES), f"the answer says what it waited for: {timing!r}")
        longest = max(phases.values())
        for name, ms in phases.items():
            say(f"  {name:<9} {ms:7.1f} ms  {'#' * round(BAR * ms / longest):<{BAR}}  {PHASES[name]}")
        rest = took_s * 1000 - sum(phases.values())
        say(f"  all of it {sum(phases.values()):7.1f} ms, and {rest:.1f} ms on the way from the caller and back")

    def burst(self) -> None:
        title(f"3. {BURST} requests at once, {BURST_MS} ms each, a pod runs one at a time")
        threads = [threading.Thread(target=self.get, args=(f"/takes/{BURST_MS}",)) for _ in range(BURST)]
        self._watch(threads)

    def growth(self) -> None:
        title(f"4. {CALLERS} callers who ask on and on, then nobody")
        with self.load("/takes/100") as seen:
            for _ in range(GROWTH_S):
                time.sleep(1)
                ready, starting = self.pods()
                say(f"{'#' * ready}{'.' * starting}  {ready} ready, {starting} starting, {seen.total()} answered")

    def canary(self) -> None:
        steps = ",".join(map(str, STEPS))
        title(f"5. A new revision gets {steps} % of the requests, step by step")
        say(self.deploy("--env", "NEW=yes", "--no-traffic"))
        with self.load("/takes/20") as seen:
            words = ("traffic", NAME, "--canary", steps, "--step", f"{STEP_S}s")
            moving = threading.Thread(target=self.penstock, args=words)
            moving.start()
            while moving.is_alive():
                before = seen.copy()
                moving.join(1)
                new = seen - before
                share = 100 * new[f"{NAME}-00002"] / max(1, new.total())
                say(f"{share:3.0f} % of {new.total()} answers in the last second came from {NAME}-00002")
        check(self.get()[0] == f"{NAME}-00002", "the new revision has everything")

    def rollback(self) -> None:
        title("6. Back again, and why things are as they are")
        say(self.penstock("traffic", NAME, "--rollback").strip())
        check(self.get()[0] == f"{NAME}-00001", "the old revision has everything again")
        for line in self.penstock("explain", NAME).splitlines():
            say(line)

    def leave(self) -> None:
        title("7. Nobody asks any more")
        say(f"at zero after {self.until_zero():.1f} s (the window is {WINDOW_S} s)")
        failed = self.statuses.total() - self.statuses["200"]
        check(not failed, f"every request is answered: {dict(self.statuses)}")
        say(f"{self.statuses['200']} requests, 0 of them failed.")

    def _watch(self, threads: list[threading.Thread]) -> None:
        """Starts them together, and shows the pods until the last one has ended."""
        began_s = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(LOOK_S)
            ready, starting = self.pods()
            waiting = sum(thread.is_alive() for thread in threads)
            bar = "#" * ready + "." * starting
            took_s = time.monotonic() - began_s
            say(f"{took_s:4.1f} s  {bar:<{BURST}}  {ready} ready, {starting} starting, {waiting} unanswered")


def main() -> int:
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="penstock-story-") as folder:
        story = Story(Path(folder))
        try:
            for part in (
                story.begin, story.from_zero, story.burst, story.growth, story.canary, story.rollback, story.leave,
            ):  # fmt: skip
                part()
        except (DemoError, OSError) as error:
            log = Path(folder, "state/penstock/penstock.log")
            print(f"\nstory: {error}\n{log.read_text()[-4000:] if log.exists() else ''}", file=sys.stderr)
            return 1
        finally:
            story.penstock("down", shown=False)
    print(f"\nAll of this took {time.monotonic() - began_s:.0f} s. Next: penstock up, make test, README.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
