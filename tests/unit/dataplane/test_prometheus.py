"""Prometheus text: what a scraper reads is what the engine counted."""

from __future__ import annotations

import shutil
import subprocess
from types import SimpleNamespace

import pytest
from bare import loaded_by
from prometheus_client.parser import text_string_to_metric_families

from dataplane.metrics import catalog
from dataplane.metrics.fold import OTHER
from dataplane.metrics.prometheus import Prometheus

RESOURCE = catalog.Resource(
    namespace="default",
    pod="hello-00001-abc",
    service_name="hello",
    service="hello",
    configuration="hello",
    revision="hello-00001",
    version="1.2.3",
)


def histogram(bounds: tuple, *values: float) -> tuple:
    counts = [0] * (len(bounds) + 1)
    for value in values:
        counts[next((i for i, bound in enumerate(bounds) if value <= bound), len(bounds))] += 1
    return tuple(counts), float(sum(values)), len(values)


def server_parts(*seconds: float) -> tuple:
    sizes = histogram(catalog.BYTES, *[3.0] * len(seconds))
    return histogram(catalog.SECONDS, *seconds), sizes, sizes


def key(method="GET", scheme="http", host="hello.example", port="8080", version="1.1", status=200, tag="kn:disabled"):
    return (method, scheme, host, port, version, status, tag)


def snapshot(**changes) -> SimpleNamespace:
    fields = {
        "series": {key(): server_parts(0.003, 0.2, 20)},
        "invocation": {200: histogram(catalog.SECONDS, 0.003)},
        "client": {("GET", 200, "1.1", "kn:disabled"): server_parts(0.003)[:2]},
        "request_ms": {(200, "kn:disabled"): histogram(catalog.OLD_MS, 3, 70, 200000)},
        "app_ms": {200: histogram(catalog.OLD_MS, 3)},
        "waiting": 3,
        "pending": 5,
        "counters": {"retries": 4, "faults": {"CONNECT_REFUSED": 2}, "connections_open": {"main": 7}},
    }
    return SimpleNamespace(**(fields | changes))


def text(names: str = "new", **changes) -> str:
    return Prometheus(RESOURCE, "1.2.3", 8080, names).render(snapshot(**changes)).decode()


def samples(page: str, name: str) -> list:
    # The parser gives every counter the suffix that OpenMetrics wants.
    names = (name, name + "_total") if name.startswith("revision_") else (name,)
    return [s for family in text_string_to_metric_families(page) for s in family.samples if s.name in names]


@pytest.mark.spec("DP-135")
def test_one_invocation_is_counted_once_in_fourteen_buckets():
    page = text()
    (count,) = samples(page, "kn_serving_invocation_duration_seconds_count")
    assert count.labels["http_response_status_code"] == "200"
    assert count.value == 1
    bounds = [s.labels["le"] for s in samples(page, "kn_serving_invocation_duration_seconds_bucket")]
    assert bounds == ["0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5",
                      "10", "+Inf"]  # fmt: skip


@pytest.mark.spec("DP-136")
def test_the_queue_depth_exists_only_with_a_limit():
    assert [s.value for s in samples(text(), "kn_serving_queue_depth")] == [3]
    assert samples(text(waiting=None), "kn_serving_queue_depth") == []
    assert [s.value for s in samples(text(waiting=0), "kn_serving_queue_depth")] == [0]


@pytest.mark.spec("DP-137", "DP-139")
def test_server_metrics_carry_exactly_the_labels_of_upstream():
    (count,) = samples(text(), "http_server_request_duration_seconds_count")
    assert count.labels == {
        "http_request_method": "GET",
        "http_response_status_code": "200",
        "kn_route_tag": "kn:disabled",
        "network_protocol_name": "http",
        "network_protocol_version": "1.1",
        "otel_scope_name": "penstock",
        "otel_scope_schema_url": "",
        "otel_scope_version": "1.2.3",
        "server_address": "hello.example",
        "server_port": "8080",
        "url_scheme": "http",
    }
    assert count.value == 3
    buckets = {s.labels["le"]: s.value for s in samples(text(), "http_server_request_duration_seconds_bucket")}
    assert (buckets["0.005"], buckets["0.1"], buckets["0.25"], buckets["10"], buckets["+Inf"]) == (1, 1, 2, 2, 3)


@pytest.mark.parametrize(
    ("scheme", "port", "shown"), [("http", "80", None), ("https", "443", None), ("http", "443", "443")]
)
def test_a_default_port_is_left_out(scheme, port, shown):
    (count,) = samples(
        text(series={key(scheme=scheme, port=port): server_parts(1)}), "http_server_request_body_size_bytes_count"
    )
    assert count.labels.get("server_port") == shown


@pytest.mark.spec("DP-138")
def test_a_refused_request_is_a_server_sample_and_no_invocation():
    page = text(series={key(status=503): server_parts(0.001)}, invocation={}, client={})
    assert samples(page, "http_server_request_duration_seconds_count")[0].labels["http_response_status_code"] == "503"
    assert samples(page, "kn_serving_invocation_duration_seconds_count") == []


