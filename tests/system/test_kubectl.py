"""kubectl talks to the embedded API server as to any other."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.apiserverfixture import assets
from tests.system.kubeapi.serve import embedded

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{tier: front}}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - {{name: web, image: "{image}", ports: [{{containerPort: 80}}], env: [{{name: A, value: "1"}}]}}
"""

WIDGET = """\
apiVersion: cases.penstock.dev/v1
kind: Widget
metadata: {{name: hello}}
spec: {{size: {size}, color: red}}
"""


class Kubectl:
    """kubectl with the kubeconfig of one server, and a namespace for one test."""

    def __init__(self, program: str, server: Path, home: Path, http: httpx.Client) -> None:
        self._program = program
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": str(server / "kubeconfig")}
        self.http = http

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._program, *words], env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run(self, *words: str, stdin: str = "", code: int = 0) -> str:
        """What it prints; it has to end with this code."""
        done = subprocess.run(
            [self._program, *words], env=self._environment, input=stdin, capture_output=True, text=True, timeout=60
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        return said


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, httpx.Client]]:
    folder = tmp_path_factory.mktemp("server")
    with embedded(folder) as (endpoint, _), endpoint.client() as http:
        yield folder, http


@pytest.fixture
def kubectl(server: tuple[Path, httpx.Client], tmp_path: Path) -> Iterator[Kubectl]:
    binaries = assets()
    program = str(binaries / "kubectl") if binaries is not None else shutil.which("kubectl")
    if program is None:
        pytest.skip("no kubectl here")
    folder, http = server
    yield Kubectl(program, folder, tmp_path, http)
    for path in (
        "/apis/apps/v1/namespaces/default/deployments",
        "/apis/cases.penstock.dev/v1/namespaces/default/widgets",
    ):
        http.delete(path)
    for plural in ("configmaps", "pods", "services", "secrets"):
        for item in http.get(f"/api/v1/namespaces/default/{plural}").json()["items"]:
            http.delete(
                f"/api/v1/namespaces/default/{plural}/{item['metadata']['name']}", params={"gracePeriodSeconds": "0"}
            )


def test_apply_creates_then_configures_then_leaves_alone(kubectl: Kubectl) -> None:
    both = DEPLOYMENT.format(replicas=1, image="x:1") + "---\n" + WIDGET.format(size=1)
    created = kubectl.run("apply", "-f", "-", stdin=both)
    changed = both.replace("x:1", "x:2").replace("size: 1", "size: 2")
    configured = kubectl.run("apply", "-f", "-", stdin=changed)
    unchanged = kubectl.run("apply", "-f", "-", stdin=changed)

    assert created.splitlines() == ["deployment.apps/web created", "widget.cases.penstock.dev/hello created"]
    assert configured.splitlines() == ["deployment.apps/web configured", "widget.cases.penstock.dev/hello configured"]
    assert unchanged.splitlines() == ["deployment.apps/web unchanged", "widget.cases.penstock.dev/hello unchanged"]
    assert "x:2" in kubectl.run("get", "deploy", "web", "-o", "yaml")


