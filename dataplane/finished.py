"""Finished: records of the engine's journal to log lines and spans.

Loaded only when the request log or traces are on. What cannot leave yet stays
in the journal, whose size bounds the memory of a reader that is too slow.
Source: spec 1.15, 1.18; DP-142 to DP-150. The fields of a record are
JOURNAL_FIELDS of ext/stats/journal.pyx.
"""

from __future__ import annotations

from dataplane.metrics.fold import split_host
from dataplane.metrics.snapshot import VERSIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dataplane.accesslog import AccessLog, LineWriter, Record
    from dataplane.tracing import OtlpTraces, StdoutTraces, Trace

    Entry = tuple[Any, ...]

TLS, PROBE, PROXIED, UPGRADED, ABORTED, SAMPLED, RETRIED = 1, 2, 4, 8, 16, 32, 64
"""journal_flag of ext/stats/journal.pxd."""

ADMITTED, CONNECTED, ANSWERED, DONE = 1, 2, 4, 5
"""Places in stamps_ns: journal_stamp, same file."""

NS_PER_S = 1_000_000_000
BATCH_BYTES = 64 * 1024
"""Of the journal at a time: a few milliseconds of work, in which nobody else is answered."""


def record_of(entry: Entry) -> Record:
    """What the log says of an exchange."""
    from dataplane.accesslog import Record

    start, stamps, status, _, flags, version, _, _, response_bytes, content_length, *_ = entry
    method, target, host, remote, fields = entry[-5:]
    return Record(
        method=text(method),
        target=target,
        host=text(host),
        proto="HTTP/" + VERSIONS.get(version, "1.1"),
        headers=headers(fields),
        content_length=content_length,
        remote_addr=text(remote),
        status=status,
        response_bytes=response_bytes,
        latency_s=stamps[DONE] / NS_PER_S,
        tls=bool(flags & TLS),
        start_unix_ns=start,
        aborted=bool(flags & ABORTED),
        probe=bool(flags & PROBE),
    )


def trace_of(entry: Entry, limited: bool, faults: tuple[str, ...]) -> Trace:
    """What the spans say of an exchange.

    limited  whether there is a limit, and so a wait.
    faults   names of the engine's faults, by number.
    """
    from dataplane.tracing import Trace

    start, stamps, status, fault, flags, version, _, request_bytes, response_bytes, _ = entry[:10]
    trace, parent, span, call = entry[10:14]
    method, target, host, remote, fields = entry[-5:]
    found = headers(fields)
    name, port = split_host(text(host))
    return Trace(
        trace_id=trace,
        parent_id=parent,
        server_id=span,
        client_id=call,
        state=",".join(values(found, b"tracestate")),
        method=text(method),
        target=text(target),
        status=status,
        host=name,
        port=port if port is None or port.isdigit() else None,
        scheme="https" if flags & TLS else "http",
        version=VERSIONS.get(version, "1.1"),
        tag=route_tag(found),
        remote_addr=text(remote),
        user_agent="".join(values(found, b"user-agent")[:1]),
        start_unix_ns=start,
        admitted_ns=stamps[ADMITTED] or None,
        connect_ns=stamps[CONNECTED] or None,
        first_byte_ns=stamps[ANSWERED] or None,
        end_ns=stamps[DONE],
        request_bytes=request_bytes,
        response_bytes=response_bytes,
        limited=limited,
        fault=faults[fault] if fault else "",
    )


def text(data: bytes) -> str:
    """Bytes from the wire; those that are no UTF-8 are kept as surrogates."""
    return data.decode("utf-8", "surrogateescape")


def headers(fields: bytes) -> list[tuple[bytes, bytes]]:
    """Lines "name: value CRLF" as pairs."""
    pairs = [line.partition(b": ") for line in fields.split(b"\r\n")[:-1]]
    return [(name, value) for name, _, value in pairs]


def values(found: list[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """All values of a header, whose name is given in lower case."""
    return [text(value) for key, value in found if key.lower() == name]


def route_tag(found: list[tuple[bytes, bytes]]) -> str:
    """kn.route.tag, as ext/proxy/account.pyx has it for the metrics (spec 1.6, DP-139)."""
    tag = "".join(values(found, b"knative-serving-tag")[:1])
    default = "".join(values(found, b"knative-serving-default-route")[:1])
    if not tag:
        return "kn:default" if default else "kn:disabled"
    return "kn:undefined" if default == "true" else tag


class Finished:
    """Takes finished exchanges from the engine to the log and the traces.

    supervisor  the engine's (dataplane.supervisor.Supervisor)
    limited     whether requests may wait
    lines       takes log lines and spans that go to standard output; None: neither is written
    log         None: off
    traces      None: off, or not ready yet; set it when it is
    """

    __slots__ = ("_dropped", "_limited", "_supervisor", "lines", "log", "traces")

    def __init__(
        self,
        supervisor: Any,
        limited: bool,
        lines: LineWriter | None,
        log: AccessLog | None,
        traces: OtlpTraces | StdoutTraces | None,
    ) -> None:
        self._supervisor = supervisor
        self._limited = limited
        self._dropped = 0
        self.lines = lines
        self.log = log
        self.traces = traces

    def drain(self, timeout_ms: int = 0) -> bool:
        """Takes one batch; says whether more can be taken at once.

        timeout_ms  how long standard output may take for what has been gathered
        """
        lines = self.lines
        if lines is not None:
            dropped = self._supervisor.counts()["journal_dropped"]
            lines.drop(dropped - self._dropped)
            self._dropped = dropped
            if not lines.flush(timeout_ms):
                return False
        entries = self._supervisor.finished(BATCH_BYTES)
        for entry in entries:
            self._take(entry)
        return (lines is None or lines.flush(timeout_ms)) and bool(entries)

    def _take(self, entry: Entry) -> None:
        if self.log is not None and self.lines is not None:
            line = self.log.line(record_of(entry))
            if line:
                self.lines.add(line)
        if self.traces is not None and entry[4] & SAMPLED:
            self.traces.add(trace_of(entry, self._limited, self._supervisor.faults))
