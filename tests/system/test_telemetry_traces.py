"""Traces and pushed metrics of the real sidecar, at a real receiver by HTTP and by gRPC (spec 1.14, 1.18)."""

from __future__ import annotations

import json
import socket
import time

import pytest
from otlp_peer import GrpcPeer, HttpPeer

from tests.sidecarfixture import Sidecar

TRACE, PARENT = "0123456789abcdef0123456789abcdef", "0123456789abcdef"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
EXIT_S = 30


@pytest.fixture(params=[("http/protobuf", HttpPeer), ("grpc", GrpcPeer)], ids=["http", "grpc"])
def peer(request):
    protocol, kind = request.param
    made = kind()
    made.protocol = protocol
    yield made
    made.close()


def tracing(peer, **more) -> dict:
    said = {"protocol": peer.protocol, "endpoint": peer.url, "samplingRate": 1, **more}
    return {"OBSERVABILITY_CONFIG": {"tracing": said}, "PENSTOCK_QUIET_MS": "0"}


def end(sidecar: Sidecar) -> None:
    sidecar.term()
    assert sidecar.status(EXIT_S) == 0


def spans_of(message) -> dict:
    """Spans by name."""
    return {
        span.name: span for resource in message.resource_spans for scope in resource.scope_spans for span in scope.spans
    }


def attributes(span) -> dict:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


@pytest.mark.spec("DP-150")
@pytest.mark.parametrize("limit", ["0", "3"], ids=["no limit", "limit"])
def test_a_request_is_a_server_span_with_its_children(sidecar, origin, peer, limit):
    s = sidecar(CONTAINER_CONCURRENCY=limit, **tracing(peer))
    answer = s.get("/path?q=1", f"traceparent: {SAMPLED}", "tracestate: a=1", "tracestate: b=2", "User-Agent: me")
    assert answer.status == 200
    seen = origin.last()
    end(s)
    message = peer.next()
    spans = spans_of(message)
    names = {"GET", "kn.queueproxy.proxy", "HTTP GET"} | ({"kn.queueproxy.wait"} if limit != "0" else set())
    assert set(spans) == names
    server, proxy, client = spans["GET"], spans["kn.queueproxy.proxy"], spans["HTTP GET"]
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert server.parent_span_id.hex() == PARENT
    assert proxy.parent_span_id == server.span_id
    assert client.parent_span_id == proxy.span_id
    assert seen.get("traceparent") == f"00-{TRACE}-{client.span_id.hex()}-01".encode()
    assert seen.all("tracestate") == [b"a=1", b"b=2"]
    assert server.trace_state == "a=1,b=2"
    assert server.start_time_unix_nano <= client.start_time_unix_nano <= client.end_time_unix_nano
    assert abs(server.start_time_unix_nano - time.time_ns()) < 60 * 10**9
    said = attributes(server)
    assert (said["http.response.status_code"], said["url.path"], said["kn.route.tag"]) == (200, "/path", "kn:disabled")
    resource = attributes(message.resource_spans[0].resource)
    assert (resource["kn.revision.name"], resource["service.name"]) == ("hello-00001", "hello")


@pytest.mark.spec("DP-150")
def test_a_request_without_a_trace_begins_one_and_probes_do_not(sidecar, origin, peer):
    s = sidecar(**tracing(peer))
    assert s.get("/probe", "K-Kubelet-Probe: x").status == 200
    assert origin.last().get("traceparent") is None
    assert s.get("/", "tracestate: a=1").status == 200
    seen = origin.last()
    end(s)
    spans = spans_of(peer.next())
    assert len(spans) == 3
    assert spans["GET"].parent_span_id == b""
    trace = spans["GET"].trace_id.hex()
    assert seen.get("traceparent") == f"00-{trace}-{spans['HTTP GET'].span_id.hex()}-01".encode()
    assert seen.get("tracestate") is None
    assert peer.arrived.empty()


def test_a_caller_who_does_not_sample_is_followed(sidecar, origin, peer):
    s = sidecar(**tracing(peer, samplingRate=0.5))
    assert s.get("/", f"traceparent: {NOT_SAMPLED}").status == 200
    head = origin.last().get("traceparent")
    assert head.startswith(f"00-{TRACE}-".encode())
    assert head.endswith(b"-00")
    assert PARENT.encode() not in head.split(b"-")[2]
    assert s.get("/", f"traceparent: {SAMPLED}").status == 200
    end(s)
    assert len(spans_of(peer.next())) == 3
    assert peer.arrived.empty()


