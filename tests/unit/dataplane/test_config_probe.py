"""The app's readiness probes, from JSON."""

from __future__ import annotations

import pytest
from sidecar_env import problems, settings

from dataplane.config.schema import Probe


def probes(text: str, array: bool = False) -> tuple[Probe, ...]:
    flag = "true" if array else "false"
    return settings(SERVING_READINESS_PROBE=text, ENABLE_MULTI_CONTAINER_PROBES=flag).readiness.probes


@pytest.mark.spec("DP-009", "DP-042")
def test_one_object_is_one_probe_with_its_rhythm():
    text = '{"tcpSocket":{"port":8081,"host":"127.0.0.1"},"periodSeconds":5,"timeoutSeconds":3,"successThreshold":2}'
    assert probes(text) == (Probe(kind="tcp", port=8081, period_s=5, timeout_s=3, success_threshold=2),)


@pytest.mark.spec("DP-009", "DP-049")
def test_an_array_is_several_probes_and_null_is_none_of_them():
    text = '[null,{"tcpSocket":{"port":8080}},{"grpc":{"port":9000,"service":null}},null]'
    assert probes(text, array=True) == (Probe(kind="tcp", port=8080), Probe(kind="grpc", port=9000))


@pytest.mark.spec("DP-044")
def test_an_http_probe_has_path_query_and_headers():
    text = '{"httpGet":{"path":"health?deep=1","port":8080,"httpHeaders":[{"name":"Host","value":"a.b"}]}}'
    assert probes(text) == (Probe(kind="http", port=8080, path="/health?deep=1", headers=(("Host", "a.b"),)),)


def test_the_scheme_defaults_to_http_and_is_read_in_any_case():
    assert probes('{"httpGet":{"port":8080}}')[0].scheme == "http"
    assert probes('{"httpGet":{"port":8080,"scheme":"HTTPS"}}')[0].scheme == "https"


def test_a_probe_without_a_port_asks_the_app():
    assert probes('{"tcpSocket":{}}') == (Probe(kind="tcp", port=8080),)
    assert probes('{"tcpSocket":{"port":0}}') == (Probe(kind="tcp", port=8080),)
    assert probes('{"tcpSocket":{"port":"9001"}}') == (Probe(kind="tcp", port=9001),)


@pytest.mark.spec("DP-051")
@pytest.mark.parametrize("text", ["{}", '{"exec":{"command":["true"]}}'])
def test_a_probe_without_a_handler_of_ours_is_kept_as_one_that_fails(text):
    assert [probe.kind for probe in probes(text)] == ["none"]


@pytest.mark.spec("DP-052")
@pytest.mark.parametrize(("text", "array"), [("", False), ("", True), ("[]", True), ("null", True), ("[null]", True)])
def test_without_probes_the_app_is_always_ready(text, array):
    assert probes(text, array) == ()


def test_keys_are_read_in_any_case_as_go_does():
    assert probes('{"TCPSOCKET":{"Port":8081}}') == (Probe(kind="tcp", port=8081),)


def test_detection_of_http2_is_passed_on():
    assert settings(ENABLE_HTTP2_AUTO_DETECTION="true").readiness.detect_http2


@pytest.mark.spec("DP-008", "DP-009")
@pytest.mark.parametrize(
    ("text", "array", "expected"),
    [
        ("{", "false", "not JSON"),
        ('{"tcpSocket":{"port":8080}} x', "false", "not JSON"),
        ("NaN", "false", "not JSON"),
        ("[]", "false", "set ENABLE_MULTI_CONTAINER_PROBES=true"),
        ('{"tcpSocket":{}}', "true", "set ENABLE_MULTI_CONTAINER_PROBES=false"),
        ("7", "false", "7 is not an object"),
        ('{"tcpSocket":7}', "false", "tcpSocket: 7 is not an object"),
        ('{"tcpSocket":{"port":"http"}}', "false", 'tcpSocket.port: "http" is not a port'),
        ('{"tcpSocket":{"port":70000}}', "false", "tcpSocket.port: 70000 is not a port"),
        ('{"tcpSocket":{"port":true}}', "false", "tcpSocket.port: true is not a port"),
        ('{"tcpSocket":{"host":"a b"}}', "false", "tcpSocket.host"),
        ('[{},{"httpGet":{"scheme":"ftp"}}]', "true", "[1].httpGet.scheme"),
        ('{"httpGet":{"path":"/a b"}}', "false", "httpGet.path"),
        ('{"httpGet":{"httpHeaders":[{"name":"a b"}]}}', "false", "httpGet.httpHeaders[0].name"),
        ('{"httpGet":{"httpHeaders":[{"name":"A","value":"\\r\\n"}]}}', "false", "httpGet.httpHeaders[0].value"),
        ('{"periodSeconds":"1"}', "false", 'periodSeconds: "1" is not a whole number'),
        ('{"periodSeconds":1.5}', "false", "periodSeconds: 1.5 is not a whole number"),
        ("[" * 100_000, "true", "nested too deeply"),
    ],
)
def test_a_wrong_probe_is_named_with_its_place(text, array, expected):
    (line,) = problems(SERVING_READINESS_PROBE=text, ENABLE_MULTI_CONTAINER_PROBES=array)
    assert line.startswith("SERVING_READINESS_PROBE: ")
    assert expected in line
