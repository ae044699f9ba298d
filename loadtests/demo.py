"""Demo: a real app behind the sidecar, in half a minute, with every number read off the running processes.

It starts both, sends real requests, shows what each part is for, and ends
with a drain under load. Everything it started has ended when it returns.
The exit status is 1 when something went otherwise than it was told.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from dataplane.contract.ports import SERVING_PORT, STATS_PORT, USER_METRICS_PORT
from dataplane.contract.stat import decode
from loadtests.process import Process, own_address
from loadtests.sidecar import BINARY, environment

LIMIT = 2
WAITING = 10 * LIMIT
QUIET_S = 2
WORK_MS = 400
PATIENCE_S = 20.0
KUBELET = {"User-Agent": "kube-probe/1.30", "K-Network-Probe": "queue"}

Answer = tuple[int, "http.client.HTTPMessage", bytes]


class DemoError(Exception):
    """Something went otherwise than it should have."""


def check(is_so: bool, what: str) -> None:
    """Raises  DemoError that names what should have been so."""
    if not is_so:
        raise DemoError(what)


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def metric(page: str, name: str, label: str = "") -> float:
    """The sum of a family's samples that have this label."""
    samples = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
    return sum(float(value) for labels, value in samples if label in labels)


class App:
    """The app, in a process of its own."""

    def __init__(self) -> None:
        argv = [sys.executable, str(Path(__file__).with_name("demo_app.py"))]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


