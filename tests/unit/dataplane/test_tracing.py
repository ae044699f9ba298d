"""Tracing: what a collector receives is what happened."""

from __future__ import annotations

import json
import os
import threading
from types import SimpleNamespace

import grpc
import pytest
from bare import loaded_by
from otlp_peer import GrpcPeer, HttpPeer

from dataplane.collector import split_url
from dataplane.metrics.catalog import Resource
from dataplane.tracing import (
    ALWAYS,
    PARENT,
    QUEUE_MAX,
    ROOT,
    OtlpTraces,
    StdoutTraces,
    Trace,
    queue_proxy,
    sampler,
    spans,
)

NAMING = queue_proxy(8080)
RESOURCE = Resource(
    namespace="default",
    pod="hello-00001-abc",
    service_name="hello",
    service="hello",
    configuration="",
    revision="hello-00001",
    version="1.2.3",
)
START = 1_700_000_000_000_000_000


def trace(**changes) -> Trace:
    fields = {
        "trace_id": bytes(range(16)),
        "parent_id": b"parentid",
        "server_id": b"serverid",
        "client_id": b"clientid",
        "state": "vendor=1",
        "method": "GET",
        "target": "/path?q=1",
        "status": 200,
        "host": "hello.example",
        "port": "8080",
        "scheme": "http",
        "version": "1.1",
        "tag": "kn:disabled",
        "remote_addr": "127.0.0.9:5123",
        "user_agent": "curl/8",
        "start_unix_ns": START,
        "admitted_ns": 1_000,
        "connect_ns": 2_000,
        "first_byte_ns": 3_000,
        "end_ns": 9_000,
        "limited": True,
    }
    return Trace(**(fields | changes))


def named(found, name):
    return next(s for s in found if s.name == name)


@pytest.fixture(params=[HttpPeer, GrpcPeer], ids=["http", "grpc"])
def peer(request):
    made = request.param()
    yield made
    made.close()


def pushing(peer, period_s=600.0, url=None) -> tuple[OtlpTraces, list]:
    told: list[str] = []
    protocol = "grpc" if isinstance(peer, GrpcPeer) else "http/protobuf"
    target = url or (peer.url if protocol == "grpc" else peer.url + "/v1/traces")
    made = OtlpTraces(RESOURCE, "1.2.3", NAMING, protocol=protocol, url=target, tell=told.append, period_s=period_s)
    made.start()
    return made, told


@pytest.mark.spec("DP-150")
def test_a_collector_gets_the_server_span_and_its_children(peer):
    traces, told = pushing(peer)
    traces.add(trace())
    traces.close()
    (entry,) = peer.next().resource_spans
    attributes = {a.key: a.value.string_value for a in entry.resource.attributes}
    assert attributes["kn.revision.name"] == "hello-00001"
    assert "kn.configuration.name" not in attributes
    found = entry.scope_spans[0].spans
    server, proxy = named(found, "GET"), named(found, "kn.queueproxy.proxy")
    wait, client = named(found, "kn.queueproxy.wait"), named(found, "HTTP GET")
    assert {s.trace_id for s in found} == {bytes(range(16))}
    assert (server.span_id, server.parent_span_id, server.trace_state) == (b"serverid", b"parentid", "vendor=1")
    assert proxy.parent_span_id == server.span_id
    assert wait.parent_span_id == client.parent_span_id == proxy.span_id
    assert client.span_id == b"clientid"
    assert (server.start_time_unix_nano, server.end_time_unix_nano) == (START, START + 9_000)
    assert (wait.start_time_unix_nano, wait.end_time_unix_nano) == (START, START + 1_000)
    assert (client.start_time_unix_nano, client.end_time_unix_nano) == (START + 2_000, START + 9_000)
    assert {a.key: a.value.string_value for a in server.attributes}["kn.route.tag"] == "kn:disabled"
    assert told == []
    assert traces.dropped == 0


@pytest.mark.spec("DP-150")
def test_without_a_limit_there_is_no_wait():
    names = [s.name for s in spans(trace(limited=False), NAMING, os.urandom)]
    assert names == ["GET", "kn.queueproxy.proxy", "HTTP GET"]


def test_a_request_that_never_reached_the_container_has_no_client_span():
    found = spans(trace(admitted_ns=None, connect_ns=None, status=503, fault="WAITING_ROOM_FULL"), NAMING, os.urandom)
    assert [s.name for s in found] == ["GET", "kn.queueproxy.proxy", "kn.queueproxy.wait"]
    assert found[0].fault == "WAITING_ROOM_FULL"
    assert found[2].end_ns == START + 9_000


def test_an_unknown_method_names_the_span_http():
    found = spans(trace(method="BREW"), NAMING, os.urandom)
    assert [found[0].name, found[-1].name] == ["HTTP", "HTTP"]
    assert dict(found[0].attributes)["http.request.method"] == "_OTHER"


