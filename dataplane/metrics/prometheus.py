"""Prometheus: a snapshot as text, exposition format 0.0.4.

Every histogram of a family is one text pattern into which labels and numbers
are put, and the answer leaves in pieces, so that a scrape costs little time
and holds no second copy of itself.
Source: spec 1.14; prometheus.io, "Exposition formats".
"""

from __future__ import annotations

from itertools import accumulate

from dataplane.metrics import catalog
from dataplane.metrics.fold import Fold
from dataplane.metrics.process import readings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PIECE_CHARS = 32 * 1024
ESCAPES = {10: "\\n", 34: '\\"', 92: "\\\\"}
LABELS = "\0"


def label_text(pairs: list[Any] | tuple[Any, ...]) -> str:
    """Labels without braces. Values are escaped; what is no UTF-8 becomes U+FFFD."""
    return ",".join([f'{name.replace(".", "_")}="{_clean(value)}"' for name, value in pairs])


def _clean(value: str | int) -> str:
    text = str(value)
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.translate(ESCAPES)


def head(name: str, kind: str, help: str) -> str:
    return f"# HELP {name} {help}\n# TYPE {name} {kind}\n"


def _pattern(family: catalog.Family) -> str:
    """One histogram with LABELS where its labels go, to be filled with cumulative counts, sum and count."""
    name = family.name
    lines = [f'{name}_bucket{{{LABELS},le="{bound}"}} %d\n' for bound in (*family.bounds, "+Inf")]
    return "".join(lines) + f"{name}_sum{{{LABELS}}} %r\n{name}_count{{{LABELS}}} %d\n"


def _filled(pattern: str, labels: str, histogram: tuple[Any, ...]) -> str:
    counts, total, count = histogram
    return pattern.replace(LABELS, labels.replace("%", "%%")) % (*accumulate(counts), float(total), count)


class Prometheus:
    """Renders snapshots of one process.

    resource    who reports.
    app_port    the container's port, for http_client_*.
    names       "new", "old" or "both".
    values_max  label values before the rest is folded (W28).
    """

    __slots__ = ("_fold", "_names", "_old", "_patterns", "_port", "_scope", "_target")

    def __init__(
        self, resource: catalog.Resource, version: str, app_port: int, names: str = "new", values_max: int = 100
    ) -> None:
        self._names = names
        self._port = app_port
        self._fold = Fold(values_max)
        scope = [("otel_scope_name", catalog.SCOPE), ("otel_scope_schema_url", ""), ("otel_scope_version", version)]
        self._scope = label_text(scope)
        self._old = label_text(resource.old_labels)
        self._patterns: dict[str, str] = {}
        self._target = head("target_info", "gauge", "Target metadata.")
        self._target += f"target_info{{{label_text(resource.attributes)}}} 1\n"
        self._target += head("penstock_build_info", "gauge", "The version that runs.")
        self._target += f"penstock_build_info{{{label_text([('version', version)])}}} 1\n"

    def render(self, snapshot: Any) -> bytes:
        """The whole text for one snapshot (see dataplane.metrics.catalog)."""
        return b"".join(self.pieces(snapshot))

    def pieces(self, snapshot: Any) -> Iterator[bytes]:
        """The same as an iterator over bytes, each piece a few ten KiB."""
        held: list[str] = []
        size = 0
        for text in self._texts(snapshot):
            held.append(text)
            size += len(text)
            if size >= PIECE_CHARS:
                yield "".join(held).encode()
                held, size = [], 0
        yield "".join(held).encode()

    def _texts(self, snapshot: Any) -> Iterator[str]:
        yield self._target
        if self._names != "old":
            yield from self._knative(snapshot)
        if self._names != "new":
            yield from self._former(snapshot)
        for family in catalog.OWN:
            yield from self._own(family, snapshot.counters)
        for name, kind, help, value in readings():
            yield f"{head(name, kind, help)}{name} {value!r}\n"

    def _knative(self, snapshot: Any) -> Iterator[str]:
        scope = self._scope
        if snapshot.waiting is not None:
            depth = catalog.QUEUE_DEPTH
            yield f"{head(depth.name, depth.kind, depth.help)}{depth.name}{{{scope}}} {snapshot.waiting}\n"
        statuses = [
            (f'http_response_status_code="{status}",{scope}', (histogram,))
            for status, histogram in snapshot.invocation.items()
        ]
        yield from self._histograms((catalog.INVOCATION,), statuses)
        series = self._fold.series(snapshot.series).items()
        server = [(f"{label_text(catalog.server_attributes(k))},{scope}", parts) for k, parts in series]
        yield from self._histograms(catalog.SERVER, server)
        calls = self._fold.client(snapshot.client).items()
        client = [(f"{label_text(catalog.client_attributes(k, self._port))},{scope}", parts) for k, parts in calls]
        yield from self._histograms(catalog.CLIENT, client)

    def _histograms(self, families: tuple[Any, ...], rows: list[Any]) -> Iterator[str]:
        if not rows:
            return
        for family in families:
            yield head(family.name, family.kind, family.help)
            pattern = self._patterns.get(family.name)
            if pattern is None:
                pattern = self._patterns[family.name] = _pattern(family)
            part = family.part
            for labels, parts in rows:
                yield _filled(pattern, labels, parts[part])

    def _former(self, snapshot: Any) -> Iterator[str]:
        """The names of the time before OpenTelemetry, with their labels and buckets."""
        base = self._old
        requests = [
            (f"{base},{_codes(status)},{label_text([('route_tag', catalog.OLD_TAGS.get(tag, tag))])}", (histogram,))
            for (status, tag), histogram in self._fold.tagged(snapshot.request_ms).items()
        ]
        calls = [(f"{base},{_codes(status)}", (histogram,)) for status, histogram in snapshot.app_ms.items()]
        for rows, counts, latencies in zip((requests, calls), catalog.OLD_COUNTS, catalog.OLD_LATENCIES, strict=True):
            if rows:
                yield head(counts.name, counts.kind, counts.help)
                for labels, (histogram,) in rows:
                    yield f"{counts.name}{{{labels}}} {histogram[2]}\n"
            yield from self._histograms((latencies,), rows)
        if snapshot.pending is not None:
            depth = catalog.OLD_DEPTH
            yield f"{head(depth.name, depth.kind, depth.help)}{depth.name}{{{base}}} {snapshot.pending}\n"

    def _own(self, family: catalog.Family, counters: dict[Any, Any]) -> Iterator[str]:
        value = counters.get(family.field)
        if value is None:
            return
        name = family.name
        if not family.label:
            yield f"{head(name, family.kind, family.help)}{name} {value}\n"
        elif value:
            yield head(name, family.kind, family.help)
            for cause, number in value.items():
                yield f"{name}{{{label_text([(family.label, cause)])}}} {number}\n"


def _codes(status: int) -> str:
    return f'response_code="{status}",response_code_class="{status // 100}xx"'
