"""Carried: what a gateway has carried, as spans for whoever collects traces.

Loaded only when traces are wanted.
Source: 1.18; W3C Trace Context.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dataplane import VERSION
from dataplane.accesslog import LineWriter
from dataplane.config.schema import Tracing
from dataplane.finished import BATCH_BYTES, SAMPLED, trace_of
from dataplane.metrics.catalog import Resource
from dataplane.tracing import Naming, OtlpTraces, StdoutTraces

STDOUT = 1
CLOSE_S = 5.0
"""For the last spans, after the last request."""


class Carried:
    """Takes finished exchanges from an engine, and gives their spans away.

    finished  gives records of the engine's journal, about so many bytes
    faults    names of the engine's faults, by number
    tell      takes a sentence when a collector begins to refuse them, and when it takes them again
    Raises    ValueError for an endpoint that is none
    """

    def __init__(
        self,
        tracing: Tracing,
        resource: Resource,
        naming: Naming,
        finished: Callable[[int], list[tuple[Any, ...]]],
        faults: tuple[str, ...],
        tell: Callable[[str], None],
    ) -> None:
        self._finished = finished
        self._faults = faults
        self._lines: LineWriter | None = None
        self._traces: OtlpTraces | StdoutTraces
        if tracing.protocol == "stdout":
            self._lines = LineWriter(STDOUT)
            self._traces = StdoutTraces(resource, VERSION, naming, self._lines.add)
        else:
            self._traces = OtlpTraces(
                resource, VERSION, naming, protocol=tracing.protocol, url=tracing.endpoint, tell=tell
            )
        self._traces.start()

    def drain(self) -> bool:
        """Takes one batch, as far as standard output takes it; says whether there may be more."""
        if not self._flushed():
            return True
        entries = self._finished(BATCH_BYTES)
        for entry in entries:
            if entry[4] & SAMPLED:
                self._traces.add(trace_of(entry, True, self._faults))
        return not self._flushed() or bool(entries)

    def _flushed(self) -> bool:
        return self._lines is None or self._lines.flush()

    def close(self) -> None:
        """The rest, and the end; blocks for CLOSE_S at most."""
        while self.drain() and self._flushed():
            continue
        self._traces.close(CLOSE_S)
