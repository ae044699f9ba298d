"""queue-proxy: the sidecar of one pod; one target, the app beside it.

Configured by Knative's sidecar environment alone. The engine carries requests;
this thread answers what comes for the platform (probes, scrapes, the drain
hook), closes the autoscaler's window each second, and leaves in good order.
"""

from __future__ import annotations

import sys
import time
from posix import write

from dataplane import VERSION
from dataplane.config.read import process_environment, read_queue_proxy
from dataplane.errors import ConfigError
from dataplane.logs import Logger
from dataplane.metrics.autoscaler import StatWindow
from dataplane.plan import MAIN, MAIN_TLS, METRICS, STATS
from dataplane.supervisor import Supervisor
from dataplane.telemetry import Telemetry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.config.schema import Settings
    from ext.engine import Call

PROGRAM = "penstock-queue-proxy"
TICK_NS = 1_000_000_000
TEXT = b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"


class QueueProxy:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.supervisor = Supervisor(settings)
        self.supervisor.listen(None)
        self.log = Logger(settings.logging, "queueproxy", (("knative.dev/pod", settings.identity.pod),))
        self.telemetry = Telemetry(settings, self.supervisor, self.log.warn)
        self.window = StatWindow(settings.identity.pod, time.monotonic_ns())
        self.stopping = False

    def run(self) -> int:
        self.telemetry.start()
        next_tick = time.monotonic_ns() + TICK_NS
        while not self.stopping:
            due = min(next_tick, self.telemetry.due_ns or next_tick)
            wait_ms = max(0, (due - time.monotonic_ns()) // 1_000_000 + 1)
            for call in self.supervisor.engine.wait(wait_ms):
                self.answer(call)
            now = time.monotonic_ns()
            self.telemetry.tick(now)
            if now >= next_tick:
                self.window.tick(now, *self.supervisor.load(now))
                next_tick += TICK_NS * (1 + (now - next_tick) // TICK_NS)
        self.supervisor.stop()
        self.telemetry.close()
        return 0

    def answer(self, call: Call) -> None:
        listener = call.listener
        if listener in (MAIN, MAIN_TLS):
            call.answer(200, b"", b"queue")
        elif listener == STATS and call.target == b"/metrics":
            call.answer(200, b"Content-Type: application/protobuf\r\n", self.window.stat.encode())
        elif listener == METRICS:
            self.telemetry.scrape(call)
        else:
            call.answer(404, TEXT, b"404 page not found\n")


def main() -> int:
    if "--version" in sys.argv:
        write(1, f"{PROGRAM} {VERSION}\n".encode())
        return 0
    try:
        settings = read_queue_proxy(process_environment())
        proxy = QueueProxy(settings)
    except ConfigError as error:
        write(2, error.report(PROGRAM).encode())
        return 1
    import signal

    def stop(*_):
        proxy.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return proxy.run()
