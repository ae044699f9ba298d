"""Supervisor: owns the engine of a process, from its first listener to its last byte."""

from __future__ import annotations

from posix import strerror

from dataplane.errors import ConfigError, Problem
from dataplane.plan import ADMIN, APP, DEBUG, MAIN, MAIN_TLS, METRICS, STATS, engine_bounds, queue_proxy_plan
from ext.base.faults import fault_names
from ext.engine import Engine
from ext.stats.histogram import DURATION_BOUNDS_NS, SIZE_BOUNDS_BYTES
from ext.stats.shard import counter_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dataplane.certificates import CertificateFiles
    from dataplane.config.schema import Settings, Tls
    from dataplane.logs import Logger
    from ext.certificates import TlsContext

VARIABLES = {
    MAIN: "QUEUE_SERVING_PORT",
    MAIN_TLS: "QUEUE_SERVING_TLS_PORT",
    ADMIN: "the admin port",
    STATS: "the autoscaling port",
    METRICS: "METRICS_PROMETHEUS_PORT",
    DEBUG: "PROFILING_PORT",
}


def certificate_files(tls: Tls | None, log: Logger) -> CertificateFiles | None:
    """What keeps one listener's certificate fresh; None while its TLS is off, and then OpenSSL's door stays shut."""
    if tls is None:
        return None
    from dataplane.certificates import CertificateFiles
    from ext.certificates import TlsContext

    return CertificateFiles(tls, TlsContext, log)


