"""apiserverfixture: a kube-apiserver of Kubernetes for tests, with its etcd and its garbage collector."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from controller.api.crd import crd
from controller.api.registry import Kind
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
TOKEN = "a-token-for-tests"
START_S = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an API server listens, and how a client gets in."""

    url: str
    token: str
    authority: Path | bool = False

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "cases/1"}
        return httpx.Client(base_url=self.url, headers=headers, verify=False, timeout=30)


def assets() -> Path | None:
    """The folder with etcd and kube-apiserver: KUBEBUILDER_ASSETS, or what the cluster kit has built."""
    if named := os.environ.get("KUBEBUILDER_ASSETS"):
        return Path(named)
    kit = Path(os.environ.get("PENSTOCK_CLUSTER_KIT") or ROOT.parent / "shared" / "cluster") / "cluster"
    if kit.exists():
        done = subprocess.run([kit, "env", "--api-only"], capture_output=True, text=True)
        if match := re.search(r"^export KUBEBUILDER_ASSETS=(.+)$", done.stdout, re.MULTILINE):
            return Path(match[1]) if Path(match[1], "kube-apiserver").exists() else None
    return None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def real_apiserver(binaries: Path, folder: Path) -> Iterator[Endpoint]:
    """kube-apiserver, with the controllers that finish deletions; gone when the block ends."""
    client, peer, port = free_port(), free_port(), free_port()
    (folder / "tokens").write_text(f'{TOKEN},penstock-admin,1,"system:masters"\n')
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    endpoint = Endpoint(f"https://127.0.0.1:{port}", TOKEN)
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(_KUBECONFIG.format(url=endpoint.url, token=TOKEN))
    etcd = [
        "etcd", "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync",
        "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
        "--listen-peer-urls", f"http://127.0.0.1:{peer}",
    ]  # fmt: skip
    apiserver = [
        "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{client}", "--cert-dir", str(folder / "certs"),
        "--bind-address", "127.0.0.1", "--secure-port", str(port), "--token-auth-file", str(folder / "tokens"),
        "--authorization-mode", "AlwaysAllow", "--service-account-issuer", "https://localhost",
        "--service-account-key-file", str(key), "--service-account-signing-key-file", str(key),
        "--service-cluster-ip-range", "10.65.0.0/16", "--disable-admission-plugins", "ServiceAccount",
    ]  # fmt: skip
    controllers = [
        "kube-controller-manager", "--kubeconfig", str(kubeconfig), "--leader-elect=false", "--secure-port", "0",
        "--controllers", "garbage-collector-controller,namespace-controller",
    ]  # fmt: skip
    with contextlib.ExitStack() as running:
        for command in (etcd, apiserver):
            running.enter_context(_process([str(binaries / command[0]), *command[1:]], folder / f"{command[0]}.log"))
        _await_ready(endpoint)
        name = controllers[0]
        running.enter_context(_process([str(binaries / name), *controllers[1:]], folder / f"{name}.log"))
        yield endpoint


def define(http: httpx.Client, kinds: Sequence[Kind]) -> None:
    """Returns once the API server serves these kinds."""
    for kind in kinds:
        answer = http.post(CRDS, json=crd(kind))
        assert answer.status_code == 201, answer.text
    for kind in kinds:
        _until_served(http, kind.plural, kind.group)


def _until_served(http: httpx.Client, plural: str, group: str) -> None:
    query = {"watch": "1", "timeoutSeconds": "30", "fieldSelector": f"metadata.name={plural}.{group}"}
    with http.stream("GET", CRDS, params=query) as events:
        for line in events.iter_lines():
            found = json.loads(line)["object"].get("status", {}).get("conditions", ())
            if {"Established"} <= {one["type"] for one in found if one["status"] == "True"}:
                return
    raise AssertionError(f"{plural} is not served after 30 s")


@contextlib.contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=log.parent)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _await_ready(endpoint: Endpoint) -> None:
    def is_ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return client.get("/readyz").status_code == 200
        return False

    with endpoint.client() as client:
        until(is_ready, "kube-apiserver is ready", START_S)


_KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: test
clusters: [{{name: test, cluster: {{server: "{url}", insecure-skip-tls-verify: true}}}}]
users: [{{name: test, user: {{token: "{token}"}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test, namespace: default}}}}]
"""
