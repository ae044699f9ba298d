"""Span encoder: batches of exchanges as OTLP messages. Loaded only when traces are pushed.

Source: OpenTelemetry trace data model; W3C Trace Context for ids and state.
"""

from __future__ import annotations

from posix import urandom

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1 import trace_pb2

from dataplane.metrics.catalog import SCOPE, Resource
from dataplane.otlp_values import clean, put_attributes
from dataplane.tracing import CLIENT, INTERNAL, NO_SPAN, SERVER, Naming, Trace, spans

KINDS = {
    INTERNAL: trace_pb2.Span.SPAN_KIND_INTERNAL,
    SERVER: trace_pb2.Span.SPAN_KIND_SERVER,
    CLIENT: trace_pb2.Span.SPAN_KIND_CLIENT,
}
SAMPLED = 1


class Encoder:
    """Traces to ExportTraceServiceRequest messages of one process."""

    def __init__(self, resource: Resource, version: str, naming: Naming) -> None:
        self._resource = resource
        self._version = version
        self._naming = naming

    def encode(self, batch: list[Trace]) -> bytes:
        """One message with the spans of all exchanges of the batch."""
        request = ExportTraceServiceRequest()
        entry = request.resource_spans.add()
        put_attributes(entry.resource.attributes, self._resource.attributes)
        scope = entry.scope_spans.add()
        scope.scope.name = SCOPE
        scope.scope.version = self._version
        for trace in batch:
            for span in spans(trace, self._naming, urandom):
                out = scope.spans.add()
                out.trace_id, out.span_id, out.trace_state = trace.trace_id, span.span_id, clean(trace.state)
                if span.parent_id != NO_SPAN:
                    out.parent_span_id = span.parent_id
                out.name, out.kind, out.flags = span.name, KINDS[span.kind], SAMPLED
                out.start_time_unix_nano, out.end_time_unix_nano = span.start_ns, span.end_ns
                put_attributes(out.attributes, span.attributes)
                if span.fault:
                    out.status.code = trace_pb2.Status.STATUS_CODE_ERROR
                    out.status.message = span.fault
        return bytes(request.SerializeToString())
