"""Probes: what the platform asks a sidecar about its app, and what the sidecar asks the app."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from tests.line import PATIENCE_S, Answer, Line
from tests.origin import Call, Origin
from tests.sidecarfixture import KUBELET, QUEUE, STATS_PORT, Sidecar
from tests.system.tools import GoApp
from tests.waiting import until

Make = Callable[..., Sidecar]

READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NOT_READY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
ACTIVATOR = "User-Agent: Knative-Activator-Probe"
AUTOSCALER = "User-Agent: Knative-Autoscaling-Probe"
NETWORK = "K-Network-Probe: probe"
NO_HASH = b'a probe request must contain a non-empty "K-Network-Hash" header\n'


def http_get(port: int, path: str = "/ready", **more: object) -> dict[str, object]:
    """A probe of kind httpGet as the controller writes it."""
    return {"httpGet": {"path": path, "port": port, "host": "127.0.0.1", "scheme": "HTTP"}, **more}


def once(handler: dict[str, object]) -> dict[str, object]:
    """One attempt for each health request."""
    return {**handler, "periodSeconds": 1, "timeoutSeconds": 1}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as kept:
        return int(kept.getsockname()[1])


def asked(started: Sidecar) -> Line:
    """A health request whose answer is still to come."""
    return started.send("GET /", KUBELET, QUEUE)


# what the platform asks


@pytest.mark.spec("DP-026", "DP-029", "DP-030", "DP-033", "DP-038")
def test_only_the_right_words_are_a_health_check(sidecar: Make, origin: Origin) -> None:
    started = sidecar(SERVING_READINESS_PROBE=http_get(origin.port))
    origin.answers("/ready", READY)
    for agent in (KUBELET, ACTIVATOR, AUTOSCALER, "User-Agent: Knative-Activator-Probe/foo"):
        for path in ("/", "/healthz", "/any/where?a=b"):
            answer = started.get(path, agent, QUEUE)
            assert (answer.status, answer.body) == (200, b"queue")
    wrong = started.get("/", AUTOSCALER, "K-Network-Probe: activator")
    assert (wrong.status, wrong.body) == (400, b"unexpected probe header value: activator\n")
    assert {head.target for head in origin.heads} == {b"/ready"}


@pytest.mark.spec("DP-028", "DP-033")
def test_a_kubelet_without_the_word_is_told_so(sidecar: Make, origin: Origin) -> None:
    answer = sidecar().get("/", KUBELET)
    assert (answer.status, answer.body) == (400, b"unexpected probe header value: \n")
    assert not origin.heads


@pytest.mark.spec("DP-027")
def test_not_ready_is_503_without_a_word(sidecar: Make) -> None:
    port = free_port()
    started = sidecar(port, SERVING_READINESS_PROBE=once({"tcpSocket": {"port": port, "host": "127.0.0.1"}}))
    answer = started.probe()
    assert (answer.status, answer.body) == (503, b"")


@pytest.mark.spec("DP-031", "DP-032", "DP-033")
def test_a_network_probe_gets_its_hash_back(sidecar: Make, origin: Origin) -> None:
    started = sidecar()
    answer = started.get("/", NETWORK, "K-Network-Hash: abc")
    assert (answer.status, answer.body, answer.head.get("K-Network-Hash")) == (200, b"", b"abc")
    without = started.get("/", NETWORK)
    assert (without.status, without.body) == (400, NO_HASH)
    assert not origin.heads


@pytest.mark.spec("DP-034")
def test_probes_are_answered_when_the_room_is_full(sidecar: Make, origin: Origin) -> None:
    started = sidecar(CONTAINER_CONCURRENCY=1)
    hold = origin.holds("/slow")
    held = [started.send("GET /slow") for _ in range(11)]
    hold.until_reached()
    until(lambda: started.get("/slow").status == 503, "the room is full")
    assert started.probe().body == b"queue"
    assert started.get("/", NETWORK, "K-Network-Hash: abc").status == 200
    hold.finish()
    assert [line.answer().status for line in held] == [200] * 11


@pytest.mark.spec("DP-035")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PURGE"])
def test_probes_are_answered_with_any_method(sidecar: Make, origin: Origin, method: str) -> None:
    started = sidecar()
    assert started.send(f"{method} /", KUBELET, QUEUE).answer().body == b"queue"
    assert started.send(f"{method} /", NETWORK, "K-Network-Hash: a").answer().head.get("K-Network-Hash") == b"a"


@pytest.mark.spec("DP-036")
def test_the_word_without_the_agent_goes_to_the_app(sidecar: Make, origin: Origin) -> None:
    assert sidecar().get("/page", "User-Agent: curl/8", QUEUE).body == b"hello"
    assert origin.seen("/page") == 1


@pytest.mark.spec("DP-037", "DP-130")
def test_a_kubelet_probe_by_header_passes_the_limit_and_the_statistics(sidecar: Make, origin: Origin) -> None:
    started = sidecar(CONTAINER_CONCURRENCY=1)
    hold = origin.holds("/slow")
    marked = started.send("GET /slow", "K-Kubelet-Probe: x")
    hold.until_reached()
    assert started.get("/quick", "K-Kubelet-Probe: x").body == b"hello"
    assert started.get("/quick").body == b"hello"
    idle = b"\x0a" + bytes([len(started.env["SERVING_POD"])]) + started.env["SERVING_POD"].encode() + b"\x31"

    def is_idle() -> bool:
        wire = started.get("/metrics", port=STATS_PORT).body
        return wire.startswith(idle)

    until(is_idle, "a window without a request, although one that is marked runs")
    hold.finish()
    assert marked.answer().body == b"done"


# what the sidecar asks


@pytest.mark.spec("DP-052")
def test_without_a_probe_the_app_is_ready(sidecar: Make) -> None:
    assert sidecar(free_port(), SERVING_READINESS_PROBE="").probe().body == b"queue"


@pytest.mark.spec("DP-039")
def test_an_app_that_comes_up_is_ready_at_once(sidecar: Make) -> None:
    port = free_port()
    started = sidecar(port, SERVING_READINESS_PROBE={"tcpSocket": {"port": port, "host": "127.0.0.1"}})
    waiting = asked(started)
    time.sleep(0.3)  # nothing is to happen: nobody listens there yet
    assert waiting.is_silent()
    with socket.create_server(("127.0.0.1", port)):
        up = time.monotonic()
        assert waiting.answer().body == b"queue"
    assert time.monotonic() - up < 2


@pytest.mark.spec("DP-040", "DP-041")
def test_start_up_attempts_go_on_for_ten_seconds(sidecar: Make, app: Origin) -> None:
    started = sidecar(SERVING_READINESS_PROBE=http_get(app.port))
    began = time.monotonic()
    waiting = asked(started)
    attempts = [app.accept() for _ in range(5)]
    five_s = time.monotonic() - began
    for attempt in attempts:
        assert attempt.head().target == b"/ready"
    assert five_s > 0.3
    assert waiting.is_silent()
    waiting.sock.settimeout(30)
    assert waiting.answer().status == 503
    assert time.monotonic() - began > 9.5


@pytest.mark.spec("DP-042", "DP-045")
def test_with_a_period_each_health_request_is_one_attempt_on_a_new_connection(sidecar: Make, origin: Origin) -> None:
    origin.answers("/ready", NOT_READY)
    started = sidecar(SERVING_READINESS_PROBE=once(http_get(origin.port)))
    for n in range(1, 4):
        assert started.probe().status == 503
        assert origin.seen("/ready") == n
    assert len(origin.lines) == 3


@pytest.mark.spec("DP-043")
@pytest.mark.parametrize(("status", "verdict"), [(200, 200), (204, 200), (399, 200), (400, 503), (500, 503)])
def test_statuses_from_200_to_399_are_ready(sidecar: Make, origin: Origin, status: int, verdict: int) -> None:
    origin.answers("/ready", b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)
    assert sidecar(SERVING_READINESS_PROBE=once(http_get(origin.port))).probe().status == verdict


@pytest.mark.spec("DP-044")
def test_headers_path_and_query_are_sent(sidecar: Make, origin: Origin) -> None:
    probe = http_get(origin.port, "/ready?deep=1")
    probe["httpGet"]["httpHeaders"] = [{"name": "X-Mine", "value": "yes"}]  # type: ignore[index]
    assert sidecar(SERVING_READINESS_PROBE=probe).probe().status == 200
    seen = origin.last()
    assert seen.target == b"/ready?deep=1"
    assert seen.get("X-Mine") == b"yes"
    assert (seen.get("User-Agent") or b"").startswith(b"kube-probe/")


@pytest.mark.spec("DP-046", "DP-047")
def test_three_successes_in_a_row_are_needed_once(sidecar: Make, origin: Origin) -> None:
    script = [READY, READY, NOT_READY, READY, READY, READY]
    origin.runs("/ready", lambda call: call.send(script.pop(0) if script else READY))
    started = sidecar(SERVING_READINESS_PROBE=http_get(origin.port, successThreshold=3))
    assert started.probe().status == 200
    assert origin.seen("/ready") == 6
    assert started.probe().status == 200
    assert origin.seen("/ready") == 7


@pytest.mark.spec("DP-048", "DP-054")
def test_callers_share_the_probe_that_runs_even_when_the_first_has_left(sidecar: Make, origin: Origin) -> None:
    hold = origin.holds("/ready")
    started = sidecar(SERVING_READINESS_PROBE=once(http_get(origin.port)))
    first = asked(started)
    hold.until_reached()
    others = [asked(started) for _ in range(9)]
    first.close()
    started.get("/metrics", port=STATS_PORT)  # comes after the others, and to the same thread
    hold.finish()
    assert [line.answer().body for line in others] == [b"queue"] * 9
    assert origin.seen("/ready") == 1
    assert started.probe().status == 200
    assert origin.seen("/ready") == 2


@pytest.mark.spec("DP-009", "DP-049")
@pytest.mark.parametrize(("second", "verdict"), [(READY, 200), (NOT_READY, 503)], ids=["both", "one"])
def test_two_probes_run_side_by_side_and_both_must_pass(
    sidecar: Make, origin: Origin, second: bytes, verdict: int
) -> None:
    both = threading.Barrier(2, timeout=PATIENCE_S)

    def answer(data: bytes) -> Callable[[Call], None]:
        def script(call: Call) -> None:
            both.wait()
            call.send(data)

        return script

    origin.runs("/one", answer(READY))
    origin.runs("/two", answer(second))
    probes = [once(http_get(origin.port, path)) for path in ("/one", "/two")]
    started = sidecar(SERVING_READINESS_PROBE=json.dumps(probes), ENABLE_MULTI_CONTAINER_PROBES="true")
    assert started.probe().status == verdict


@pytest.mark.spec("DP-050")
def test_grpc_health_decides(sidecar: Make) -> None:
    servicer = health.HealthServicer()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    port = server.add_insecure_port("127.0.0.1:0")
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.start()
    probe = once({"grpc": {"port": port, "service": "mine"}})
    started = sidecar(port, SERVING_READINESS_PROBE=probe)

    def verdict(status: int) -> Answer:
        servicer.set("mine", status)
        return started.probe()

    try:
        assert started.probe().status == 503
        assert verdict(health_pb2.HealthCheckResponse.SERVING).body == b"queue"
        assert verdict(health_pb2.HealthCheckResponse.NOT_SERVING).status == 503
    finally:
        server.stop(None).wait()
    assert started.probe().status == 503


@pytest.mark.spec("DP-050")
def test_grpc_without_a_health_service_is_not_ready(sidecar: Make) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        assert sidecar(port, SERVING_READINESS_PROBE=once({"grpc": {"port": port}})).probe().status == 503
    finally:
        server.stop(None).wait()


@pytest.mark.spec("DP-051")
@pytest.mark.parametrize("probe", [{"exec": {"command": ["true"]}}, {"periodSeconds": 1}], ids=["exec", "nothing"])
def test_what_cannot_be_asked_is_never_ready(sidecar: Make, origin: Origin, probe: dict[str, object]) -> None:
    assert sidecar(SERVING_READINESS_PROBE=probe).probe().status == 503


@pytest.mark.spec("DP-053")
@pytest.mark.parametrize("path", ["/only-h2", "/only-h1", "/"])
def test_the_protocol_of_the_app_is_found_out(sidecar: Make, go_app: GoApp, path: str) -> None:
    probe = once(http_get(go_app.port, path))
    started = sidecar(go_app.port, SERVING_READINESS_PROBE=probe, ENABLE_HTTP2_AUTO_DETECTION="true")
    assert started.probe().body == b"queue"
