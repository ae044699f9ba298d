"""The sidecar's container: its environment in upstream's order, its ports, its resources, its probes."""

import json

import pytest

from controller.serving.make.queue_proxy import container, environment
from tests.unit.controller.serving.samples import revision, settings

NAMES = [
    "SERVING_NAMESPACE", "SERVING_SERVICE", "SERVING_CONFIGURATION", "SERVING_REVISION", "QUEUE_SERVING_PORT",
    "QUEUE_SERVING_TLS_PORT", "CONTAINER_CONCURRENCY", "REVISION_TIMEOUT_SECONDS",
    "REVISION_RESPONSE_START_TIMEOUT_SECONDS", "REVISION_IDLE_TIMEOUT_SECONDS", "SERVING_POD", "SERVING_POD_IP",
    "SERVING_LOGGING_CONFIG", "SERVING_LOGGING_LEVEL", "USER_PORT", "SYSTEM_NAMESPACE", "SERVING_READINESS_PROBE",
    "HOST_IP", "ENABLE_HTTP2_AUTO_DETECTION", "ENABLE_HTTP_FULL_DUPLEX", "ROOT_CA", "QUEUE_PROXY_TLS_MIN_VERSION",
    "QUEUE_PROXY_TLS_MAX_VERSION", "QUEUE_PROXY_TLS_CIPHER_SUITES", "QUEUE_PROXY_TLS_CURVE_PREFERENCES",
    "ENABLE_MULTI_CONTAINER_PROBES", "OBSERVABILITY_CONFIG",
]  # fmt: skip

PREFIX = "queue.sidecar.serving.knative.dev"


def made(one=None, given=None):
    return container(one or revision(), given or settings(deployment={}), "knative-serving")


def env(one=None, given=None):
    return {each["name"]: each for each in environment(one or revision(), given or settings(), "system")}


def values(one=None, given=None):
    return {name: each.get("value") for name, each in env(one, given).items()}


def probe_of(probe, **more):
    return json.loads(values(revision(containers=[{"image": "a", "readinessProbe": probe, **more}]))[
        "SERVING_READINESS_PROBE"
    ])  # fmt: skip


def test_the_environment_is_upstreams_in_its_order():
    assert list(env()) == NAMES


