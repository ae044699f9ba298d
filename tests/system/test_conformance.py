"""Conformance: what upstream's own suites ask of a whole path, asked of `penstock up` with real apps (4.17)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.request import Request, urlopen

import httpx
import pytest

from controller.api.serving import Service
from controller.children import resource_of
from dataplane.kube.client import Client
from dataplane.kube.resource import PODS
from tests.controlplane import client_of
from tests.upfixture import PATIENCE_S, Machine, machine

KSERVICES = resource_of(Service)
Json = dict[str, Any]

ECHO = """
import http.server
import json
import os
import threading
import time

time.sleep(float(os.environ.get("LATE_S", "0")))
lock, running = threading.Lock(), 0

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global running
        with lock:
            running += 1
            seen = running
        time.sleep(float(os.environ.get("TAKES_S", "0")))
        with lock:
            running -= 1
        said = {"protocol": self.request_version, "at_once": seen, "fields": self.headers.items()}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
"""Tells what it was sent, and how many requests it has."""

H2 = """
import os
import socketserver

PREFACE = b"PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n"
SETTINGS, HEADERS, PING, ACK = 4, 1, 6, 1

class Handler(socketserver.StreamRequestHandler):
    def say(self, kind, flags, stream, content=b""):
        self.wfile.write(len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content)

    def handle(self):
        if self.rfile.read(len(PREFACE)) != PREFACE:
            return
        self.say(SETTINGS, 0, 0)
        while len(head := self.rfile.read(9)) == 9:
            content = self.rfile.read(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.say(kind, ACK, 0, content if kind == PING else b"")
            elif kind == HEADERS:
                self.say(HEADERS, 4, stream, b"\\x88")
                self.say(0, 1, stream, b'{"protocol": "HTTP/2.0"}')

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True

Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
"""Speaks nothing but HTTP/2 with prior knowledge; 0x88 is `:status: 200` (RFC 7541, A)."""


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with machine(tmp_path_factory.mktemp("up")) as made:
        for name, text in (("echo", ECHO), ("h2", H2)):
            (made.folder / name).mkdir()
            (made.folder / name / "app.py").write_text(text)
            made.run("deploy", made.folder / name, "--no-wait")
        yield made


@asynccontextmanager
async def api(here: Machine) -> AsyncIterator[Client]:
    async with client_of(here.state / "kubeconfig", "tests") as client:
        yield client


async def made_of(client: Client, app: str, name: str, spec: Json | None = None, **container: Any) -> None:
    """A service like another, with more said of it."""
    like = await client.read(KSERVICES, "default", app, Json)
    whole = like["spec"]["template"]["spec"]["containers"][0] | container
    meta = {"annotations": (spec or {}).pop("annotations", {})}
    body = {
        "apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"metadata": meta, "spec": {"containers": [whole]} | (spec or {})}},
    }  # fmt: skip
    await client.create(KSERVICES, "default", body, Json)


async def is_ready(client: Client, name: str) -> bool:
    found = (await client.read(KSERVICES, "default", name, Json)).get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


async def ready(client: Client, *names: str) -> None:
    end_s = time.monotonic() + PATIENCE_S
    for name in names:
        while not await is_ready(client, name):
            assert time.monotonic() < end_s, f"{name} is not ready"


def asked(here: Machine, name: str) -> Json:
    status, body = here.get(f"{name}.default.localhost")
    assert status == 200, body
    said: Json = json.loads(body)
    return said


@pytest.mark.spec("DP-231")
def test_an_app_sees_who_asked_and_what_they_said(here: Machine) -> None:
    fields = {"Host": "echo.default.localhost", "X-Custom": "a, b;c=d", "User-Agent": "someone/1.0"}
    with urlopen(Request(f"http://127.0.0.1:{here.port}/", headers=fields), timeout=PATIENCE_S) as answer:
        seen = {name.lower(): value for name, value in json.load(answer)["fields"]}
    assert seen["host"].partition(":")[0] == "echo.default.localhost"
    assert (seen["x-custom"], seen["user-agent"]) == ("a, b;c=d", "someone/1.0")
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-for"].split(", ")[0] == "127.0.0.1"
    pairs = dict(pair.split("=", 1) for pair in seen["forwarded"].split(",")[0].strip().split(";"))
    assert (pairs["for"], pairs["proto"]) == ("127.0.0.1", "http")


@pytest.mark.spec("DP-232")
async def test_the_name_of_a_port_says_what_the_app_speaks(here: Machine) -> None:
    async with api(here) as client:
        await made_of(client, "echo", "named", ports=[{"name": "http1", "containerPort": 8080}])
        await made_of(client, "h2", "prior", ports=[{"name": "h2c", "containerPort": 8080}])
        await ready(client, "echo", "named", "prior")
    spoken = {"echo": "HTTP/1.1", "named": "HTTP/1.1", "prior": "HTTP/2.0"}
    assert {name: asked(here, name)["protocol"] for name in spoken} == spoken
    with httpx.Client(http1=False, http2=True, trust_env=False, timeout=PATIENCE_S) as caller:
        for name, protocol in spoken.items():
            url, host = f"http://127.0.0.1:{here.port}/", f"{name}.default.localhost"
            answer = caller.get(url, headers={"Host": host})
            assert (answer.http_version, answer.json()["protocol"]) == ("HTTP/2", protocol)


def command(code: str) -> Json:
    return {"exec": {"command": ["python3", "-c", code]}}


PROBES: dict[str, Json] = {
    "http": {"httpGet": {"path": "/"}},
    "tcp": {"tcpSocket": {}},
    "exec": command("import os, socket; socket.create_connection(('127.0.0.1', int(os.environ['PORT'])))"),
}


@pytest.mark.spec("DP-233")
async def test_an_app_that_is_late_becomes_ready_with_every_probe(here: Machine) -> None:
    env = [{"name": "LATE_S", "value": "10"}]
    names = []
    async with api(here) as client:
        for kind, probe in PROBES.items():
            for period_s in (0, 1):
                names.append(f"late-{kind}-{period_s}")
                said = probe | {"periodSeconds": period_s}
                await made_of(client, "echo", names[-1], env=env, readinessProbe=said)
        await ready(client, *names)
    assert all(asked(here, name)["at_once"] == 1 for name in names)


@pytest.mark.spec("DP-236")
async def test_a_limit_of_one_is_kept_for_twenty_seconds(here: Machine) -> None:
    async with api(here) as client:
        env = [{"name": "TAKES_S", "value": "0.02"}]
        await made_of(client, "echo", "alone", {"containerConcurrency": 1}, env=env)
        await ready(client, "alone")
    end_s = time.monotonic() + 20

    def client_of_five(_number: int) -> list[int]:
        found = []
        while time.monotonic() < end_s:
            found.append(asked(here, "alone")["at_once"])
        return found

    with ThreadPoolExecutor(5) as pool:
        seen = [one for found in pool.map(client_of_five, range(5)) for one in found]
    assert len(seen) > 100
    assert set(seen) == {1}


@pytest.mark.spec("DP-239")
async def test_a_hundred_at_once_through_the_activator_are_answered(here: Machine) -> None:
    spec = {
        "containerConcurrency": 1,
        "annotations": {
            "autoscaling.knative.dev/max-scale": "10", "autoscaling.knative.dev/target-burst-capacity": "-1",
        },
    }  # fmt: skip
    async with api(here) as client:
        await made_of(client, "echo", "burst", spec, env=[{"name": "TAKES_S", "value": "0.3"}])
        await ready(client, "burst")
    with ThreadPoolExecutor(100) as pool:
        seen = list(pool.map(lambda _number: asked(here, "burst")["at_once"], range(100)))
    assert seen == [1] * 100


@pytest.mark.spec("DP-238")
async def test_an_idle_pod_is_gone_long_before_its_grace_period_ends(here: Machine) -> None:
    async with api(here) as client:
        await made_of(client, "echo", "idle", {"timeoutSeconds": 300})
        await ready(client, "idle")
        labels = "serving.knative.dev/service=idle"
        (pod,) = (await client.list(PODS, Json, "default", labels=labels))[0]
        assert pod["spec"]["terminationGracePeriodSeconds"] == 300
        began_s = time.monotonic()
        await client.delete(PODS, "default", pod["metadata"]["name"])
        while any(
            one["metadata"]["uid"] == pod["metadata"]["uid"]
            for one in (await client.list(PODS, Json, "default", labels=labels))[0]
        ):
            assert time.monotonic() - began_s < PATIENCE_S
