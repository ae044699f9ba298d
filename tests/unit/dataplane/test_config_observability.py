"""Metrics, traces, request log and profiling, from JSON and OpenTelemetry's variables."""

from __future__ import annotations

import json

import pytest
from sidecar_env import problems, settings, warnings

from dataplane.config.schema import MetricsListener, RequestLog, Settings, Tracing


def observed(config: dict[str, object], **variables: str) -> Settings:
    return settings(OBSERVABILITY_CONFIG=json.dumps(config), **variables)


@pytest.mark.spec("DP-007", "DP-018")
@pytest.mark.parametrize(
    "text", ["", "{}", "null", '{"tracing":{},"metrics":{},"runtime":{},"requestMetrics":{}}', '{"tracing":null}']
)
def test_a_configuration_that_says_nothing_turns_everything_off(text):
    said = settings(OBSERVABILITY_CONFIG=text)
    assert (said.metrics.protocol, said.metrics.listener) == ("none", None)
    assert (said.tracing, said.request_log, said.listeners.profiling_port) == (None, None, None)


@pytest.mark.spec("DP-006")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "not JSON"),
        ("[]", "an array is not an object"),
        ('{"requestMetrics":{"protocol":"statsd"}}', 'requestMetrics.protocol: "statsd" is not known; use none'),
        ('{"tracing":{"protocol":"prometheus"}}', 'tracing.protocol: "prometheus" is not known'),
        ('{"tracing":{"protocol":7}}', "tracing.protocol: 7 is not a string"),
        ('{"enableRequestLog":"true"}', 'enableRequestLog: "true" is not a truth value'),
        ('{"tracing":{"protocol":"grpc","samplingRate":"1"}}', 'tracing.samplingRate: "1" is not a number'),
        ('{"requestMetrics":{"protocol":"grpc","exportInterval":"60s"}}', "requestMetrics.exportInterval"),
        ('{"requestMetrics":{"protocol":"grpc","exportInterval":-1}}', "requestMetrics.exportInterval: -1 is below 0"),
        ('{"requestMetrics":{"protocol":"prometheus","endpoint":"9091"}}', "requestMetrics.endpoint"),
        ('{"requestMetrics":{"protocol":"prometheus","endpoint":"::1:9091"}}', "requestMetrics.endpoint"),
    ],
)
def test_a_wrong_configuration_is_named_with_its_place(text, expected):
    (line,) = problems(OBSERVABILITY_CONFIG=text)
    assert line.startswith("OBSERVABILITY_CONFIG: ")
    assert expected in line


@pytest.mark.spec("DP-019", "DP-020")
@pytest.mark.parametrize(
    ("endpoint", "variables", "listener"),
    [
        ("", {}, ("::", 9091)),
        ("127.0.0.1:9999", {}, ("127.0.0.1", 9999)),
        ("[::1]:9999", {}, ("::1", 9999)),
        (":9999", {}, ("::", 9999)),
        (":9999", {"METRICS_PROMETHEUS_PORT": "9095"}, ("::", 9095)),
        ("127.0.0.1:9999", {"METRICS_PROMETHEUS_HOST": "127.0.0.2"}, ("127.0.0.2", 9999)),
        ("", {"PENSTOCK_BIND_ADDRESS": "127.0.0.9"}, ("127.0.0.9", 9091)),
    ],
)
def test_prometheus_listens_where_it_is_told(endpoint, variables, listener):
    said = observed({"requestMetrics": {"protocol": "prometheus", "endpoint": endpoint}}, **variables)
    assert said.metrics.listener == MetricsListener(address=listener[0], port=listener[1])


@pytest.mark.spec("DP-020")
@pytest.mark.parametrize("text", ["1023", "0", "65536", "http"])
def test_a_metrics_port_below_1024_is_named_when_prometheus_is_on(text):
    settings(METRICS_PROMETHEUS_PORT=text)
    config = '{"requestMetrics":{"protocol":"prometheus"}}'
    (line,) = problems(OBSERVABILITY_CONFIG=config, METRICS_PROMETHEUS_PORT=text)
    assert line == f'METRICS_PROMETHEUS_PORT: "{text}" is not a port; use 1024 to 65535, such as 9091'


