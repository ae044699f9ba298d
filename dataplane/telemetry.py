"""Telemetry: one process's metrics, request log and traces, each only if it is switched on.

What costs time or memory to load is loaded when it is first needed: the
Prometheus text by the first scrape, whatever pushes in a thread of its own,
so that probes are answered meanwhile.
Source: spec 1.14, 1.15, 1.18.
"""

from __future__ import annotations

from dataplane import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from dataplane.config.schema import Settings
    from dataplane.finished import Finished
    from dataplane.metrics.otlp import MetricsPush
    from dataplane.metrics.prometheus import Prometheus
    from dataplane.metrics.snapshot import Snapshots
    from dataplane.supervisor import Supervisor
    from ext.engine import Call

TEXT = b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
STDOUT = 1
PERIOD_NS = 100_000_000
"""Between two looks at the journal while there is traffic, or while standard output is full."""
CLOSING_NS = 10_000_000
"""Between two looks at whether the last pushes are out."""
MS_PER_S = 1000
END_MS = 500
"""What standard output gets to take the last lines of a process that has nothing else to do."""
EXIT_S = 10.0
"""For the last pushes (spec 1.14)."""


class Telemetry:
    """What a sidecar tells about its requests.

    tell    takes a sentence for the process's own log
    due_ns  when `tick` wants to be called again, in monotonic nanoseconds; None: after the next bell
    """

    __slots__ = (
        "_closer", "_finished", "_opener", "_prometheus", "_push", "_settings", "_snapshots", "_supervisor", "_tell",
        "due_ns",
    )  # fmt: skip

    def __init__(self, settings: Settings, supervisor: Supervisor, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._supervisor = supervisor
        self._tell = tell
        self._finished: Finished | None = None
        self._prometheus: Prometheus | None = None
        self._push: MetricsPush | None = None
        self._snapshots: Snapshots | None = None
        self._opener: Any = None
        self._closer: Any = None
        self.due_ns: int | None = None

    def start(self) -> None:
        """Opens what is switched on, once the listeners are up. Nothing that is wrong there ends the process."""
        settings = self._settings
        pushes = ("grpc", "http/protobuf")
        tracing = settings.tracing
        if settings.request_log is not None or tracing is not None:
            self._open_finished()
        if settings.metrics.protocol in pushes or (tracing is not None and tracing.protocol in pushes):
            from threading import Thread

            self._opener = Thread(target=self._open_pushes, name="telemetry", daemon=True)
            self._opener.start()

    def _open_finished(self) -> None:
        """The log, and traces that go to standard output."""
        from dataplane.accesslog import AccessLog, LineWriter, Revision, TemplateError
        from dataplane.finished import Finished

        settings, log, lines, traces = self._settings, None, None, None
        identity, wanted = settings.identity, settings.request_log
        if wanted is not None:
            revision = Revision(
                name=identity.revision,
                namespace=identity.namespace,
                service=identity.service,
                configuration=identity.configuration,
                pod_name=identity.pod,
                pod_ip=identity.pod_ip,
            )
            try:
                log = AccessLog(wanted.template, revision, wanted.probes)
            except TemplateError as error:
                self._tell(f"the request log is off, its template cannot be used: {error}")
        to_stdout = settings.tracing is not None and settings.tracing.protocol == "stdout"
        if log is not None or to_stdout:
            lines = LineWriter(STDOUT)
        if to_stdout and lines is not None:
            from dataplane.tracing import StdoutTraces, queue_proxy

            traces = StdoutTraces(self._resource(), VERSION, queue_proxy(settings.app.port), lines.add)
        self._finished = Finished(self._supervisor, settings.limit.running_max > 0, lines, log, traces)

    def _open_pushes(self) -> None:
        """Loads and starts what sends to a collector; in a thread of its own."""
        settings = self._settings
        try:
            tracing = settings.tracing
            if tracing is not None and tracing.protocol != "stdout" and self._finished is not None:
                from dataplane.tracing import OtlpTraces, queue_proxy

                traces = OtlpTraces(
                    self._resource(),
                    VERSION,
                    queue_proxy(settings.app.port),
                    protocol=tracing.protocol,
                    url=tracing.endpoint,
                    tell=self._tell,
                )
                traces.start()
                self._finished.traces = traces
            if settings.metrics.protocol not in ("none", "prometheus"):
                self._push = self._metrics_push()
                self._push.start()
        except (ValueError, ImportError) as error:
            self._tell(f"telemetry cannot be pushed: {error}")

    def _metrics_push(self) -> MetricsPush:
        from dataplane.metrics.otlp import Encoder, MetricsPush

        settings = self._settings
        labels_max = settings.bounds.label_values_max
        return MetricsPush(
            Encoder(self._resource(), VERSION, settings.app.port, labels_max),
            self._snapshot,
            protocol=settings.metrics.protocol,
            url=settings.metrics.endpoint,
            interval_s=settings.metrics.interval_ms / MS_PER_S,
            tell=self._tell,
        )

    def _resource(self) -> Any:
        from dataplane.metrics.catalog import Resource

        return Resource.of(self._settings.identity, VERSION)

    def _snapshot(self) -> Any:
        if self._snapshots is None:
            from dataplane.metrics.snapshot import Snapshots

            self._snapshots = Snapshots(self._supervisor, self._settings.metrics.names != "new")
        finished = self._finished
        traces = finished.traces if finished is not None else None
        return self._snapshots.take(traces.dropped if traces is not None else 0)

    def tick(self, now_ns: int) -> bool:
        """After each wake of the control thread; says whether everything is out after `close`.

        Takes what has finished, at most every PERIOD_NS.
        """
        finished = self._finished
        if self._closer is not None:
            self.due_ns = now_ns + CLOSING_NS
            return not self._closer.is_alive()
        if finished is None or (self.due_ns is not None and now_ns < self.due_ns):
            return False
        is_due, self.due_ns = self.due_ns is not None, None
        if is_due and not self._waits_for_traces() and finished.drain():
            self.due_ns = now_ns
        elif self._supervisor.backlog() or self._holds_lines():
            self.due_ns = now_ns + PERIOD_NS
        return False

    def _holds_lines(self) -> bool:
        lines = self._finished.lines if self._finished is not None else None
        return lines is not None and lines.waiting_bytes > 0

    def _waits_for_traces(self) -> bool:
        """Traces are wanted, and what pushes them is still being loaded: the journal keeps them."""
        opener = self._opener
        return self._finished is not None and self._finished.traces is None and opener is not None and opener.is_alive()

    def scrape(self, call: Call) -> None:
        """Answers a request to the metrics port."""
        if call.target.partition(b"?")[0] != b"/metrics":
            call.answer(404, TEXT, b"404 page not found\n")
            return
        if call.method not in (b"GET", b"HEAD"):
            call.answer(405, TEXT + b"Allow: GET, HEAD\r\n", b"Method Not Allowed\n")
            return
        from dataplane.metrics.prometheus import CONTENT_TYPE, Prometheus

        if self._prometheus is None:
            settings = self._settings
            self._prometheus = Prometheus(
                self._resource(),
                VERSION,
                settings.app.port,
                settings.metrics.names,
                settings.bounds.label_values_max,
            )
        call.answer(200, f"Content-Type: {CONTENT_TYPE}\r\n".encode(), self._prometheus.render(self._snapshot()))

    def close(self, timeout_s: float = EXIT_S) -> None:
        """Begins the last lines, spans and figures, all within `timeout_s`; `tick` says when they are out."""
        from threading import Thread

        self._closer = Thread(target=self._close, args=(timeout_s,), name="telemetry-end", daemon=True)
        self._closer.start()

    def _close(self, timeout_s: float) -> None:
        import time

        deadline = time.monotonic() + timeout_s
        if self._opener is not None:
            self._opener.join(timeout_s)
        finished = self._finished
        if finished is not None:
            while finished.drain(max(0, int((deadline - time.monotonic()) * MS_PER_S))):
                pass
            if finished.traces is not None:
                finished.traces.close(max(0.0, deadline - time.monotonic()))
        if self._push is not None:
            self._push.close(max(0.0, deadline - time.monotonic()))

    def end(self) -> None:
        """Lines of the requests that were cut off when the engine stopped."""
        finished = self._finished
        if finished is not None and (self._closer is None or not self._closer.is_alive()):
            finished.traces = None
            while finished.drain(END_MS):
                pass
