"""Supervisor: owns the engine of a process, from its first listener to its last byte."""

from __future__ import annotations

from dataplane.errors import ConfigError, Problem
from dataplane.plan import ADMIN, APP, DEBUG, MAIN, MAIN_TLS, METRICS, STATS, engine_bounds, queue_proxy_plan
from ext.engine import Engine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dataplane.config.schema import Settings
    from ext.certificates import TlsContext

VARIABLES = {
    MAIN: "QUEUE_SERVING_PORT",
    MAIN_TLS: "QUEUE_SERVING_TLS_PORT",
    ADMIN: "the admin port",
    STATS: "the autoscaling port",
    METRICS: "METRICS_PROMETHEUS_PORT",
    DEBUG: "PROFILING_PORT",
}


class Supervisor:
    """Engine, plan and listeners of a sidecar.

    engine   for waiting and for what is counted
    """

    __slots__ = ("_listening", "_version", "engine", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._version = 1
        self._listening: list[int] = []
        self.engine = Engine(settings.workers, engine_bounds(settings))
        self.engine.start(queue_proxy_plan(self.engine.live, settings, self._version))

    def listen(self, tls: TlsContext | None, metrics_tls: TlsContext | None = None) -> None:
        """Binds every port that the settings name.

        Raises  ConfigError that names each port which cannot be bound; 9091
                is only told, as upstream does (spec 1.3).
        """
        listeners, metrics = self.settings.listeners, self.settings.metrics.listener
        wanted: list[tuple[int, str, int | None, TlsContext | None]] = [
            (MAIN, listeners.address, listeners.serving_port, None),
            (MAIN_TLS, listeners.address, listeners.serving_tls_port if tls is not None else None, tls),
            (ADMIN, listeners.address, listeners.admin_port, None),
            (STATS, listeners.address, listeners.stats_port, None),
            (DEBUG, listeners.address, listeners.profiling_port, None),
        ]
        if metrics is not None:
            wanted.append((METRICS, metrics.address, metrics.port, metrics_tls))
        problems = []
        for listener, address, port, context in wanted:
            if port is None:
                continue
            try:
                self._bind(listener, address, port, context)
            except OSError as error:
                problems.append(Problem(VARIABLES[listener], f"port {port} cannot be bound: {error.strerror}"))
        if problems:
            raise ConfigError(problems)

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
        """Accepts no more, on all ports at once (W42) but those named."""
        for listener in [listener for listener in self._listening if listener not in but]:
            self.engine.close(listener)
            self._listening.remove(listener)

    def pending(self) -> int | None:
        """Requests that wait or run (DP-136); None without a limit."""
        pending: int | None = self.engine.live.pending(APP)
        return pending

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

    def in_flight(self) -> tuple[int, int, int]:
        """For the drain: when the newest request began (ns), requests in flight, and upgraded connections."""
        newest = running = upgraded = 0
        for worker in self.engine.snapshot():
            counters = worker["counters"]
            newest = max(newest, counters["last_request_start_ns"])
            open_now = counters["upgrades"] - counters["upgrades_ended"]
            upgraded += open_now
            running += worker["load"][1] - open_now
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
