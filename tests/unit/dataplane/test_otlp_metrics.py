"""OTLP metrics: a collector reads the same numbers as a scraper."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from otlp_peer import GrpcPeer, HttpPeer

from dataplane.metrics import catalog
from dataplane.metrics.otlp import Encoder, MetricsPush

RESOURCE = catalog.Resource(
    namespace="default",
    pod="hello-00001-abc",
    service_name="hello",
    service="hello",
    configuration="hello",
    revision="hello-00001",
    version="1.2.3",
)
DURATION = ((1, 0, 2) + (0,) * 12, 0.05, 3)
SIZE = ((0, 3) + (0,) * 14, 9.0, 3)


def snapshot(waiting: int | None = 2) -> SimpleNamespace:
    return SimpleNamespace(
        series={("GET", "http", "hello.example", "8080", "1.1", 200, "kn:disabled"): (DURATION, SIZE, SIZE)},
        invocation={200: DURATION},
        client={("GET", "CONNECT_REFUSED", "1.1", "kn:disabled"): (DURATION, SIZE)},
        waiting=waiting,
        counters={"retries": 4, "faults": {"CONNECT_REFUSED": 2}},
    )


@pytest.fixture(params=[HttpPeer, GrpcPeer], ids=["http", "grpc"])
def peer(request):
    made = request.param()
    yield made
    made.close()


def pushed(peer, told: list, interval_s: float = 600.0, **changes) -> MetricsPush:
    grpc = isinstance(peer, GrpcPeer)
    made = MetricsPush(
        Encoder(RESOURCE, "1.2.3", 8080, start_ns=1),
        lambda: snapshot(**changes),
        protocol="grpc" if grpc else "http/protobuf",
        url=peer.url if grpc else peer.url + "/v1/metrics",
        interval_s=interval_s,
        tell=told.append,
    )
    made.start()
    return made


def metrics(message) -> dict:
    return {m.name: m for m in message.resource_metrics[0].scope_metrics[0].metrics}


def attributes(point) -> dict:
    return {a.key: a.value.string_value or a.value.int_value for a in point.attributes}


@pytest.mark.spec("DP-135", "DP-136", "DP-137", "DP-141")
def test_the_last_push_carries_every_family(peer):
    told: list[str] = []
    pushed(peer, told).close()
    message = peer.next()
    assert {"kn.revision.name": "hello-00001", "container.name": "queue-proxy"}.items() <= {
        a.key: a.value.string_value for a in message.resource_metrics[0].resource.attributes
    }.items()
    found = metrics(message)
    (point,) = found["http.server.request.duration"].histogram.data_points
    assert (point.count, point.sum, tuple(point.bucket_counts)) == (3, 0.05, DURATION[0])
    assert tuple(point.explicit_bounds) == catalog.SECONDS
    assert attributes(point)["http.response.status_code"] == 200
    assert attributes(point)["server.port"] == 8080
    assert attributes(found["http.client.request.duration"].histogram.data_points[0])["error.type"] == "CONNECT_REFUSED"
    assert found["kn.serving.queue.depth"].gauge.data_points[0].as_int == 2
    assert found["penstock.faults"].sum.is_monotonic
    assert attributes(found["penstock.faults"].sum.data_points[0]) == {"fault": "CONNECT_REFUSED"}
    assert told == []


@pytest.mark.spec("DP-136")
def test_without_a_limit_no_queue_depth_is_pushed(peer):
    pushed(peer, [], waiting=None).close()
    assert "kn.serving.queue.depth" not in metrics(peer.next())


def test_pushes_come_at_the_interval(peer):
    push = pushed(peer, [], interval_s=0.05)
    first, second = peer.next(), peer.next()
    push.close()
    times = [metrics(m)["penstock.retries"].sum.data_points[0].time_unix_nano for m in (first, second)]
    assert times[0] < times[1]


def test_a_collector_that_is_gone_is_told_once_and_holds_nothing_up():
    peer = HttpPeer()
    peer.close()
    told: list[str] = []
    pushed(peer, told).close(timeout_s=0.7)
    assert len(told) == 1
    assert told[0].startswith("metrics are not taken by the collector: ")