def test_the_environment_has_the_revisions_values():
    one = revision(containerConcurrency=7, timeoutSeconds=9, responseStartTimeoutSeconds=3, idleTimeoutSeconds=2)
    found = values(one)
    expected = {
        "SERVING_NAMESPACE": "ns", "SERVING_SERVICE": "hello", "SERVING_CONFIGURATION": "hello",
        "SERVING_REVISION": "hello-00001", "QUEUE_SERVING_PORT": "8012", "QUEUE_SERVING_TLS_PORT": "8112",
        "CONTAINER_CONCURRENCY": "7", "REVISION_TIMEOUT_SECONDS": "9", "SYSTEM_NAMESPACE": "system",
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "3", "REVISION_IDLE_TIMEOUT_SECONDS": "2",
        "ENABLE_HTTP_FULL_DUPLEX": "false", "ENABLE_MULTI_CONTAINER_PROBES": "false", "OBSERVABILITY_CONFIG": "{}",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    fields = {name: each["valueFrom"]["fieldRef"]["fieldPath"] for name, each in env().items() if "valueFrom" in each}
    assert fields == {"SERVING_POD": "metadata.name", "SERVING_POD_IP": "status.podIP", "HOST_IP": "status.hostIP"}


def test_what_is_logged_and_counted_comes_from_the_settings():
    given = settings(observability={"request-metrics-protocol": "prometheus", "logging.enable-request-log": "true"})
    said = json.loads(values(given=given)["OBSERVABILITY_CONFIG"])
    assert said == {"requestMetrics": {"protocol": "prometheus"}, "enableRequestLog": True}


def test_full_duplex_is_asked_for_by_an_annotation():
    one = revision(metadata={"annotations": {"features.knative.dev/http-full-duplex": "Enabled"}})
    assert values(one)["ENABLE_HTTP_FULL_DUPLEX"] == "true"


@pytest.mark.spec("SC-178")
@pytest.mark.parametrize(("name", "port"), [("http1", 8012), ("h2c", 8013)])
def test_the_serving_port_follows_the_protocol(name, port):
    found = made(revision(containers=[{"image": "a", "ports": [{"name": name, "containerPort": 80}]}]))
    assert [(each["name"], each["containerPort"]) for each in found["ports"]] == [
        ("http-autometric", 9090), ("http-usermetric", 9091), ("queue-port", port), ("https-port", 8112),
    ]  # fmt: skip
    assert found["readinessProbe"]["httpGet"]["port"] == port


def test_the_sidecar_may_do_nothing_but_serve():
    assert made()["image"] == "queue:1"
    assert made()["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip


@pytest.mark.spec("SC-177")
@pytest.mark.parametrize(
    ("annotations", "resources", "expected"),
    [
        ({}, {}, {"requests": {"cpu": "25m"}}),
        (
            {f"{PREFIX}/resource-percentage": "10"},
            {"requests": {"cpu": "500m", "memory": "4Gi"}, "limits": {"cpu": "10", "memory": "1Gi"}},
            {"requests": {"cpu": "50m", "memory": "209715200"}, "limits": {"cpu": "500m", "memory": "209715200"}},
        ),
        ({f"{PREFIX}/resource-percentage": "1"}, {"requests": {"cpu": "100m"}}, {"requests": {"cpu": "25m"}}),
        (
            {f"{PREFIX}/resource-percentage": "10", f"{PREFIX}/cpu-resource-request": "300m"},
            {"requests": {"cpu": "500m"}},
            {"requests": {"cpu": "300m"}},
        ),
        (
            {f"{PREFIX}/memory-resource-limit": "1Gi", f"{PREFIX}/ephemeral-storage-resource-request": "5Mi"},
            {},
            {"requests": {"cpu": "25m", "ephemeral-storage": "5Mi"}, "limits": {"memory": "1Gi"}},
        ),
    ],
    ids=["default", "share", "floor", "annotation first", "outright"],
)
def test_the_sidecars_resources(annotations, resources, expected):
    one = revision(containers=[{"image": "a", "resources": resources}], metadata={"annotations": annotations})
    assert made(one)["resources"] == expected


@pytest.mark.spec("SC-177")
def test_resource_defaults_are_a_feature():
    given = settings(features={"queueproxy.resource-defaults": "Enabled"}, deployment={})
    assert made(given=given)["resources"] == {
        "requests": {"cpu": "25m", "memory": "400Mi"}, "limits": {"cpu": "1000m", "memory": "800Mi"},
    }  # fmt: skip


@pytest.mark.spec("SC-158")
@pytest.mark.parametrize(
    ("probe", "handler", "expected"),
    [
        (
            {"httpGet": {"path": "/r"}}, "httpGet",
            {"host": "127.0.0.1", "path": "/r", "port": 8080, "scheme": "HTTP"},
        ),
        (
            {"httpGet": {"port": 99, "scheme": "HTTPS"}}, "httpGet",
            {"host": "127.0.0.1", "port": 99, "scheme": "HTTPS"},
        ),
        ({"tcpSocket": {"port": 0}}, "tcpSocket", {"host": "127.0.0.1", "port": 8080}),
        ({"tcpSocket": {"port": 77}}, "tcpSocket", {"host": "127.0.0.1", "port": 77}),
        ({"exec": {"command": ["x"]}}, "tcpSocket", {"host": "127.0.0.1", "port": 8080}),
        ({"grpc": {"port": 5, "service": "s"}}, "grpc", {"port": 5, "service": "s"}),
        ({}, "tcpSocket", {"host": "127.0.0.1", "port": 8080}),
    ],
    ids=["http", "https", "tcp", "own port", "command", "grpc", "none"],
)  # fmt: skip
def test_the_probe_that_the_sidecar_gets(probe, handler, expected):
    assert probe_of(probe)[handler] == expected


def test_a_probe_with_a_period_has_a_timeout():
    assert probe_of({"httpGet": {"path": "/"}, "periodSeconds": 5})["timeoutSeconds"] == 1
    assert probe_of({"httpGet": {"path": "/"}, "periodSeconds": 5, "timeoutSeconds": 3})["timeoutSeconds"] == 3


def test_the_kubelets_probe_keeps_the_rhythm():
    probe = {"httpGet": {"path": "/"}, "periodSeconds": 5, "failureThreshold": 9}
    found = made(revision(containers=[{"image": "a", "readinessProbe": probe}]))["readinessProbe"]
    assert (found["periodSeconds"], found["failureThreshold"]) == (5, 9)


def test_with_the_feature_all_containers_are_probed():
    containers = [
        {"image": "a", "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"path": "/a"}}},
        {"image": "b", "readinessProbe": {"tcpSocket": {"port": 7}}},
        {"image": "c", "readinessProbe": {"exec": {"command": ["c"]}}},
        {"image": "d"},
    ]
    given = settings(features={"multi-container-probing": "Enabled"})
    found = json.loads(values(revision(containers=containers, given=given), given)["SERVING_READINESS_PROBE"])
    assert [probe.get("httpGet", {}).get("port") or probe["tcpSocket"]["port"] for probe in found] == [80, 7]
    assert values(given=given)["ENABLE_MULTI_CONTAINER_PROBES"] == "true"