@pytest.mark.spec("DP-137")
def test_a_call_that_never_was_answered_carries_its_error_and_no_status():
    page = text(client={("GET", "CONNECT_REFUSED", "1.1", "kn:disabled"): server_parts(1)[:2]})
    (count,) = samples(page, "http_client_request_duration_seconds_count")
    assert count.labels["error_type"] == "CONNECT_REFUSED"
    assert "http_response_status_code" not in count.labels
    assert (count.labels["server_address"], count.labels["server_port"]) == ("127.0.0.1", "8080")


@pytest.mark.spec("DP-141")
def test_target_info_says_who_reports():
    (info,) = samples(text(), "target_info")
    assert info.labels == {
        "container_name": "queue-proxy",
        "k8s_namespace_name": "default",
        "k8s_pod_name": "hello-00001-abc",
        "kn_configuration_name": "hello",
        "kn_revision_name": "hello-00001",
        "kn_service_name": "hello",
        "service_instance_id": "hello-00001-abc",
        "service_name": "hello",
        "service_version": "1.2.3",
    }


def test_hosts_and_methods_of_callers_are_bounded():
    many = {key(host=f"h{i}", method=f"M{i}"): server_parts(1) for i in range(150)}
    found = samples(text(series=many), "http_server_request_duration_seconds_count")
    assert len(found) == 101
    assert {s.labels["http_request_method"] for s in found} == {OTHER}
    assert [s.value for s in found if s.labels["server_address"] == OTHER] == [50]


def test_series_that_fall_together_are_added():
    page = text(series={key(method=m, port=p): server_parts(0.003) for m, p in (("get", "80"), ("GET", None))})
    (count,) = samples(page, "http_server_request_duration_seconds_count")
    assert (count.labels["http_request_method"], count.value) == ("GET", 2)


def test_any_text_in_a_label_survives_the_parser():
    odd = 'a"b\\c\nd%s{}\udcff ä'
    (count,) = samples(text(series={key(host=odd): server_parts(1)}), "http_server_request_duration_seconds_count")
    assert count.labels["server_address"] == odd.replace("\udcff", "\ufffd")


def test_old_names_have_the_labels_and_buckets_of_their_time():
    page = text("old")
    (count,) = samples(page, "revision_request_count")
    assert count.labels == {
        "configuration_name": "hello",
        "container_name": "queue-proxy",
        "namespace_name": "default",
        "pod_name": "hello-00001-abc",
        "response_code": "200",
        "response_code_class": "2xx",
        "revision_name": "hello-00001",
        "route_tag": "DISABLED",
        "service_name": "hello",
    }
    assert count.value == 3
    buckets = {s.labels["le"]: s.value for s in samples(page, "revision_request_latencies_bucket")}
    assert (len(buckets), buckets["5"], buckets["80"], buckets["100000"], buckets["+Inf"]) == (27, 1, 2, 2, 3)
    assert samples(page, "revision_app_request_count")[0].value == 1
    assert samples(page, "revision_queue_depth")[0].value == 5
    assert samples(page, "kn_serving_queue_depth") == []


def test_both_names_can_stand_side_by_side():
    page = text("both")
    assert samples(page, "revision_app_request_latencies_count")
    assert samples(page, "kn_serving_invocation_duration_seconds_count")


def test_our_own_counters_are_shown_by_cause():
    page = text()
    assert [(s.labels, s.value) for s in samples(page, "penstock_faults_total")] == [({"fault": "CONNECT_REFUSED"}, 2)]
    assert samples(page, "penstock_retries_total")[0].value == 4
    assert samples(page, "process_resident_memory_bytes")[0].value > 1_000_000


@pytest.mark.parametrize("names", ["new", "both"])
def test_promtool_finds_nothing_but_the_old_names(names):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH (Debian package prometheus)")
    counters = {f.field: {"x": 1} if f.label else 1 for f in catalog.OWN}
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text(names, counters=counters), capture_output=True, text=True, timeout=60
    )
    complaints = [line for line in (checked.stdout + checked.stderr).splitlines() if not line.startswith("revision_")]
    assert complaints == []


def test_rendering_imports_nothing_that_a_bare_sidecar_does_without():
    unwanted = {
        "asyncio", "dataclasses", "typing", "enum", "re", "logging", "json", "inspect", "collections", "urllib", "http",
        "socket", "threading",
    }  # fmt: skip
    assert loaded_by("dataplane.metrics.prometheus", "dataplane.accesslog") & unwanted == set()


def test_old_names_carry_the_pod_that_the_autoscaler_knows():
    identity = SimpleNamespace(
        namespace="ns",
        service="",
        configuration="c",
        revision="r",
        pod="serving",
        telemetry_pod="host",
        telemetry_service="c",
    )
    resource = catalog.Resource.of(identity, "1.2.3")
    page = Prometheus(resource, "1.2.3", 8080, "both").render(snapshot()).decode()
    assert samples(page, "revision_request_count")[0].labels["pod_name"] == "serving"
    assert samples(page, "target_info")[0].labels["k8s_pod_name"] == "host"
    assert "kn_service_name" not in samples(page, "target_info")[0].labels
