"""Story: a Service on a real cluster, from zero over growth and a canary to its end, installed from the charts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import images, pods
from tests.cluster.cluster import ROOT, Cluster, run, say
from tests.cluster.test_pods import load
from tests.cluster.watch import Life, Watch

SYSTEM = "knative-serving"
SERVICE = "hello"
LABELS = {"serving.knative.dev/service": SERVICE}
READY_TIMEOUT_S = 120
WINDOW_S = 6
"""The shortest stable window there is."""

TO_ZERO_TIMEOUT_S = 120
BURST = 20

APP = """
import http.server, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(0.5 if self.path == "/slow" else 0)
        body = os.environ["K_REVISION"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
"""
"""Tells which revision answers; the sidecar's image has a Python to run it."""

CALLS = """
import concurrent.futures, http.client, json, sys, time
gateway, host, path, count, at_once = sys.argv[1:4] + [int(word) for word in sys.argv[4:]]
def call(_):
    began = time.monotonic()
    connection = http.client.HTTPConnection(gateway, 80, timeout=60)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    return [answer.status, answer.read().decode(), time.monotonic() - began]
with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
    print(json.dumps(list(pool.map(call, range(count)))))
"""


def helm(cluster: Cluster, *words: str) -> None:
    run(["helm", "--namespace", SYSTEM, *words], cluster.environment)


@pytest.fixture(scope="module")
def installed(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Both charts, in a namespace that takes only pods of the restricted standard."""
    say("building the other images")
    cluster.load(images.plane_images())
    names = {target: images.plane_name(target) for target in images.PLANES} | {"queueProxy": images.SIDECAR}
    values = {
        "images": names,
        "gateway": {"service": {"type": "ClusterIP"}},
        "config": {
            "autoscaler": {"stable-window": f"{WINDOW_S}s", "allow-zero-initial-scale": "true"},
            "domain": {"example.com": ""},
        },
    }
    file = images.WORK / "values.json"
    file.write_text(json.dumps(values))
    cluster.apply(pods.restricted(SYSTEM))
    wait = ["--wait", "--timeout", f"{READY_TIMEOUT_S}s"]
    helm(cluster, "upgrade", "--install", "penstock-crds", str(ROOT / "charts" / "crds"))
    helm(cluster, "upgrade", "--install", "penstock", str(ROOT / "charts" / "serving"), "--values", str(file), *wait)
    cluster.apply(*pods.caller((Path(__file__).parent / "load.py").read_text()))
    cluster.kubectl("wait", "pod", pods.CALLER, "--for=condition=Ready", f"--timeout={READY_TIMEOUT_S}s")
    yield
    helm(cluster, "uninstall", "penstock", "penstock-crds")


@pytest.fixture(scope="module")
def instances(cluster: Cluster, installed: None) -> Iterator[Watch]:
    with Watch(cluster, LABELS) as watching:
        yield watching


def service(
    container: dict[str, Any], concurrency: int, annotations: dict[str, str], traffic: list[dict[str, Any]]
) -> dict[str, Any]:
    container = {"securityContext": pods.SECURITY, "imagePullPolicy": "IfNotPresent", **container}
    template = {
        "metadata": {"annotations": {f"autoscaling.knative.dev/{name}": said for name, said in annotations.items()}},
        "spec": {"containerConcurrency": concurrency, "timeoutSeconds": pods.TIMEOUT_S, "containers": [container]},
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": SERVICE},
        "spec": {"template": template, "traffic": traffic},
    }


def story_service(version: str, traffic: list[dict[str, Any]]) -> dict[str, Any]:
    container = {
        "image": images.SIDECAR,
        "command": ["/usr/bin/python3", "-IS", "-c", APP],
        "env": [{"name": "VERSION", "value": version}],
    }
    return service(container, 1, {"initial-scale": "0"}, traffic)


def ready(cluster: Cluster) -> None:
    """Waits until the service is ready with what was applied last."""
    cluster.kubectl("wait", f"ksvc/{SERVICE}", "--for=condition=Ready", f"--timeout={READY_TIMEOUT_S}s")


def gateway(cluster: Cluster, name: str) -> str:
    """Address of one of its Services, so that nobody waits for a resolver."""
    return str(cluster.get("service", name, f"--namespace={SYSTEM}")["spec"]["clusterIP"])


def calls(cluster: Cluster, path: str, count: int, at_once: int) -> list[tuple[int, str, float]]:
    """Status, body and seconds of requests to the gateway, under the service's own host."""
    host = cluster.get("ksvc", SERVICE)["status"]["url"].removeprefix("http://")
    argv = [
        "/usr/bin/python3",
        "-IS",
        "-c",
        CALLS,
        gateway(cluster, "penstock-gateway"),
        host,
        path,
        str(count),
        str(at_once),
    ]
    return [tuple(one) for one in json.loads(cluster.kubectl("exec", pods.CALLER, "--", *argv))]


def down_to(instances: Watch, count: int) -> None:
    def holds(lives: dict[str, Any]) -> bool:
        return sum("ending" not in life.seen and "gone" not in life.seen for life in lives.values()) == count

    instances.until(f"{count} pods", holds, TO_ZERO_TIMEOUT_S)


def all_end_but(lives: dict[str, Life], revision: str) -> bool:
    """Only pods of that revision are not about to end."""
    return all("ending" in life.seen or name.startswith(f"{revision}-") for name, life in lives.items())


def test_first_request_starts_an_instance(cluster: Cluster, instances: Watch) -> None:
    cluster.apply(story_service("1", [{"latestRevision": True, "percent": 100}]))
    ready(cluster)
    assert not instances.lives
    [(status, body, seconds)] = calls(cluster, "/", 1, 1)
    say(f"from zero: answered after {seconds:.2f} s")
    assert (status, body) == (200, f"{SERVICE}-00001")


def test_a_burst_is_answered_by_more_instances(cluster: Cluster, instances: Watch) -> None:
    answers = calls(cluster, "/slow", BURST * 4, BURST)
    say(f"burst: {len(answers)} requests, {BURST} at once, took {max(one[2] for one in answers):.2f} s at most")
    assert Counter(one[0] for one in answers) == {200: len(answers)}
    assert len(instances.lives) > 1


def test_it_goes_back_to_zero(instances: Watch) -> None:
    down_to(instances, 0)


def test_a_canary_gets_its_share(cluster: Cluster, instances: Watch) -> None:
    shares = [
        {"revisionName": f"{SERVICE}-00001", "percent": 70},
        {"latestRevision": True, "percent": 30, "tag": "new"},
    ]
    cluster.apply(story_service("2", shares))
    ready(cluster)
    counts = Counter(one[:2] for one in calls(cluster, "/", 200, 4))
    say(f"canary: {dict(counts)}")
    old, new = (counts[200, f"{SERVICE}-0000{number}"] for number in (1, 2))
    assert old + new == 200
    assert 30 <= new <= 90


def test_a_rolling_update_fails_no_request(cluster: Cluster, instances: Watch) -> None:
    """From one implementation to another, and then to a newer revision of it, by way of the service's own name."""

    def next_service(version: str) -> dict[str, Any]:
        container = {"image": images.APP, "env": [{"name": "VERSION", "value": version}]}
        return service(container, 50, {"initial-scale": "2"}, [{"latestRevision": True, "percent": 100}])

    cluster.apply(next_service("3"))
    ready(cluster)
    name = f"{SERVICE}.{cluster.namespace}.svc.cluster.local"
    with load(cluster, gateway(cluster, "penstock-gateway-internal"), name) as told:
        cluster.apply(next_service("4"))
        ready(cluster)
        new = cluster.get("ksvc", SERVICE)["status"]["latestReadyRevisionName"]
        instances.until("the old pods ending", lambda lives: all_end_but(lives, new), TO_ZERO_TIMEOUT_S)
    causes = Counter(f"{one['kind']}: {one['cause']}" for one in told["failures"])
    say(f"rolling update: {told['answered']} answered, {told['failed']} failed in {told['seconds']} s")
    assert not causes, causes


def test_deletion_leaves_nothing(cluster: Cluster, instances: Watch) -> None:
    cluster.kubectl("delete", "ksvc", SERVICE, "--wait")
    down_to(instances, 0)
    kinds = "configurations,revisions,routes,podautoscalers,serverlessservices,kingress,deployments,services"
    selector = f"--selector=serving.knative.dev/service={SERVICE}"
    cluster.kubectl("wait", kinds.split(",")[1], selector, "--for=delete", f"--timeout={READY_TIMEOUT_S}s")
    assert cluster.get(kinds, selector)["items"] == []