@pytest.mark.parametrize(
    ("protocol", "endpoint", "variables", "url"),
    [
        ("grpc", "", {}, "http://localhost:4317"),
        ("http/protobuf", "", {}, "http://localhost:4318/v1/metrics"),
        ("grpc", "collector:4317", {}, "https://collector:4317"),
        ("grpc", "http://collector:4317", {}, "http://collector:4317"),
        ("http/protobuf", "http://c:4318", {}, "http://c:4318/v1/metrics"),
        ("http/protobuf", "http://c:4318/x", {}, "http://c:4318/x"),
        ("http/protobuf", "http://c", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:1/p/"}, "http://e:1/p/v1/metrics"),
        ("http/protobuf", "http://c", {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:1/x"}, "http://m:1/x"),
        (
            "grpc",
            "",
            {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://e:1"},
            "http://m:1",
        ),
    ],
)
def test_metrics_are_pushed_to_the_most_particular_endpoint(protocol, endpoint, variables, url):
    said = observed({"requestMetrics": {"protocol": protocol, "endpoint": endpoint}}, **variables)
    assert (said.metrics.protocol, said.metrics.endpoint) == (protocol, url)


def test_the_push_interval_is_the_variable_s_then_the_configured_then_a_minute():
    grpc = {"protocol": "grpc"}
    configured = grpc | {"exportInterval": 5_000_000_000}
    assert observed({"requestMetrics": grpc}).metrics.interval_ms == 60_000
    assert observed({"requestMetrics": configured}).metrics.interval_ms == 5_000
    assert observed({"requestMetrics": configured}, OTEL_METRIC_EXPORT_INTERVAL="250").metrics.interval_ms == 250
    odd = warnings(OBSERVABILITY_CONFIG=json.dumps({"requestMetrics": grpc}), OTEL_METRIC_EXPORT_INTERVAL="1m")
    assert odd[0].startswith("OTEL_METRIC_EXPORT_INTERVAL: ")


@pytest.mark.parametrize(
    ("rate", "variables", "sampler", "ratio"),
    [
        (None, {}, "always_off", 0.0),
        (1, {}, "always_on", 1.0),
        (0.25, {}, "parentbased_traceidratio", 0.25),
        (-1, {}, "always_off", 0.0),
        (0, {"OTEL_TRACES_SAMPLER_ARG": "0.5"}, "parentbased_traceidratio", 0.5),
        (1, {"OTEL_TRACES_SAMPLER_ARG": "0"}, "always_off", 0.0),
        (0, {"OTEL_TRACES_SAMPLER": "always_on"}, "always_on", 1.0),
        (1, {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, "traceidratio", 0.1),
        (0, {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}, "parentbased_traceidratio", 1.0),
        (0.25, {"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "parentbased_traceidratio", 0.25),
    ],
)
def test_sampling_follows_the_variables_then_the_rate(rate, variables, sampler, ratio):
    tracing = {"protocol": "http/protobuf", "samplingRate": rate}
    said = observed({"tracing": tracing}, **variables).tracing
    expected = Tracing(
        protocol="http/protobuf", endpoint="http://localhost:4318/v1/traces", sampler=sampler, ratio=ratio
    )
    assert said == expected


def test_traces_on_stdout_are_always_written():
    said = observed({"tracing": {"protocol": "stdout", "samplingRate": 0}}).tracing
    assert said == Tracing(protocol="stdout", sampler="always_on")


def test_a_sampler_argument_that_is_no_number_is_named():
    config = '{"tracing":{"protocol":"grpc"}}'
    (line,) = problems(OBSERVABILITY_CONFIG=config, OTEL_TRACES_SAMPLER_ARG="half")
    assert line == 'OTEL_TRACES_SAMPLER_ARG: "half" is not a number; use a ratio from 0 to 1'


@pytest.mark.spec("DP-142", "DP-144")
@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"requestLogTemplate": "x"}, None),
        ({"enableRequestLog": True}, RequestLog()),
        ({"enableRequestLog": True, "requestLogTemplate": ""}, None),
        ({"enableRequestLog": True, "requestLogTemplate": "x"}, RequestLog(template="x")),
        ({"enableRequestLog": True, "enableProbeRequestLog": True}, RequestLog(probes=True)),
    ],
)
def test_the_request_log_is_off_by_default_and_with_an_empty_template(config, expected):
    assert observed(config).request_log == expected


@pytest.mark.spec("DP-021", "DP-022")
def test_profiling_has_a_port_only_when_it_is_on():
    enabled = {"runtime": {"profiling": "enabled"}}
    assert observed(enabled).listeners.profiling_port == 8008
    assert observed(enabled, PROFILING_PORT="8009").listeners.profiling_port == 8009
    assert settings(PROFILING_PORT="x").listeners.profiling_port is None
    assert problems(OBSERVABILITY_CONFIG=json.dumps(enabled), PROFILING_PORT="x")[0].startswith("PROFILING_PORT: ")
    assert "profiling" in warnings(OBSERVABILITY_CONFIG='{"runtime":{"profiling":"on"}}')[0]