def test_apply_takes_away_what_the_file_no_longer_says(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1") + "---\n" + WIDGET.format(size=1))
    less = DEPLOYMENT.format(replicas=1, image="x:1").replace(', env: [{name: A, value: "1"}]', "")
    kubectl.run("apply", "-f", "-", stdin=less + "---\n" + WIDGET.format(size=1).replace(", color: red", ""))

    assert kubectl.run("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].env}") == ""
    assert json.loads(kubectl.run("get", "wd", "hello", "-o", "jsonpath={.spec}")) == {"size": 1}


def test_server_side_apply_and_its_conflicts(kubectl: Kubectl) -> None:
    applied = kubectl.run("apply", "--server-side", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1"))
    kubectl.run("scale", "deploy/web", "--replicas", "3")
    refused = kubectl.run("apply", "--server-side", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1"), code=1)
    again = DEPLOYMENT.format(replicas=1, image="x:1")
    forced = kubectl.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=again)

    assert applied.strip() == "deployment.apps/web serverside-applied"
    assert 'conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas' in refused
    assert forced.strip() == "deployment.apps/web serverside-applied"


def test_apply_from_the_client_then_from_the_server(kubectl: Kubectl) -> None:
    text = DEPLOYMENT.format(replicas=1, image="x:1")
    kubectl.run("apply", "-f", "-", stdin=text)
    kubectl.run("apply", "--server-side", "-f", "-", stdin=text.replace("x:1", "x:2"))
    kubectl.run("apply", "-f", "-", stdin=text.replace("x:1", "x:3"))

    assert kubectl.run("get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}") == "x:3"


def test_diff_shows_what_apply_would_do(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1"))
    differs = kubectl.run("diff", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:2"), code=1)
    same = kubectl.run("diff", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1"))
    on_server = kubectl.run("diff", "--server-side", "-f", "-", stdin=WIDGET.format(size=1), code=1)

    assert "-      - image: x:1" in differs or "-        image: x:1" in differs
    assert same == ""
    assert "+  size: 1" in on_server


def test_get_prints_tables(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=2, image="x:1") + "---\n" + WIDGET.format(size=7))

    deployments = kubectl.run("get", "deploy").splitlines()
    assert deployments[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert deployments[1].split()[:4] == ["web", "0/2", "0", "0"]
    wide = kubectl.run("get", "wd", "-o", "wide").splitlines()
    assert wide[0].split() == ["NAME", "SIZE", "READY", "COLOR", "AGE"]
    assert wide[1].split()[:3] == ["hello", "7", "red"]
    assert "deployment.apps/web" in kubectl.run("get", "all")
    assert "widget.cases.penstock.dev/hello" in kubectl.run("get", "cases", "-A", "-o", "name")
    assert kubectl.run("get", "deploy,wd", "-l", "tier=front", "-o", "name") == "deployment.apps/web\n"
    assert kubectl.run("get", "wd", "--field-selector", "metadata.name=other").strip().startswith("No resources found")
    assert kubectl.run("get", "wd", "nobody", code=1) == (
        'Error from server (NotFound): widgets.cases.penstock.dev "nobody" not found\n'
    )


def test_get_watches(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=WIDGET.format(size=1))
    watching = kubectl.start("get", "wd", "-w", "--no-headers", "--output-watch-events")
    try:
        assert watching.stdout is not None
        assert watching.stdout.readline().split()[:3] == ["ADDED", "hello", "1"]
        kubectl.run("patch", "wd", "hello", "--type", "merge", "-p", '{"spec":{"size":2}}')
        assert watching.stdout.readline().split()[:3] == ["MODIFIED", "hello", "2"]
        kubectl.run("delete", "wd", "hello")
        assert watching.stdout.readline().split()[:3] == ["DELETED", "hello", "2"]
    finally:
        watching.kill()
        watching.communicate()


def test_patch_in_three_ways(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1"))
    change = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "x:2"}]}}}}
    kubectl.run("patch", "deploy", "web", "-p", json.dumps(change))
    kubectl.run("patch", "deploy", "web", "--type", "merge", "-p", '{"metadata":{"labels":{"tier":null,"a":"b"}}}')
    kubectl.run(
        "patch", "deploy", "web", "--type", "json", "-p", '[{"op":"replace","path":"/spec/replicas","value":4}]'
    )

    found = json.loads(kubectl.run("get", "deploy", "web", "-o", "json"))
    container = found["spec"]["template"]["spec"]["containers"][0]
    assert (container["image"], container["ports"][0]["containerPort"]) == ("x:2", 80)
    assert (found["metadata"]["labels"], found["spec"]["replicas"]) == ({"a": "b"}, 4)


def test_describe_shows_events(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1"))
    uid = kubectl.run("get", "deploy", "web", "-o", "jsonpath={.metadata.uid}")
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "web.1"}, "type": "Normal", "reason": "Grown",
        "message": "from 0 to 1", "count": 1, "source": {"component": "tests"},
        "involvedObject": {"kind": "Deployment", "name": "web", "namespace": "default", "uid": uid},
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    assert kubectl.http.post("/api/v1/namespaces/default/events", json=event).status_code == 201

    said = kubectl.run("describe", "deploy", "web")
    assert "StrategyType:           RollingUpdate" in said
    assert "from 0 to 1" in said
    assert "Grown" in kubectl.run("events")


def test_explain_knows_fields(kubectl: Kubectl) -> None:
    assert "image\t<string>" in kubectl.run("explain", "deployment.spec.template.spec.containers")
    assert "enum: red, green" in kubectl.run("explain", "widget.spec")
    assert "KIND:       Widget" in kubectl.run("explain", "wd", "--recursive")