@pytest.mark.spec("DP-151")
def test_with_tracing_off_headers_pass_byte_for_byte_and_none_is_made(sidecar, origin):
    s = sidecar()
    odd = "42-whatever-it-is"
    s.get("/", f"TraceParent: {odd}", "tracestate: a=1", "tracestate: b=2 ", "baggage: k=v;p , x = y")
    head = origin.last()
    assert (head.get("traceparent"), head.get("baggage")) == (odd.encode(), b"k=v;p , x = y")
    assert head.all("tracestate") == [b"a=1", b"b=2"]
    s.get("/")
    assert not {name.lower() for name, _ in origin.last().fields} & {b"traceparent", b"tracestate", b"baggage"}


def test_a_failed_call_is_seen_in_its_spans(sidecar, app, peer):
    s = sidecar(**tracing(peer))
    with s.connect() as line:
        line.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        upstream = app.accept()
        upstream.request()
        upstream.reset()
        assert line.answer().status == 502
    end(s)
    spans = spans_of(peer.next())
    assert attributes(spans["POST"])["http.response.status_code"] == 502
    assert attributes(spans["HTTP POST"])["error.type"] == "reset_before_head"
    assert spans["HTTP POST"].status.code == 2


def test_traces_on_standard_output_are_json_lines(sidecar):
    s = sidecar(OBSERVABILITY_CONFIG={"tracing": {"protocol": "stdout"}}, PENSTOCK_QUIET_MS="0")
    assert s.get("/").status == 200
    end(s)
    assert [json.loads(line)["Name"] for line in s.stdout().splitlines()] == ["GET", "kn.queueproxy.proxy", "HTTP GET"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_is_not_there_disturbs_nobody(sidecar, free_port, protocol):
    nowhere = {"protocol": protocol, "endpoint": f"http://127.0.0.1:{free_port}"}
    s = sidecar(
        OBSERVABILITY_CONFIG={"tracing": {**nowhere, "samplingRate": 1}, "requestMetrics": nowhere},
        OTEL_METRIC_EXPORT_INTERVAL="50",
        PENSTOCK_QUIET_MS="0",
    )
    for _ in range(20):
        assert s.get("/").status == 200
    s.term()
    assert s.status(EXIT_S) == 0
    assert "metrics are not taken by the collector" in s.stderr()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_collector_that_never_answers_holds_the_exit_up_for_ten_seconds_at_most(sidecar, origin, protocol):
    origin.answers("/", b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        nowhere = {"protocol": protocol, "endpoint": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        s = sidecar(
            OBSERVABILITY_CONFIG={"tracing": {**nowhere, "samplingRate": 1}, "requestMetrics": nowhere},
            PENSTOCK_QUIET_MS="0",
        )
        assert s.get("/").status == 200
        began = time.monotonic()
        s.term()
        assert s.status(EXIT_S) == 0
    assert time.monotonic() - began < 20


@pytest.mark.spec("DP-135", "DP-136", "DP-137")
def test_metrics_are_pushed_and_once_more_at_the_end(sidecar, peer):
    s = sidecar(
        OBSERVABILITY_CONFIG={"requestMetrics": {"protocol": peer.protocol, "endpoint": peer.url}},
        CONTAINER_CONCURRENCY="2",
        PENSTOCK_QUIET_MS="0",
    )
    assert s.get("/").status == 200
    end(s)
    message = peer.next()
    while not peer.arrived.empty():
        message = peer.next()
    metrics = {m.name: m for r in message.resource_metrics for scope in r.scope_metrics for m in scope.metrics}
    (point,) = metrics["kn.serving.invocation.duration"].histogram.data_points
    assert (point.count, len(point.explicit_bounds)) == (1, 14)
    assert metrics["kn.serving.queue.depth"].gauge.data_points[0].as_int == 0
    (point,) = metrics["http.server.request.duration"].histogram.data_points
    assert attributes(point)["http.request.method"] == "GET"
    assert metrics["penstock.queued.time"].sum.data_points[0].as_double >= 0


@pytest.fixture
def free_port():
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as end:
        end.bind(("127.0.0.1", 0))
        yield end.getsockname()[1]