class Supervisor:
    """Engine, plan and listeners of a sidecar.

    engine   for waiting and for what is counted
    faults   the names of faults, by their numbers
    duration_bounds_ns, size_bounds_bytes   upper bounds of the engine's histograms
    """

    __slots__ = ("_listening", "_plan", "engine", "settings")

    duration_bounds_ns = DURATION_BOUNDS_NS
    size_bounds_bytes = SIZE_BOUNDS_BYTES
    faults = fault_names()

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._listening: list[int] = []
        self.engine = Engine(settings.workers, engine_bounds(settings))
        self._plan = queue_proxy_plan(self.engine.live, settings, version=1)
        self.engine.apply(self._plan)

    def listen(self, tls: TlsContext | None, metrics_tls: TlsContext | None = None) -> list[Problem]:
        """Binds every port that the settings name, then lets the workers run: no order waits for them so.

        Returns  what is wrong with the port of the metrics: the pod can do without it (spec 1.3).
        Raises   ConfigError that names each other port which cannot be bound.
        """
        listeners, metrics = self.settings.listeners, self.settings.metrics.listener
        wanted: list[tuple[int, str, int | None, TlsContext | None]] = [
            (ADMIN, listeners.address, listeners.admin_port, None),
            (STATS, listeners.address, listeners.stats_port, None),
            (DEBUG, listeners.address, listeners.profiling_port, None),
            (MAIN_TLS, listeners.address, listeners.serving_tls_port if tls is not None else None, tls),
            # Last: who can reach the main port can reach all others.
            (MAIN, listeners.address, listeners.serving_port, None),
        ]
        if metrics is not None:
            wanted.insert(0, (METRICS, metrics.address, metrics.port, metrics_tls))
        problems: list[Problem] = []
        odd: list[Problem] = []
        for listener, address, port, context in wanted:
            if port is None:
                continue
            try:
                self._bind(listener, address, port, context)
            except OSError as error:
                why = strerror(error.errno or 0)
                what = f"port {port} of {address} cannot be bound: {why}"
                (odd if listener == METRICS else problems).append(Problem(where=VARIABLES[listener], what=what))
        if problems:
            raise ConfigError(problems)
        self.engine.start(self._plan)
        return odd

    def _bind(self, listener: int, address: str, port: int, tls: TlsContext | None) -> None:
        """A kernel without IPv6 gets all of IPv4 instead of everything."""
        try:
            self.engine.listen(listener, address, port, tls)
        except OSError as error:
            if address != "::" or error.errno != 97:  # EAFNOSUPPORT
                raise
            self.engine.listen(listener, "0.0.0.0", port, tls)
        self._listening.append(listener)

    def use_certificate(self, tls: TlsContext) -> None:
        """New connections get the new certificate (DP-156)."""
        self.engine.use_tls(MAIN_TLS, tls)

    def close_listeners(self, but: tuple[int, ...] = ()) -> None:
        """Accepts no more, on all ports at once (W42) but those named, and ends what is connected and idle."""
        for listener in [listener for listener in self._listening if listener not in but]:
            self.engine.close(listener)
            self._listening.remove(listener)
        self.engine.close_idle()

    def pending(self) -> int | None:
        """Requests that wait or run (DP-136); None without a limit."""
        pending: int | None = self.engine.live.pending(APP)
        return pending

    def waiting(self) -> int | None:
        """Those of them that wait; None without a limit."""
        pending = self.pending()
        return None if pending is None else max(0, pending - self.settings.limit.running_max)

    def running(self) -> int:
        """Requests for the app that have come and not ended, with a slot or without."""
        return sum(running for _, running, *_ in self.engine.load())

    def load(self, now_ns: int) -> tuple[int, int, int, int]:
        """What the autoscaler's tick needs of all workers: two integrals at `now_ns`, two counts."""
        integral = proxied_integral = arrivals = proxied_arrivals = 0
        for changed_ns, running, proxied, running_ns, proxied_ns, arrived, arrived_proxied in self.engine.load():
            passed = max(0, now_ns - changed_ns)
            integral += running_ns + running * passed
            proxied_integral += proxied_ns + proxied * passed
            arrivals += arrived
            proxied_arrivals += arrived_proxied
        return integral, proxied_integral, arrivals, proxied_arrivals

    def counts(self) -> dict[str, Any]:
        """Every counter of ext/stats/counters.h, workers together: a number, or one for each of its labels."""
        workers = [worker["counters"] for worker in self.engine.snapshot()]
        found: dict[str, Any] = {}
        for name, labels in counter_names():
            if labels:
                found[name] = {label: sum(one[name][i] for one in workers) for i, label in enumerate(labels)}
            else:
                found[name] = sum(one[name] for one in workers)
        return found

    def series(self) -> dict[Any, Any]:
        """Label sets with their histograms, as series_read of ext.stats.series gives them."""
        series: dict[Any, Any] = self.engine.series()
        return series

    def buffers(self) -> int:
        """Bytes of bodies that wait in buffers."""
        size: int = self.engine.buffers()
        return size

    def backlog(self) -> int:
        """Bytes of finished exchanges that nobody has read."""
        size: int = self.engine.backlog()
        return size

    def finished(self, bytes_max: int) -> list[tuple[Any, ...]]:
        """Finished exchanges that nobody has read, about `bytes_max` of each worker (JOURNAL_FIELDS)."""
        records: list[tuple[Any, ...]] = self.engine.finished(bytes_max)
        return records

    def in_flight(self) -> tuple[int, int, int]:
        """For the drain: when the newest request began (ns), requests in flight, and upgraded connections."""
        newest = running = upgraded = 0
        for worker in self.engine.snapshot():
            counters = worker["counters"]
            newest = max(newest, counters["last_request_start_ns"])
            open_now = counters["upgrades"] - counters["upgrades_ended"]
            upgraded += open_now
            running += worker["in_flight"] - open_now
        return newest, max(0, running), upgraded

    def counted(self) -> dict[str, Any]:
        """All that the engine counts, for the debug page: every worker, and the buffers that they share."""
        return {"workers": self.engine.snapshot(), "buffer_bytes": self.engine.buffers()}

    def ports(self) -> dict[int, str]:
        """What is served on which port."""
        listeners, metrics = self.settings.listeners, self.settings.metrics.listener
        ports = {
            listeners.serving_port: "main",
            listeners.admin_port: "admin",
            listeners.stats_port: "stats",
            listeners.serving_tls_port: "main tls",
            listeners.profiling_port: "debug",
            metrics.port if metrics is not None else None: "metrics",
        }
        return {port: name for port, name in ports.items() if port is not None}

    def stop(self) -> None:
        self.engine.stop()