class Demo:
    """One run: the app, the sidecar before it, and what its callers saw."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.address = own_address()
        env = environment(
            address=self.address,
            port=SERVING_PORT,
            app_port=app.port,
            limit=LIMIT,
            extra={"PENSTOCK_QUIET_MS": str(1000 * QUIET_S), "SERVING_POD": "hello-00001-deployment-0"},
        )
        self.sidecar = Process([str(BINARY)], env=env)

    def get(self, path: str, headers: dict[str, str] | None = None, port: int = SERVING_PORT) -> Answer:
        """One request on a connection of its own."""
        conn = http.client.HTTPConnection(self.address, port, timeout=PATIENCE_S)
        try:
            conn.request("GET", path, headers=headers or {})
            response = conn.getresponse()
            return response.status, response.headers, response.read()
        finally:
            conn.close()

    def metrics(self) -> str:
        """The whole page of the metrics port."""
        return self.get("/metrics", port=USER_METRICS_PORT)[2].decode()

    def in_flight(self) -> tuple[int, int]:
        """How many requests run, and how many wait."""
        page = self.metrics()
        waiting = int(metric(page, "kn_serving_queue_depth"))
        return int(metric(page, "penstock_requests_in_flight")) - waiting, waiting

    def begin(self) -> None:
        """From exec until the platform is told that the app is ready."""
        began = self.sidecar.started
        self.sidecar.wait_listening(self.address, SERVING_PORT)
        check(self.get("/", KUBELET)[2] == b"queue", "the readiness probe is answered")
        took_ms = (time.monotonic() - began) * 1000
        title("1. A sidecar before an app, configured by Knative's environment alone")
        say(f"app      127.0.0.1:{self.app.port}, Python's own http.server, process {self.app.process.pid}")
        say(f"sidecar  {self.address}:{SERVING_PORT}, process {self.sidecar.pid}, CONTAINER_CONCURRENCY={LIMIT}")
        say(f"ready    {took_ms:.0f} ms after its exec it had probed the app and told the kubelet: queue")
        say(f"memory   {self.sidecar.rss_bytes() / 2**20:.1f} MiB resident")

    def first(self) -> None:
        title("2. A request, as the app sees it")
        sent = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "K-Original-Host": "hello.example"}
        status, _, body = self.get("/greeting?a=b", sent)
        seen = json.loads(body)
        headers = seen["headers"]
        check(status == 200 and headers["Host"] == "hello.example", "the host is the one that the caller asked for")
        say(f"status {status}; the app was asked for {seen['you asked for']} by {seen['by']}, and saw")
        for name in ("Host", "Forwarded", "X-Forwarded-For"):
            say(f"  {name}: {headers.get(name)}")
        say("Host comes from K-Original-Host, Forwarded (RFC 7239) from what the gateway sent.")

    def queue(self) -> None:
        callers = 10
        title(f"3. {callers} callers at once, {LIMIT} may run: the others wait, in order")
        statuses, threads = self.callers(callers, f"/takes/{WORK_MS}")
        began = time.monotonic()
        while any(thread.is_alive() for thread in threads):
            running, waiting = self.in_flight()
            bar = "#" * running + "." * waiting
            say(f"{time.monotonic() - began:4.1f} s  {bar:<{callers}}  {running} run, {waiting} wait")
            time.sleep(WORK_MS / 1000 / 2)
        took_s = time.monotonic() - began
        most = int(self.get("/most")[2])
        check(statuses == Counter({200: callers}), f"all are answered with 200: {dict(statuses)}")
        check(most == LIMIT, f"the app never saw more than {LIMIT} at once: {most}")
        ideal_s = callers / LIMIT * WORK_MS / 1000
        say(f"all {callers} answered in {took_s:.1f} s; the work alone takes {ideal_s:.1f} s.")
        say(f"The app counted for itself: never more than {most} at once.")

    def overflow(self) -> None:
        callers = 30
        room = LIMIT + WAITING
        title(f"4. {callers} callers at once: {LIMIT} run, {WAITING} wait, and the rest is told so at once")
        refusals: list[Answer] = []
        # the first ones take long enough for all others to arrive
        first, running = self.callers(LIMIT, "/takes/1000")
        while self.in_flight()[0] < LIMIT:
            time.sleep(0.01)
        others, waiting = self.callers(callers - LIMIT, "/takes/50", refusals)
        for thread in running + waiting:
            thread.join()
        statuses = first + others
        expected = Counter({200: room, 503: callers - room})
        check(statuses == expected, f"{dict(expected)} was expected, and {dict(statuses)} came")
        status, headers, body = refusals[0]
        say(f"{statuses[200]} x 200, {statuses[503]} x 503. A refusal says why, for people and for programs:")
        say(f"  {status} {body.decode().strip()}")
        for name in ("Retry-After", "Proxy-Status"):
            say(f"  {name}: {headers[name]}")

    def callers(
        self, count: int, path: str, refusals: list[Answer] | None = None
    ) -> tuple[Counter[int], list[threading.Thread]]:
        """Started together, each on a connection of its own; the counter is whole once the threads have ended."""
        statuses: Counter[int] = Counter()
        lock = threading.Lock()

        def call() -> None:
            answer = self.get(path)
            with lock:
                statuses[answer[0]] += 1
                if answer[0] == 503 and refusals is not None:
                    refusals.append(answer)

        threads = [threading.Thread(target=call) for _ in range(count)]
        for thread in threads:
            thread.start()
        return statuses, threads

    def stream(self, count: int, arrived: Callable[[float], None]) -> None:
        """Reads server-sent events; tells when each one came, in seconds since the request."""
        conn = http.client.HTTPConnection(self.address, SERVING_PORT, timeout=PATIENCE_S)
        began = time.monotonic()
        try:
            conn.request("GET", f"/clock/{count}")
            response = conn.getresponse()
            while line := response.readline():
                if line.startswith(b"data:"):
                    arrived(time.monotonic() - began)
        finally:
            conn.close()

    def events(self) -> None:
        title("5. A stream is not buffered: the app makes an event every 0.25 s")
        times: list[float] = []
        self.stream(6, times.append)
        check(len(times) == 6, f"six events come: {len(times)}")
        check(times[-1] - times[0] > 1, "they come one by one")
        say("events arrived after " + ", ".join(f"{t:.2f}" for t in times) + " s")

    def eyes(self) -> None:
        title("6. What the platform and its people see meanwhile")
        label = 'http_response_status_code="%d"'
        page = self.metrics()
        served, refused = (metric(page, "http_server_request_duration_seconds_count", label % n) for n in (200, 503))
        waits, waited_s = metric(page, "penstock_queued_total"), metric(page, "penstock_queued_time_seconds_total")
        threads = [threading.Thread(target=self.get, args=("/takes/2500",)) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(2.1)  # a whole window of the autoscaler lies in between
        stat = decode(self.get("/metrics", port=STATS_PORT)[2])
        for thread in threads:
            thread.join()
        say(f"port {USER_METRICS_PORT}, Prometheus: {served:.0f} requests with 200, {refused:.0f} with 503")
        check(waits > 0, "some requests have waited")
        say(f"  {waits:.0f} waited for a slot, {waited_s / waits * 1000:.0f} ms each on average")
        say(f"port {STATS_PORT}, the autoscaler's record of the last whole second, two requests running:")
        say(f"  {stat.pod_name}: {stat.average_concurrent_requests:.2f} at once, up {stat.process_uptime:.0f} s")

    def leave(self) -> None:
        title("7. TERM under load: nothing is cut")
        say(f"6 callers ask on and on, a stream of 5 s is open. TERM, and a quiet time of {QUIET_S} s (Knative: 30).")
        events: list[float] = []
        stream = threading.Thread(target=self.stream, args=(20, events.append))
        stream.start()
        statuses: Counter[str] = Counter()
        over = threading.Event()
        threads = [threading.Thread(target=self.ask_on, args=(statuses, over)) for _ in range(6)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        before, cpu = statuses["200"], self.sidecar.cpu()
        time.sleep(1)
        used = self.sidecar.cpu().since(cpu).total_ns / 1000 / max(1, statuses["200"] - before)
        say(f"Until then each request costs the sidecar {used:.0f} us of CPU, kernel included.")
        began = time.monotonic()
        os.kill(self.sidecar.pid, signal.SIGTERM)
        while self.get("/", KUBELET)[0] != 503:
            time.sleep(0.01)
        say(f"{time.monotonic() - began:4.2f} s  probes are told 503: {self.get('/', KUBELET)[2].decode().strip()}")
        time.sleep(1.5)
        over.set()
        for thread in threads:
            thread.join()
        say(f"{time.monotonic() - began:4.2f} s  callers have moved on: {statuses['200']} requests answered")
        stream.join()
        say(f"{time.monotonic() - began:4.2f} s  the stream has ended by itself, with {len(events)} of 20 events")
        status = self.sidecar.wait(PATIENCE_S)
        say(f"{time.monotonic() - began:4.2f} s  the sidecar has ended, with status {status}")
        failed = sum(n for what, n in statuses.items() if what != "200")
        check(not failed, f"no request fails: {dict(statuses)}")
        check(len(events) == 20, f"the stream comes whole: {len(events)} events")
        check(status == 0, f"the status is 0: {status}")
        say("0 requests failed.")

    def ask_on(self, statuses: Counter[str], over: threading.Event) -> None:
        """Requests on kept connections until it is over; a new connection when the sidecar asks for one."""
        conn = http.client.HTTPConnection(self.address, SERVING_PORT, timeout=PATIENCE_S)
        while not over.is_set():
            try:
                conn.request("GET", "/")
                response = conn.getresponse()
                response.read()
                statuses[str(response.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                statuses[type(error).__name__] += 1
                conn.close()
        conn.close()


def main() -> int:
    began = time.monotonic()
    with App() as app:
        demo = Demo(app)
        with demo.sidecar:
            try:
                for part in (demo.begin, demo.first, demo.queue, demo.overflow, demo.events, demo.eyes, demo.leave):
                    part()
            except (DemoError, OSError) as error:
                print(f"\ndemo: {error}\n{demo.sidecar.output()}", file=sys.stderr)
                return 1
    print(f"\nAll of this took {time.monotonic() - began:.0f} s. Next: make test, make bench, README.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
