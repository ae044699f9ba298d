"""Figures: the targets of the project, each read off one measured case."""

from __future__ import annotations

from loadtests.compare.bench import US, Bench, Spread, number


class Figure:
    """One target: a metric of ours, alone or beside a peer's, and its bound.

    how   ratio: ours by the peer's; minus: ours less the peer's; alone: ours;
          share: ours by the peer's, and the bound is a lower one
    """

    __slots__ = ("bound", "case", "how", "metric", "peer", "strict", "title", "unit")

    def __init__(
        self,
        title: str,
        case: str,
        metric: str,
        how: str,
        bound: float,
        peer: str = "",
        unit: str = "",
        *,
        strict: bool = False,
    ) -> None:
        self.title = title
        self.case = case
        self.metric = metric
        self.how = how
        self.bound = bound
        self.peer = peer
        self.unit = unit
        self.strict = strict

    def measured(self, bench: Bench) -> Spread | None:
        """What the rounds gave; None when it was not measured in this run."""
        if self.how == "alone":
            return bench.spread(self.case, self.metric, US)
        if self.how == "minus":
            return bench.difference(self.case, self.metric, self.peer)
        return bench.ratio(self.case, self.metric, self.peer)

    def met(self, seen: Spread) -> bool:
        """Whether the median keeps the bound."""
        if self.how == "share":
            return seen.median >= self.bound
        return seen.median < self.bound if self.strict else seen.median <= self.bound

    def verdict(self, seen: Spread) -> str:
        """Met, or by how much it is missed: in the unit of the figure, or in percent of the bound."""
        if self.met(seen):
            return "met"
        off = abs(seen.median - self.bound)
        by = f"{number(off)} {self.unit}" if self.unit else f"{100 * off / self.bound:.0f} %"
        return f"missed by {by}"

    def target(self) -> str:
        """The bound, for a reader."""
        sign = "≥" if self.how == "share" else "<" if self.strict else "≤"
        beside = f" x {self.peer}" if self.how in ("ratio", "share") else f" more than {self.peer}" if self.peer else ""
        return f"{sign} {self.bound:.3g}{' ' + self.unit if self.unit else ''}{beside}"


FIGURES = [
    Figure("CPU per request, 64 connections", "keepalive-64", "cpu_us", "ratio", 1.0, "nginx"),
    Figure("CPU per request, 64 connections", "keepalive-64", "cpu_us", "ratio", 1 / 4, "envoy"),
    Figure("CPU per request, 64 connections", "keepalive-64", "cpu_us", "ratio", 1 / 3, "go"),
    Figure("system calls per request", "syscalls", "calls", "alone", 4.5),
    Figure("CPU per new connection", "new-connection", "cpu_us", "ratio", 1.1, "nginx"),
    Figure("CPU per MiB down", "down-1m", "cpu_us", "ratio", 1.0, "haproxy", strict=True),
    Figure("CPU per MiB up", "up-1m", "cpu_us", "ratio", 1.0, "haproxy", strict=True),
    Figure("CPU per request, h2c to HTTP/1.1", "h2c-h1", "cpu_us", "ratio", 1 / 3, "envoy"),
    Figure("CPU per request, TLS to HTTP/1.1", "tls-h1", "cpu_us", "ratio", 1.1, "nginx"),
    Figure("limiter 10, 64 callers, 20 ms: rate", "limiter", "rate", "share", 0.99, "direct"),
    Figure("added latency at 1,000/s, p50", "open-loop", "added_p50_us", "ratio", 1.2, "nginx"),
    Figure("added latency at 1,000/s, p99", "open-loop", "added_p99_us", "ratio", 1.2, "nginx"),
    Figure("exec to first proxied byte", "startup", "first_byte_ms", "minus", 15, "go", "ms"),
    Figure("RSS idle", "memory", "idle_mib", "alone", 16, unit="MiB"),
    Figure("RSS after the first scrape of 9091", "memory", "scraped_mib", "alone", 18, unit="MiB"),
    Figure("RSS with 1,000 idle connections", "memory", "idle_1000_mib", "alone", 20, unit="MiB"),
    Figure("RSS with 1,000 requests in flight", "memory", "flight_1000_mib", "alone", 32, unit="MiB"),
    Figure("RSS with traces by HTTP", "memory", "traces_http_mib", "alone", 28, unit="MiB"),
    Figure("RSS with traces by gRPC", "memory", "traces_grpc_mib", "alone", 44, unit="MiB"),
    Figure("idle CPU", "idle-cpu", "percent", "alone", 0.1, unit="% of a core"),
    Figure("gateway with 1,000 routes: CPU per request", "gateway", "cpu_us", "ratio", 1.0, "nginx"),
    Figure("activator: CPU per request", "activator", "cpu_us", "ratio", 1.3, "sidecar"),
    Figure("RSS more with 10,000 requests held", "held", "held_mib", "alone", 64, unit="MiB"),
    Figure("RSS more after them", "held", "back_mib", "alone", 2, unit="MiB"),
    Figure("gateway: RSS with 5,000 routes", "gateway-5000", "rss_mib", "alone", 48, unit="MiB"),
    Figure("gateway: one change of 5,000 routes in use", "gateway-5000", "change_ms", "alone", 10, unit="ms"),
    Figure("gateway, activator and sidecar, added at 800/s, p50", "whole-path", "added_p50_us", "ratio", 3, "nginx"),
    Figure("our share of a cold start, one after another, p50", "cold-start", "p50_ms", "alone", 30, unit="ms"),
    Figure("our share of a cold start, one after another, p99", "cold-start", "p99_ms", "alone", 60, unit="ms"),
    Figure(
        "cold starts, 10 in one second: more than bare, p99", "cold-start", "burst_more_p99_ms", "alone", 100, unit="ms"
    ),
    Figure("penstock up: ready", "up", "ready_s", "alone", 2, unit="s"),
    Figure("penstock up: RSS without apps", "up", "rss_mib", "alone", 120, unit="MiB"),
    Figure("penstock up: explain, by the server", "cold-start", "explain_ms", "alone", 100, unit="ms"),
]
