"""Sidecar: what a queue-proxy does beside its engine, once the engine carries requests.

Answers what comes for the platform (probes, scrapes, the drain hook), closes
the autoscaler's window each second, and leaves in good order.
"""

from __future__ import annotations

import time

from dataplane.drain import CLOSE, DRAIN, EXIT, FLUSH, GO_ON, Drainer
from dataplane.metrics.autoscaler import StatWindow
from dataplane.plan import ADMIN, DEBUG, MAIN, MAIN_TLS, METRICS, NS_PER_MS, NS_PER_S, STATS
from dataplane.probes import Prober
from dataplane.telemetry import Telemetry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.announcer import Announcer
    from dataplane.certificates import CertificateFiles
    from dataplane.config.schema import Settings
    from dataplane.debug import DebugPages
    from dataplane.logs import Logger
    from dataplane.supervisor import Supervisor
    from ext.engine import Call

TEXT = b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
STAT = b"Content-Type: application/protobuf\r\n"
FLUSH_S = 10.0


class Sidecar:
    """One sidecar, from its last listener to its exit status.

    supervisor    listens on every port
    certificates  of the main port; None without TLS
    """

    def __init__(
        self, settings: Settings, log: Logger, supervisor: Supervisor, certificates: CertificateFiles | None
    ) -> None:
        self.settings = settings
        self.log = log
        self.supervisor = supervisor
        self.certificates = certificates
        self.telemetry = Telemetry(settings, supervisor, log.warn)
        self.window = StatWindow(settings.identity.pod, time.monotonic_ns())
        self.prober = Prober(settings.readiness, settings.app, self.log.log)
        self.drainer = Drainer(settings.drain)
        self.announcer: Announcer | None = None
        self.pages: DebugPages | None = None
        self.tick_ns = time.monotonic_ns() + NS_PER_S
        self.certificates_ns = self.tick_ns

    def run(self) -> int:
        """Until the drainer says that it is over; the exit status."""
        look_ns: int | None = None
        self.telemetry.start()
        self.announce()
        while True:
            now_ns = time.monotonic_ns()
            wake_ns = min(self.tick_ns, look_ns or self.tick_ns, self.telemetry.due_ns or self.tick_ns)
            for call in self.supervisor.engine.wait(max(0, (wake_ns - now_ns + NS_PER_MS - 1) // NS_PER_MS)):
                self.answer(call)
            now_ns = time.monotonic_ns()
            if now_ns >= self.tick_ns:
                self.tick(now_ns)
            if self.telemetry.tick(now_ns):
                self.drainer.flushed()
            step = self.drainer.look(now_ns, *self.supervisor.in_flight())
            look_ns = now_ns if step.orders else step.look_ns
            for order in step.orders:
                self.obey(order)
            for call in step.released:
                call.answer(200, b"", b"")
            if step.status is not None:
                self.supervisor.stop()
                self.telemetry.end()
                return step.status

    def announce(self) -> None:
        """Somebody may want to know when the pod can serve; else nothing of it is loaded."""
        announce, settings = self.settings.announce, self.settings
        if announce is not None:
            from dataplane.announcer import Announcer

            self.announcer = Announcer(announce, settings.identity, settings.readiness, self.prober, self.log.log)
            self.announcer.start()

    def tick(self, now_ns: int) -> None:
        """Once a second, however late: the autoscaler's window, and the certificates when it is their time."""
        self.window.tick(now_ns, *self.supervisor.load(now_ns))
        self.tick_ns += NS_PER_S * (1 + (now_ns - self.tick_ns) // NS_PER_S)
        if self.certificates is not None and self.settings.certificates is not None and now_ns >= self.certificates_ns:
            self.certificates_ns = now_ns + self.settings.certificates.poll_ms * NS_PER_MS
            fresh = self.certificates.reload()
            if fresh is not None:
                self.supervisor.use_certificate(fresh)

    def obey(self, order: str) -> None:
        """What the drainer has decided."""
        if order in (DRAIN, GO_ON):
            self.log.info("Draining." if order == DRAIN else "Serving again.")
            self.supervisor.engine.drain(order == DRAIN)
            if self.announcer is not None:
                self.announcer.end()
        elif order == CLOSE:
            self.log.info("No new request for the quiet period; accepting no more.")
            self.supervisor.close_listeners(but=(ADMIN,))
        elif order == FLUSH:
            self.telemetry.close(FLUSH_S)
        elif order == EXIT:
            self.log.info("Leaving.")

    def answer(self, call: Call) -> None:
        """What came for this thread: health checks on the main ports, and everything on the others."""
        listener, path = call.listener, call.target.partition(b"?")[0]
        if listener in (MAIN, MAIN_TLS):
            self.prober.ask(call)
        elif listener == ADMIN and path == b"/wait-for-drain":
            self.drainer.hook(call, time.monotonic_ns())
        elif listener == STATS and path == b"/metrics":
            call.answer(200, STAT, self.window.stat.encode())
        elif listener == METRICS:
            self.telemetry.scrape(call)
        elif listener == DEBUG:
            self.debug(call)
        else:
            call.answer(404, TEXT, b"404 page not found\n")

    def debug(self, call: Call) -> None:
        if self.pages is None:
            from dataplane.debug import DebugPages

            self.pages = DebugPages(self.supervisor.counted, self.supervisor.ports())
        call.answer(*self.pages.answer(call.target, call.fields))
