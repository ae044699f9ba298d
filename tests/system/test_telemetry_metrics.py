"""Metrics port of the real sidecar: what Prometheus reads (spec 1.14, W7, W27, W28)."""

from __future__ import annotations

import ssl
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.certificates import make_pair
from tests.line import Line
from tests.sidecarfixture import METRICS_PORT, Sidecar
from tests.waiting import until

PROMETHEUS = {"OBSERVABILITY_CONFIG": {"requestMetrics": {"protocol": "prometheus"}}}
SERVER = "http_server_request_duration_seconds_count"
INVOCATION = "kn_serving_invocation_duration_seconds_count"
CLIENT = "http_client_request_duration_seconds_count"
DEPTH = "kn_serving_queue_depth"
OURS = {"otel_scope_name", "otel_scope_schema_url", "otel_scope_version"}


def page(sidecar: Sidecar) -> str:
    return sidecar.get("/metrics", port=METRICS_PORT).body.decode()


def samples(text: str, name: str) -> list:
    return [s for family in text_string_to_metric_families(text) for s in family.samples if s.name == name]


def counted(sidecar: Sidecar, name: str, label: str) -> dict[str, float]:
    """Values of a family by one label; samples that share it are added."""
    found: dict[str, float] = {}
    for sample in samples(page(sidecar), name):
        found[sample.labels[label]] = found.get(sample.labels[label], 0) + sample.value
    return found


def until_counted(sidecar: Sidecar, name: str, label: str, wanted: dict[str, float]) -> None:
    """Waits until a family says that; figures of a request come a moment after its last byte."""

    def found() -> dict[str, float]:
        return counted(sidecar, name, label)

    until(lambda: found() == wanted, lambda: f"{name} {wanted}, but {found()}")


@pytest.mark.spec("DP-135")
def test_one_request_is_one_sample_with_the_documented_bounds(sidecar):
    s = sidecar(**PROMETHEUS)
    assert s.get("/").status == 200
    until_counted(s, INVOCATION, "http_response_status_code", {"200": 1})
    bounds = [one.labels["le"] for one in samples(page(s), "kn_serving_invocation_duration_seconds_bucket")]
    assert bounds == ["0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75", "1", "2.5", "5", "7.5",
                      "10", "+Inf"]  # fmt: skip


