"""Probes: which requests are answered here, and with what (spec 1.7)."""

from __future__ import annotations

import pytest

from tests.proxyfixture import request_bytes

KUBE = "User-Agent: kube-probe/1.30"
QUEUE = "K-Network-Probe: queue"


@pytest.mark.spec("DP-026", "DP-033")
def test_ready_app_is_reported(proxy, origin):
    answer = proxy().get("/", KUBE, QUEUE)
    assert (answer.status, answer.body) == (200, b"queue")
    assert origin.heads == []


@pytest.mark.spec("DP-027")
def test_app_that_is_not_ready_is_reported(proxy, origin):
    p = proxy()
    p.ready = False
    answer = p.get("/", KUBE, QUEUE)
    assert (answer.status, answer.body) == (503, b"")


@pytest.mark.spec("DP-028", "DP-030", "DP-033", "DP-038")
@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ([KUBE], b""),
        (["User-Agent: Knative-Autoscaling-Probe", "K-Network-Probe: activator"], b"activator"),
        (["User-Agent: Knative-Activator-Probe/foo", "K-Network-Probe: probe"], b"probe"),
    ],
    ids=["none", "activator", "prefix"],
)
def test_probe_for_somebody_else_is_refused(proxy, origin, fields, value):
    answer = proxy().get("/", *fields)
    assert (answer.status, answer.body) == (400, b"unexpected probe header value: " + value + b"\n")
    assert answer.head.get("Content-Type") == b"text/plain; charset=utf-8"
    assert answer.head.get("X-Content-Type-Options") == b"nosniff"
    assert origin.heads == []


@pytest.mark.spec("DP-029", "DP-038")
@pytest.mark.parametrize(
    "agent", ["Knative-Activator-Probe", "Knative-Activator-Probe/foo", "Knative-Autoscaling-Probe"]
)
def test_health_checks_of_the_platform_are_answered_on_any_path(proxy, origin, agent):
    assert proxy().get("//healthz?x", f"User-Agent: {agent}", QUEUE).body == b"queue"


@pytest.mark.spec("DP-031", "DP-033")
def test_network_probe_is_echoed(proxy, origin):
    answer = proxy().get("/", "K-Network-Probe: probe", "K-Network-Hash: abc")
    assert (answer.status, answer.body, answer.head.get("K-Network-Hash")) == (200, b"", b"abc")
    assert origin.heads == []


@pytest.mark.spec("DP-032")
def test_network_probe_without_hash_is_refused(proxy, origin):
    answer = proxy().get("/", "K-Network-Probe: probe")
    assert answer.status == 400
    assert answer.body == b'a probe request must contain a non-empty "K-Network-Hash" header\n'


@pytest.mark.spec("DP-034")
def test_probe_is_answered_beside_a_full_queue(proxy, origin):
    held = origin.holds("/slow")
    p = proxy(running_max=1, waiting_max=1)
    sent = [p.send("GET /slow") for _ in range(2)]
    p.until(pending=2)
    assert p.get("/", KUBE, QUEUE).status == 200
    assert p.get("/", "K-Network-Probe: probe", "K-Network-Hash: x").status == 200
    now = p.snapshot()
    assert (now["pending"], now["load"], now["probes"]) == (2, 2, 2)
    held.finish()
    assert [s.answer().body for s in sent] == [b"done", b"done"]


@pytest.mark.spec("DP-035")
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "BREW"])
def test_probe_may_use_any_method(proxy, origin, method):
    answer = proxy().send(f"{method} /", KUBE, QUEUE).answer()
    assert answer.status == 200
    assert answer.body == (b"" if method == "HEAD" else b"queue")


@pytest.mark.spec("DP-036")
def test_queue_probe_of_an_ordinary_agent_is_for_the_app(proxy, origin):
    assert proxy().get("/", "User-Agent: curl/8", QUEUE).body == b"hello"


@pytest.mark.spec("DP-037")
def test_kubelet_header_with_an_ordinary_agent_is_for_the_app(proxy, origin):
    assert proxy().get("/", "K-Kubelet-Probe: x", "User-Agent: me").body == b"hello"


@pytest.mark.spec("DP-160", "DP-168")
def test_draining_refuses_probes_and_serves_requests(proxy, origin):
    p = proxy()
    p.engine.drain(True)
    for fields in ([KUBE, QUEUE], [KUBE], ["K-Network-Probe: probe", "K-Network-Hash: x"]):
        answer = p.get("/", *fields)
        assert (answer.status, answer.body) == (503, b"shutting down\n")
    assert p.get("/").body == b"hello"
    p.engine.drain(False)
    assert p.get("/", KUBE, QUEUE).status == 200


def test_connection_of_a_probe_goes_on(proxy, origin):
    p = proxy()
    caller = p.connect()
    for _ in range(3):
        caller.send(request_bytes("GET /", KUBE, QUEUE))
        assert caller.answer().body == b"queue"
    assert p.snapshot()["conns_opened"] == {"main": 1}


def test_probe_that_leaves_before_its_answer_harms_nobody(proxy, origin):
    p = proxy()
    for _ in range(20):
        caller = p.saying(request_bytes("GET /", KUBE, QUEUE))
        caller.reset()
    p.until(conns=0)
    assert p.get("/", KUBE, QUEUE).status == 200


def test_body_of_a_probe_is_not_part_of_the_next_request(proxy, origin):
    p = proxy()
    caller = p.saying(request_bytes("POST /", KUBE, QUEUE, body=b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert caller.answer().body == b"queue"
    caller.send(request_bytes("GET /next"))
    assert caller.answer().body == b"hello"
    assert [head.target for head in origin.heads] == [b"/next"]


def test_admin_port_is_answered_by_python(proxy, origin):
    p = proxy()
    caller = p.connect(port=p.admin)
    caller.send(request_bytes("GET /one") + request_bytes("GET /two"))
    assert [caller.answer().body for _ in range(2)] == [b"admin:/one", b"admin:/two"]


def test_admin_answer_to_head_has_no_body(proxy, origin):
    p = proxy()
    caller = p.connect(port=p.admin)
    caller.send(request_bytes("HEAD /one") + request_bytes("GET /two"))
    assert caller.answer("HEAD").head.get("Content-Length") == b"10"
    assert caller.answer().body == b"admin:/two"