def test_odd_bytes_of_a_caller_do_not_lose_the_batch(peer):
    traces, _ = pushing(peer)
    traces.add(trace(state="a=\udcff", host="h\udcff", target="/\udcff", user_agent="\udc80"))
    traces.close()
    span = peer.next().resource_spans[0].scope_spans[0].spans[0]
    assert span.trace_state == "a=\ufffd"


def test_a_full_batch_leaves_at_once(peer):
    traces, _ = pushing(peer)
    for _ in range(512):
        traces.add(trace())
    assert len(peer.next().resource_spans[0].scope_spans[0].spans) == 4 * 512
    traces.close()


def test_a_collector_that_is_busy_gets_the_batch_again(peer):
    peer.refusals.put(grpc.StatusCode.UNAVAILABLE if isinstance(peer, GrpcPeer) else 503)
    traces, told = pushing(peer)
    traces.add(trace())
    traces.close()
    assert len(peer.next().resource_spans) == 1
    assert traces.dropped == 0
    assert told[0].startswith("traces are not taken by the collector: ")
    assert told[1] == "traces are taken again"


def test_a_batch_that_is_refused_is_dropped_and_told(peer):
    peer.refusals.put(grpc.StatusCode.INVALID_ARGUMENT if isinstance(peer, GrpcPeer) else 400)
    traces, told = pushing(peer)
    traces.add(trace())
    traces.close()
    assert traces.dropped == 1
    assert len(told) == 1


@pytest.mark.parametrize("kind", [HttpPeer, GrpcPeer], ids=["http", "grpc"])
def test_a_collector_that_is_gone_cannot_hold_up_the_exit(kind):
    peer = kind()
    peer.close()
    traces, told = pushing(peer)
    traces.add(trace())
    traces.close(timeout_s=1.0)
    assert len(told) == 1
    assert traces.dropped == 1


def test_traces_past_the_queue_are_dropped_and_counted():
    peer = HttpPeer()
    peer.close()
    traces, _ = pushing(peer)
    for _ in range(QUEUE_MAX + 600):
        traces.add(trace())
    traces.close(timeout_s=0.2)
    assert traces.dropped == QUEUE_MAX + 600


def test_stdout_gets_one_json_line_per_span():
    lines: list[bytes] = []
    StdoutTraces(RESOURCE, "1.2.3", NAMING, lines.append).add(trace(host="\udcff"))
    said = [json.loads(line) for line in lines]
    assert [s["Name"] for s in said] == ["GET", "kn.queueproxy.proxy", "kn.queueproxy.wait", "HTTP GET"]
    assert said[0]["SpanContext"]["TraceID"] == bytes(range(16)).hex()
    assert said[1]["Parent"]["SpanID"] == said[0]["SpanContext"]["SpanID"]
    assert said[0]["Attributes"]["server.address"] == "\ufffd"
    assert all(line.endswith(b"\n") for line in lines)


@pytest.mark.parametrize(
    ("name", "ratio", "decision"),
    [
        ("always_on", 1.0, (ROOT, ALWAYS)),
        ("always_off", 1.0, (ROOT, 0)),
        ("traceidratio", 0.25, (ROOT, 1 << 62)),
        ("parentbased_traceidratio", 0.5, (PARENT, 1 << 63)),
        ("parentbased_traceidratio", 1.0, (PARENT, ALWAYS)),
        ("parentbased_always_on", 0.1, (PARENT, ALWAYS)),
        ("parentbased_always_off", 0.1, (PARENT, 0)),
    ],
)
def test_a_sampler_is_a_mode_and_a_threshold(name, ratio, decision):
    assert sampler(SimpleNamespace(sampler=name, ratio=ratio)) == decision


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://c", ("http", "c", 80, "/")),
        ("https://c/v1/x", ("https", "c", 443, "/v1/x")),
        ("http://[::1]:4318/v1", ("http", "::1", 4318, "/v1")),
        ("http://[::1]", ("http", "::1", 80, "/")),
    ],
)
def test_an_endpoint_is_taken_apart(url, parts):
    assert split_url(url) == parts


@pytest.mark.parametrize("url", ["", "c:4317", "ftp://c", "http://", "http://c:x"])
def test_what_is_no_endpoint_is_refused(url):
    with pytest.raises(ValueError, match=r"endpoint|port"):
        split_url(url)


def test_adding_from_many_threads_loses_nothing():
    peer = HttpPeer()
    traces, _ = pushing(peer, period_s=0.01)
    threads = [threading.Thread(target=lambda: [traces.add(trace()) for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    traces.close()
    peer.close()
    count = 0
    while not peer.arrived.empty():
        count += len(peer.next().resource_spans[0].scope_spans[0].spans)
    assert count + 4 * traces.dropped == 1600
    assert traces.dropped == 0


@pytest.mark.spec("DP-151")
def test_with_tracing_off_nothing_of_opentelemetry_is_loaded():
    unwanted = ("opentelemetry", "google", "grpc", "socket", "threading", "typing")
    assert [m for m in loaded_by("dataplane.tracing", "dataplane.metrics.prometheus") if m.startswith(unwanted)] == []