@pytest.mark.spec("DP-136")
def test_the_queue_depth_counts_who_waits_and_comes_back_to_nothing(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar(**PROMETHEUS, CONTAINER_CONCURRENCY="1")
    lines = [s.send("GET /held") for _ in range(3)]
    until_counted(s, DEPTH, "otel_scope_name", {"penstock": 2})
    assert samples(page(s), "penstock_requests_in_flight")[0].value == 3
    hold.finish()
    assert [line.answer().status for line in lines] == [200] * 3
    for line in lines:
        line.close()
    until_counted(s, DEPTH, "otel_scope_name", {"penstock": 0})


@pytest.mark.spec("DP-136")
def test_without_a_limit_there_is_no_queue_depth(sidecar):
    s = sidecar(**PROMETHEUS)
    s.get("/")
    assert DEPTH not in page(s)


@pytest.mark.spec("DP-137", "DP-141")
def test_server_and_client_metrics_carry_the_labels_of_upstream(sidecar, origin):
    s = sidecar(**PROMETHEUS, POD_NAME="pod-7")
    with s.connect() as line:
        line.send(b"POST / HTTP/1.1\r\nHost: Shop.example:8443\r\nContent-Length: 7\r\n\r\n1234567")
        assert line.answer().status == 200
    until_counted(s, SERVER, "server_address", {"Shop.example": 1})
    text = page(s)
    (server,) = samples(text, SERVER)
    assert {k: v for k, v in server.labels.items() if k not in OURS} == {
        "http_request_method": "POST",
        "http_response_status_code": "200",
        "kn_route_tag": "kn:disabled",
        "network_protocol_name": "http",
        "network_protocol_version": "1.1",
        "server_address": "Shop.example",
        "server_port": "8443",
        "url_scheme": "http",
    }
    (client,) = samples(text, CLIENT)
    assert (client.labels["server_address"], client.labels["server_port"]) == ("127.0.0.1", str(origin.port))
    assert [one.value for one in samples(text, "http_server_request_body_size_bytes_sum")] == [7]
    assert [one.value for one in samples(text, "http_server_response_body_size_bytes_sum")] == [5]
    (info,) = samples(text, "target_info")
    wanted = {
        "container_name": "queue-proxy",
        "k8s_namespace_name": "default",
        "k8s_pod_name": "pod-7",
        "kn_service_name": "hello",
        "kn_configuration_name": "hello",
        "kn_revision_name": "hello-00001",
    }
    assert wanted.items() <= info.labels.items()


def test_every_method_is_counted_under_its_own_name(sidecar):
    s = sidecar(**PROMETHEUS)
    known = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
    for method in [*known, "BREW"]:
        with s.send(f"{method} /") as line:
            assert line.answer(method).status == 200
    until_counted(s, SERVER, "http_request_method", dict.fromkeys([*known, "_OTHER"], 1))


@pytest.mark.spec("DP-138")
def test_a_full_queue_is_a_server_sample_and_no_invocation(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar(**PROMETHEUS, CONTAINER_CONCURRENCY="1")
    lines = [s.send("GET /held") for _ in range(11)]
    until_counted(s, DEPTH, "otel_scope_name", {"penstock": 10})
    assert s.get("/").status == 503
    until_counted(s, SERVER, "http_response_status_code", {"503": 1})
    assert counted(s, INVOCATION, "http_response_status_code") == {}
    hold.finish()
    assert [line.answer().status for line in lines] == [200] * 11
    for line in lines:
        line.close()
    until_counted(s, INVOCATION, "http_response_status_code", {"200": 11})


TAGS = [
    ((), "kn:disabled"),
    (("Knative-Serving-Tag: ",), "kn:disabled"),
    (("Knative-Serving-Default-Route: true",), "kn:default"),
    (("Knative-Serving-Default-Route: x",), "kn:default"),
    (("Knative-Serving-Tag: blue", "Knative-Serving-Default-Route: true"), "kn:undefined"),
    (("Knative-Serving-Tag: blue", "Knative-Serving-Default-Route: false"), "blue"),
    (("Knative-Serving-Tag: green",), "green"),
]


@pytest.mark.spec("DP-139")
def test_the_route_tag_follows_the_table(sidecar):
    s = sidecar(**PROMETHEUS)
    wanted: dict[str, float] = {}
    for fields, tag in TAGS:
        s.get("/", *fields)
        wanted[tag] = wanted.get(tag, 0) + 1
    until_counted(s, SERVER, "kn_route_tag", wanted)
    assert counted(s, CLIENT, "kn_route_tag") == wanted


@pytest.mark.spec("DP-140")
def test_probes_leave_no_sample_and_what_only_looks_like_one_does(sidecar):
    s = sidecar(**PROMETHEUS)
    assert s.get("/", "User-Agent: kube-probe/1.34", "K-Network-Probe: queue").status == 200
    assert s.get("/", "K-Network-Probe: probe", "K-Network-Hash: h").status == 200
    assert s.get("/", "K-Kubelet-Probe: queue").status == 200
    assert s.get("/", "K-Network-Probe: other").status == 200
    until_counted(s, SERVER, "http_response_status_code", {"200": 1})
    assert counted(s, INVOCATION, "http_response_status_code") == {"200": 1}
    assert counted(s, CLIENT, "http_response_status_code") == {"200": 1}
    assert samples(page(s), "penstock_probes_total")[0].value == 2


def test_a_request_that_runs_out_of_time_is_504_everywhere(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar(**PROMETHEUS, REVISION_TIMEOUT_SECONDS="1")
    assert s.get("/held").status == 504
    until_counted(s, SERVER, "http_response_status_code", {"504": 1})
    assert counted(s, INVOCATION, "http_response_status_code") == {"504": 1}
    assert counted(s, CLIENT, "error_type") == {"request_timed_out": 1}
    hold.finish()


def test_a_caller_that_leaves_is_499_everywhere(sidecar, origin):
    hold = origin.holds("/held")
    s = sidecar(**PROMETHEUS)
    with s.connect() as line:
        line.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        hold.until_reached()
    until_counted(s, SERVER, "http_response_status_code", {"499": 1})
    assert counted(s, INVOCATION, "http_response_status_code") == {"499": 1}
    hold.finish()


def test_an_answer_that_the_app_breaks_off_is_500_everywhere(sidecar, app):
    s = sidecar(**PROMETHEUS)
    with s.connect() as line:
        line.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upstream = app.accept()
        upstream.request()
        upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbeginning")
        assert line.head().status == 200
        upstream.close()
        line.ending()
    until_counted(s, SERVER, "http_response_status_code", {"500": 1})
    assert counted(s, INVOCATION, "http_response_status_code") == {"500": 1}
    assert counted(s, "penstock_faults_total", "fault") == {"closed_in_body": 1}


def test_an_upgraded_connection_is_101_when_it_ends(sidecar, app):
    s = sidecar(**PROMETHEUS)
    with s.connect() as line:
        line.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        upstream = app.accept()
        upstream.request()
        upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        assert line.head().status == 101
        assert counted(s, SERVER, "http_response_status_code") == {}
        upstream.close()
    until_counted(s, SERVER, "http_response_status_code", {"101": 1})


def test_values_that_callers_choose_are_bounded(sidecar):
    s = sidecar(**PROMETHEUS, PENSTOCK_LABEL_VALUES_MAX="3")
    with s.connect() as line:
        for n in range(5):
            line.send(f"GET / HTTP/1.1\r\nHost: host-{n}.example\r\nKnative-Serving-Tag: t{n}\r\n\r\n".encode())
            assert line.answer().status == 200
    until_counted(
        s, SERVER, "server_address", {"host-0.example": 1, "host-1.example": 1, "host-2.example": 1, "_OTHER": 2}
    )
    assert counted(s, SERVER, "kn_route_tag") == {"t0": 1, "t1": 1, "t2": 1, "_OTHER": 2}


def test_connections_are_counted_until_they_close(sidecar):
    s = sidecar(**PROMETHEUS)
    before = counted(s, "penstock_connections_accepted_total", "listener")["main"]
    with s.connect() as line:
        line.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert line.answer().status == 200
        assert counted(s, "penstock_connections_open", "listener")["main"] == 1
    until(lambda: not counted(s, "penstock_connections_open", "listener")["main"], "the connection counts as closed")
    text = page(s)
    assert counted(s, "penstock_connections_accepted_total", "listener")["main"] == before + 1
    assert samples(text, "penstock_upstream_connections_open")[0].value == 1
    assert samples(text, "penstock_received_bytes_total")[0].value > 0


@pytest.mark.spec("DP-019", "DP-020")
def test_the_port_may_be_another_one(sidecar):
    s = sidecar(**PROMETHEUS, METRICS_PROMETHEUS_PORT="19091")
    assert "target_info" in s.get("/metrics", port=19091).body.decode()


@pytest.mark.spec("DP-019")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("GET", "/metrics/", 404), ("POST", "/metrics", 405), ("HEAD", "/metrics", 200)],
)
def test_the_port_serves_one_path_and_two_methods(sidecar, method, path, status):
    with sidecar(**PROMETHEUS).send(f"{method} {path}", port=METRICS_PORT) as line:
        answer = line.answer(method)
    assert answer.status == status
    assert answer.head.get("Allow") == (b"GET, HEAD" if status == 405 else None)


def test_old_names_and_new_ones_stand_side_by_side(sidecar):
    s = sidecar(**PROMETHEUS, PENSTOCK_METRIC_NAMES="both", CONTAINER_CONCURRENCY="2")
    s.get("/")
    until_counted(s, INVOCATION, "http_response_status_code", {"200": 1})
    text = page(s)
    (count,) = samples(text, "revision_request_latencies_count")
    assert (count.value, count.labels["response_code_class"], count.labels["pod_name"]) == (
        1,
        "2xx",
        "hello-00001-deployment-0",
    )
    assert samples(text, "revision_app_request_latencies_count")[0].value == 1
    assert samples(text, "revision_queue_depth")[0].value == 0
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    said = (checked.stdout + checked.stderr).splitlines()
    assert [line for line in said if not line.startswith("revision_")] == []


@pytest.mark.spec("DP-018")
def test_nothing_listens_while_metrics_are_off(sidecar):
    s = sidecar()
    with pytest.raises(ConnectionRefusedError):
        s.connect(METRICS_PORT)


def test_the_port_speaks_tls_when_it_is_told_to(sidecar, tmp_path):
    pair = make_pair(tmp_path, "sidecar")
    s = sidecar(**PROMETHEUS, METRICS_PROMETHEUS_TLS_CERT=pair.cert_file, METRICS_PROMETHEUS_TLS_KEY=pair.key_file)
    context = ssl.create_default_context(cafile=str(pair.cert_file))
    with s.connect(METRICS_PORT) as line, context.wrap_socket(line.sock, server_hostname="localhost") as sock:
        secured = Line(sock)
        secured.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert secured.answer().status == 200


def test_messages_that_were_mended_are_counted_by_cause_on_both_sides(sidecar, origin):
    origin.answers("/bare", b"HTTP/1.1 200 OK\nContent-Length: 2\nContent-Length: 2\n\nok")
    s = sidecar(**PROMETHEUS, PENSTOCK_STRICT="observe")
    with s.connect() as line:
        line.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n")
        assert line.answer().status == 200
        line.send(b"GET /bare HTTP/1.1\r\nHost: a\r\n\r\n")
        assert line.answer().body == b"ok"
    text = page(s)
    mended = {one.labels["cause"]: one.value for one in samples(text, "penstock_messages_mended_total")}
    assert mended == {"chunk_space": 1, "line_end": 1, "lengths": 1}
    assert samples(text, "penstock_bounds_hit_total") == []


def test_a_bound_that_a_caller_runs_into_is_counted_by_its_name(sidecar):
    s = sidecar(**PROMETHEUS, PENSTOCK_HEAD_BYTES="8192", PENSTOCK_HEAD_TIMEOUT_MS="200")
    assert s.get("/", "X-Long: " + "x" * 9000).status == 431
    with s.connect() as line:
        line.send(b"GET / HT")
        line.ending()
    until_counted(s, "penstock_bounds_hit_total", "bound", {"head_bytes": 1, "head_time": 1})
    until_counted(s, "penstock_faults_total", "fault", {"request_head_too_large": 1})


def test_the_rest_of_the_pod_is_counted_too(sidecar, origin):
    """Who waits, who gives up waiting, and what goes over a connection that was used before."""
    hold = origin.holds("/held")
    s = sidecar(**PROMETHEUS, CONTAINER_CONCURRENCY="1")
    with s.connect() as first, s.connect() as second:
        first.send(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
        hold.until_reached()
        second.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until_counted(s, DEPTH, "otel_scope_name", {"penstock": 1})
        second.reset()
        until_counted(s, DEPTH, "otel_scope_name", {"penstock": 0})
        hold.finish()
        assert first.answer().status == 200
        first.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert first.answer().status == 200
        text = page(s)
    values = {
        name: samples(text, f"penstock_{name}_total")[0].value
        for name in ("queued", "queued_abandoned", "pool_hits", "pool_misses", "upstream_connections_opened")
    }
    assert values == {
        "queued": 1, "queued_abandoned": 1, "pool_hits": 1, "pool_misses": 1, "upstream_connections_opened": 1,
    }  # fmt: skip
    assert samples(text, "penstock_buffers_bytes")[0].value >= 0
