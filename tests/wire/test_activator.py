"""Activator: which revision a request names, what its sidecar sees, and what probes are told."""

from __future__ import annotations

import pytest

from tests.origin import Origin
from tests.targetfixture import HEADERS, REVISION


@pytest.fixture
def t(targets, pods):
    """An activator whose revision has one pod, the first."""
    made = targets()
    made.serve(pods[0], each=10)
    return made


def raw(t, *lines: str):
    """A request whose head is these lines; its answer."""
    line = t.connect()
    line.send("\r\n".join(lines).encode() + b"\r\n\r\n")
    return line.answer()


@pytest.mark.spec("DP-180")
def test_headers_name_the_revision(t):
    assert raw(t, "GET / HTTP/1.1", "Host: hello.example", *HEADERS).body == b"hello"


@pytest.mark.spec("DP-181")
@pytest.mark.parametrize("port", ["", ":80"], ids=["without port", "with port"])
@pytest.mark.parametrize(
    "headers", [[], ["Knative-Serving-Revision: other"], ["Knative-Serving-Namespace: other"]],
    ids=["no headers", "revision alone", "namespace alone"],
)  # fmt: skip
def test_a_host_of_the_cluster_names_the_revision(t, port, headers):
    answer = raw(t, "GET / HTTP/1.1", f"Host: hello-00001.default.svc.cluster.local{port}", *headers)
    assert answer.body == b"hello"


@pytest.mark.spec("DP-182")
@pytest.mark.parametrize(
    ("lines", "named"),
    [
        (["Host: a.example", "Knative-Serving-Namespace: default", "Knative-Serving-Revision: gone"], "gone"),
        (["Host: gone.default.svc.cluster.local"], "gone"),
        (["Host: hello-00001.default.svc.elsewhere"], ""),
        (["Host: hello-00001.default.pod.cluster.local"], ""),
        (["Host: hello-00001.default.svc"], ""),
        (["Host: a.example", "Knative-Serving-Revision: hello-00001"], "hello-00001"),
        (["Host: a.example"], ""),
    ],
    ids=["headers", "host", "another domain", "no service", "short", "no namespace", "nothing"],
)
def test_a_revision_that_is_not_there_is_not_found(t, lines, named):
    answer = raw(t, "GET / HTTP/1.1", *lines)
    assert answer.status == 404
    expected = f'Error getting active endpoint: revision.serving.knative.dev "{named}" not found\n'
    assert answer.body == expected.encode()
    assert answer.head.get("Content-Type") == b"text/plain; charset=utf-8"


@pytest.mark.spec("DP-183")
def test_the_sidecar_sees_an_activator(t, pods):
    t.ask().answer()
    seen = pods[0].last()
    assert seen.get("Host") == f"127.0.0.1:{pods[0].port}".encode()
    assert seen.get("K-Original-Host") == b"test.example"
    assert seen.get("K-Proxy-Request") == b"activator"
    assert seen.get("Knative-Serving-Revision") is None
    assert seen.get("Knative-Serving-Namespace") is None
    assert seen.get("X-Forwarded-For") == b"127.0.0.1"
    assert seen.get("Forwarded") is None


@pytest.mark.spec("DP-183")
def test_connection_cannot_name_away_what_the_activator_says(t, pods):
    t.ask("GET /", "Connection: K-Proxy-Request, K-Original-Host", "K-Proxy-Request: x").answer()
    seen = pods[0].last()
    assert seen.get("K-Original-Host") == b"test.example"
    assert seen.get("K-Proxy-Request") == b"activator"


@pytest.mark.spec("DP-185")
def test_where_pods_have_no_address_the_host_is_the_service(t, pods):
    t.change({REVISION: {"host": "hello-00001-private.default"}})
    t.ask("GET /", "K-Passthrough-Lb: no").answer()
    assert pods[0].last().get("Host") == b"hello-00001-private.default"
    assert pods[0].last().get("K-Passthrough-Lb") == b"true"
    assert pods[0].last().get("K-Original-Host") == b"test.example"


@pytest.mark.spec("DP-184")
@pytest.mark.parametrize(("sent", "seen"), [("app.example", b"app.example"), ("", b"test.example")])
def test_an_original_host_is_kept_unless_it_is_empty(t, pods, sent, seen):
    t.ask("GET /", f"K-Original-Host: {sent}").answer()
    assert pods[0].last().get("K-Original-Host") == seen


@pytest.mark.spec("DP-179")
def test_a_hash_without_a_probe_ends_here(t, pods):
    t.ask("GET /", "K-Network-Hash: abc").answer()
    assert pods[0].last().get("K-Network-Hash") is None


@pytest.mark.spec("DP-175")
def test_its_own_probe_is_answered_with_its_name(t):
    answer = t.get("/", "K-Network-Probe: activator")
    assert (answer.status, answer.body) == (200, b"activator")


@pytest.mark.spec("DP-176")
@pytest.mark.parametrize(
    ("value", "quoted"),
    [("queue", b'"queue"'), ("<a href='x'>&\"", b'"&lt;a href=&#39;x&#39;&gt;&amp;&#34;"')],
    ids=["queue", "markup"],
)
def test_a_probe_for_somebody_else_is_refused(t, value, quoted):
    answer = t.ask("GET /", f"K-Network-Probe: {value}").answer()
    assert answer.status == 400
    assert answer.body == b"unexpected probe header value: " + quoted + b"\n"