def test_wait_until_a_condition_holds_and_until_gone(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=WIDGET.format(size=1))
    waiting = kubectl.start("wait", "--for=condition=Ready", "wd/hello", "--timeout=30s")
    state = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    kubectl.run("patch", "wd", "hello", "--subresource=status", "--type=merge", "-p", state)
    assert waiting.communicate(timeout=30)[0] == "widget.cases.penstock.dev/hello condition met\n"

    leaving = kubectl.start("wait", "--for=delete", "wd/hello", "--timeout=30s")
    kubectl.run("delete", "wd", "hello")
    assert leaving.wait(30) == 0
    leaving.communicate()


def test_scale_and_its_precondition(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1"))
    assert kubectl.run("scale", "deploy", "web", "--replicas=5") == "deployment.apps/web scaled\n"
    refused = kubectl.run("scale", "deploy", "web", "--current-replicas=1", "--replicas=2", code=1)
    assert "Expected replicas to be 1, was 5" in refused
    kubectl.run("apply", "-f", "-", stdin=WIDGET.format(size=1))
    assert kubectl.run("scale", "wd", "hello", "--replicas=2") == "widget.cases.penstock.dev/hello scaled\n"


def test_create_sends_its_own_form(kubectl: Kubectl) -> None:
    kubectl.run("create", "configmap", "c", "--from-literal=a=b")
    kubectl.run("create", "secret", "generic", "s", "--from-literal=user=me")
    kubectl.run("create", "deployment", "web", "--image=x:1", "--replicas=0", "--port=80")
    kubectl.run("create", "service", "clusterip", "web", "--tcp=80:8080")
    kubectl.run("create", "namespace", "short")

    assert json.loads(kubectl.run("get", "cm", "c", "-o", "jsonpath={.data}")) == {"a": "b"}
    assert kubectl.run("get", "secret", "s", "-o", "jsonpath={.data.user}") == "bWU="
    assert kubectl.run("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "0"
    assert kubectl.run("get", "svc", "web", "-o", "jsonpath={.spec.ports[0].targetPort}") == "8080"
    assert kubectl.run("delete", "namespace", "short") == 'namespace "short" deleted\n'


def test_delete_in_the_foreground_and_by_label(kubectl: Kubectl) -> None:
    kubectl.run("apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1") + "---\n" + WIDGET.format(size=1))
    kubectl.run("delete", "deploy", "-l", "tier=front", "--cascade=foreground")
    kubectl.run("delete", "wd", "--all")

    assert kubectl.run("get", "deploy,wd").strip().startswith("No resources found")


def test_mistakes_are_told_as_everywhere(kubectl: Kubectl) -> None:
    wrong = kubectl.run(
        "apply", "-f", "-", stdin=DEPLOYMENT.format(replicas=1, image="x:1").replace("replicas", "replica"), code=1
    )
    assert 'strict decoding error: unknown field "spec.replica"' in wrong
    wrong = kubectl.run("apply", "-f", "-", stdin=WIDGET.format(size=11), code=1)
    assert "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10" in wrong


def test_replace_label_annotate_and_set_image(kubectl: Kubectl) -> None:
    text = DEPLOYMENT.format(replicas=1, image="x:1")
    kubectl.run("create", "-f", "-", stdin=text)
    kubectl.run("replace", "-f", "-", stdin=text.replace("x:1", "x:2"))
    kubectl.run("label", "deploy", "web", "a=b", "tier-")
    kubectl.run("annotate", "deploy", "web", "note=words")
    kubectl.run("set", "image", "deploy/web", "web=x:3")

    found = json.loads(kubectl.run("get", "deploy", "web", "-o", "json"))
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "x:3"
    assert (found["metadata"]["labels"], found["metadata"]["annotations"]["note"]) == ({"a": "b"}, "words")


def test_what_is_not_there_says_so_in_a_line(kubectl: Kubectl) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "a", "image": "x"}]},
    }
    assert kubectl.http.post("/api/v1/namespaces/default/pods", json=pod).status_code == 201
    kubectl.run("patch", "pod", "p", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Running"}}')

    assert "exec is not there on one machine" in kubectl.run("exec", "p", "--", "ls", code=1)
    assert "attach is not there on one machine" in kubectl.run("attach", "p", code=1)
    assert "port-forward is not there on one machine" in kubectl.run("port-forward", "p", "0:80", code=1)
    assert "without a node" in kubectl.run("logs", "p", code=1)