@pytest.mark.spec("DP-177")
def test_the_probe_of_the_network_gets_its_hash_back(t):
    answer = t.get("/", "K-Network-Probe: probe", "K-Network-Hash: abc")
    assert (answer.status, answer.head.get("K-Network-Hash"), answer.body) == (200, b"abc", b"")
    assert t.get("/", "K-Network-Probe: probe").status == 400


@pytest.mark.spec("DP-178")
def test_an_empty_probe_is_a_request(t, pods):
    assert t.ask("GET /", "K-Network-Probe:").answer().body == b"hello"


@pytest.mark.spec("DP-173", "DP-174")
@pytest.mark.parametrize("field", ["User-Agent: kube-probe/1.34", "K-Kubelet-Probe: queue"], ids=["agent", "header"])
def test_the_kubelet_is_told_how_it_is(t, field):
    answer = t.get("/", field)
    assert (answer.status, answer.body) == (200, b"")
    t.engine.health("received SIGTERM from kubelet")
    answer = t.get("/", field)
    assert (answer.status, answer.body) == (500, b"received SIGTERM from kubelet\n")
    assert t.ask().answer().body == b"hello"
    t.engine.health()
    assert t.get("/", field).status == 200


@pytest.mark.spec("DP-189")
def test_what_the_sidecar_answers_passes(t, pods):
    pods[0].answers("/", b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 3\r\nX-Pot: yes\r\n\r\ntea")
    answer = t.ask().answer()
    assert (answer.status, answer.head.get("X-Pot"), answer.body) == (418, b"yes", b"tea")


@pytest.mark.spec("DP-191")
def test_an_upgrade_keeps_its_slot_until_it_ends(t, pods):
    def script(call):
        call.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        call.send(call.line.read(4))
        call.line.read(1)

    pods[0].runs("/", script)
    line = t.connect()
    head = ["GET / HTTP/1.1", "Host: a.example", *HEADERS, "Connection: Upgrade", "Upgrade: websocket"]
    line.send("\r\n".join(head).encode() + b"\r\n\r\n")
    assert line.head().status == 101
    line.send(b"ping")
    assert line.read(4) == b"ping"
    t.until(gate=(10, 1, 0))
    line.close()
    t.until(gate=(10, 0, 0))


@pytest.mark.spec("DP-193")
def test_a_sidecar_may_answer_while_it_reads(t, pods):
    def echo(call):
        call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while data := call.line.chunk():
            call.send(b"%x\r\n" % len(data) + data + b"\r\n")
        call.line.until(b"\r\n")
        call.finish(b"0\r\n\r\n")

    pods[0].runs("/", echo)
    line = t.connect()
    head = ["POST / HTTP/1.1", "Host: a.example", *HEADERS, "Transfer-Encoding: chunked"]
    line.send("\r\n".join(head).encode() + b"\r\n\r\n")
    assert line.head().status == 200
    for word in (b"one", b"two", b"three"):
        line.send(b"%x\r\n" % len(word) + word + b"\r\n")
        assert line.chunk() == word
    line.send(b"0\r\n\r\n")
    assert line.chunks() == (b"", [])


def test_one_revision_more_is_a_small_change(t, pods):
    with Origin() as other:
        t.change({"default/world-00001": {}})
        t.serve(other, name="default/world-00001")
        world = ["Knative-Serving-Namespace: default", "Knative-Serving-Revision: world-00001"]
        assert raw(t, "GET / HTTP/1.1", "Host: a.example", *world).body == b"hello"
        assert other.seen("/") == 1
        assert t.ask().answer().body == b"hello"
        t.change({}, without=("default/world-00001",))
        t.engine.forget("default/world-00001")
        assert raw(t, "GET / HTTP/1.1", "Host: a.example", *world).status == 404
    assert t.ask().answer().body == b"hello"


def test_new_terms_keep_the_roster(t, pods):
    hold = pods[0].holds("/slow")
    slow = t.ask("GET /slow")
    hold.until_reached()
    t.change({REVISION: {"request_ns": 0}})
    assert t.ask().answer().status == 504
    t.until(gate=(10, 1, 0))
    hold.finish()
    assert slow.answer().body == b"done"


def test_endpoints_that_are_none_are_refused_all_at_once(t):
    with pytest.raises(ValueError, match=r"name is no IP address; 127\.0\.0\.1 has port 0.*capacity 0"):
        t.engine.endpoints(REVISION, [("name", 1, 1), ("127.0.0.1", 0, 1), ("127.0.0.2", 1, 0)])
    assert t.ask().answer().body == b"hello"
    with pytest.raises(ValueError, match="no target default/other"):
        t.engine.endpoints("default/other", [])
    with pytest.raises(ValueError, match="forget it first"):
        t.engine.endpoints(REVISION, [], unlimited=True)


def test_a_report_names_who_is_active_and_nobody_else(t, pods):
    t.change({f"default/idle-{number}": {} for number in range(20)})
    assert t.engine.report()[1] == {}
    hold = pods[0].holds("/")
    sent = t.ask()
    hold.until_reached()
    assert (REVISION, "wanted", None) in t.events()
    began_ns, first = t.engine.report()
    assert list(first) == [REVISION]
    assert first[REVISION][0] == 1
    assert first[REVISION][2:] == (1, 0, 0)
    ended_ns, second = t.engine.report()
    assert second[REVISION][1] - first[REVISION][1] == ended_ns - began_ns
    hold.finish()
    assert sent.answer().body == b"done"
    t.until(gate=(10, 0, 0), load=0)
    t.engine.report()
    assert t.engine.report()[1] == {}
    assert t.engine.take_events() == []
    t.ask().answer()
    assert t.events() == [(REVISION, "wanted", None)]
    assert t.engine.report()[1][REVISION][0] == 2
