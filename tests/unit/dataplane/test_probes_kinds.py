"""The kinds of probes against real servers: what is sent, and which answers count."""

from __future__ import annotations

import socket
import ssl

import hpack
import pytest
from grpc_health.v1 import health_pb2

from dataplane.config.schema import App as AppSettings
from dataplane.config.schema import Probe, Readiness
from dataplane.probes import Prober
from dataplane.probing import hpack as ours
from dataplane.probing.place import Place
from tests.certificates import make_pair
from tests.unit.dataplane.probe_app import App, Call, app, grpc_app, h2c, http1, read_head, said


def ready(probe: Probe, app_protocol: str = "follow", detect: bool = False) -> bool:
    return all(ready_each(probe, 1, app_protocol, detect))


def ready_each(probe: Probe, count: int, app_protocol: str = "follow", detect: bool = False) -> list[bool]:
    """One prober, asked so many times."""
    settings = AppSettings(port=probe.port, protocol=app_protocol)
    prober = Prober(Readiness(probes=(probe,), detect_http2=detect), settings, lambda *_: None)
    results = []
    for _ in range(count):
        call = Call()
        prober.ask(call)
        results.append(call.status() == 200)
    return results


def once(port: int, **fields) -> Probe:
    return Probe(**{"kind": "http", "port": port, "period_s": 1, "timeout_s": 10, **fields})


@pytest.mark.spec("DP-043")
@pytest.mark.parametrize(
    ("status", "is_ready"),
    [(200, True), (204, True), (300, True), (304, True), (399, True), (400, False), (404, False), (503, False)],
)
def test_statuses_from_200_to_399_are_ready(status, is_ready):
    with app(http1(said(status))) as served:
        assert ready(once(served.port)) == is_ready


@pytest.mark.spec("DP-044", "DP-045")
def test_a_get_carries_path_query_and_configured_fields_on_a_new_connection_each_time():
    with app(http1(said(200))) as served:
        probe = once(
            served.port, path="/up?deep=1&x=ä", headers=(("Host", "app.example"), ("X-Two", "2"), ("X-Two", "3"))
        )
        assert ready_each(probe, 3) == [True] * 3
        assert served.connections == 3
    request = served.seen[0]
    assert request["line"] == "GET /up?deep=1&x=%C3%A4 HTTP/1.1"
    assert request["host"] == "app.example"
    assert request["x-two"] == "3"
    assert request["user-agent"].startswith("kube-probe/1.")
    assert request["connection"] == "close"


@pytest.mark.spec("DP-044")
def test_a_configured_agent_replaces_ours_and_framing_fields_are_left_out():
    with app(http1(said(200))) as served:
        headers = (("user-agent", "mine"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"))
        assert ready(once(served.port, headers=headers))
    assert served.seen[0] == {
        "line": "GET / HTTP/1.1",
        "host": f"127.0.0.1:{served.port}",
        "connection": "close",
        "accept": "*/*",
        "user-agent": "mine",
    }


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n" + b"x" * 400_000,
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.0 200 OK\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nbroken\r\n",
    ],
    ids=["interim", "chunked", "long", "no reason", "bare line feeds", "broken body"],
)
def test_an_answer_of_any_shape_is_read(answer):
    with app(http1(answer)) as served:
        if b"\n\n" in answer:
            # Its body ends with the connection, which this app leaves open.
            assert ready(once(served.port, timeout_s=1))
        else:
            assert ready(once(served.port))


@pytest.mark.parametrize(
    "answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b", b""],
    ids=["another protocol", "no status", "cut head", "nothing"],
)  # fmt: skip
def test_what_is_no_answer_is_not_ready(answer):
    def cut(served: App, sock: socket.socket) -> None:
        read_head(sock)
        sock.sendall(answer)

    with app(cut) as served:
        assert not ready(once(served.port))


@pytest.mark.spec("DP-043")
def test_a_redirect_on_the_same_host_is_followed_with_host_and_fields():
    with app(http1(said(302, b"", "Location: ../real?a=1#part"), said(200))) as served:
        assert ready(once(served.port, path="/a/b/c", headers=(("Host", "app.example"), ("X-One", "1"))))
        assert [seen["line"] for seen in served.seen] == ["GET /a/b/c HTTP/1.1", "GET /a/real?a=1 HTTP/1.1"]
        assert [seen["host"] for seen in served.seen] == ["app.example"] * 2
        assert [seen["x-one"] for seen in served.seen] == ["1", "1"]


def test_a_redirect_to_another_port_of_the_host_is_followed_and_its_status_counts():
    with (
        app(http1(said(503))) as other,
        app(http1(said(307, b"", f"Location: http://127.0.0.1:{other.port}/x"))) as served,
    ):
        assert not ready(once(served.port))
        assert other.seen[0]["host"] == f"127.0.0.1:{other.port}"


def test_a_redirect_to_another_host_counts_as_ready_and_is_not_followed():
    with app(http1(said(301, b"", "Location: https://login.example/"))) as served:
        assert ready(once(served.port))
        assert len(served.seen) == 1


def test_a_redirect_without_an_end_is_not_ready():
    with app(http1(said(302, b"", "Location: /"))) as served:
        assert not ready(once(served.port))
        assert len(served.seen) == 10


@pytest.mark.parametrize(
    ("location", "goes_to"),
    [
        ("/x", ("http", 8080, "/x", "said")),
        ("x/./y/../z?q=/..", ("http", 8080, "/a/x/z?q=/..", "said")),
        ("?q", ("http", 8080, "/a/b?q", "said")),
        ("..", ("http", 8080, "/", "said")),
        ("../../../x/", ("http", 8080, "/x/", "said")),
        ("//127.0.0.1/x", ("http", 80, "/x", "127.0.0.1:80")),
        ("https://127.0.0.1", ("https", 443, "/", "127.0.0.1:443")),
        ("http://u:p@127.0.0.1:99?q", ("http", 99, "/?q", "127.0.0.1:99")),
        ("HTTP://127.0.0.1:99/a b", ("http", 99, "/a%20b", "127.0.0.1:99")),
        ("http://[::1]:99/", None),
        ("ftp://127.0.0.1/", None),
        ("//other/x", None),
    ],
)
def test_locations_resolve_as_references_do(location, goes_to):
    further = Place("http", "127.0.0.1", 8080, "/a/b?old", "said").redirected(location)
    assert (further and (further.scheme, further.port, further.target, further.host)) == goes_to


def test_an_ipv6_address_stands_in_brackets():
    assert Place("http", "::1", 80, "/").host == "[::1]:80"


def test_https_is_asked_without_verification(tmp_path):
    pair = make_pair(tmp_path, "app", host="elsewhere.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert_file, pair.key_file)
    with app(http1(said(200)), context) as served:
        assert ready(once(served.port, scheme="https"))
        assert not ready(once(served.port))
    context.set_alpn_protocols(["h2"])
    with app(h2c((200, b"", {})), context) as served:
        assert ready(once(served.port, scheme="https"))
        assert served.seen[0][":scheme"] == "https"
    with app(lambda served, sock: sock.sendall(said(400))) as served:
        assert not ready(once(served.port, scheme="https"))


@pytest.mark.spec("DP-053")
def test_detection_finds_an_app_that_speaks_only_http2_and_sends_it_the_configured_fields():
    with app(h2c((200, b"x" * 100, {}))) as served:
        assert ready(once(served.port, path="/up?x", headers=(("X-One", "1"), ("Host", "app.example"))), detect=True)
    request = served.seen[0]
    assert (request[":path"], request[":authority"], request["x-one"]) == ("/up?x", "app.example", "1")
    assert request["user-agent"].startswith("kube-probe/1.")


@pytest.mark.spec("DP-053")
def test_detection_finds_an_app_that_speaks_only_http1_and_remembers_it():
    with app(http1(said(200))) as served:
        assert ready_each(once(served.port, headers=(("X-One", "1"),)), 3, detect=True) == [True] * 3
        assert served.connections == 4
        assert all(seen["x-one"] == "1" for seen in served.seen)


@pytest.mark.spec("DP-053")
def test_an_app_that_says_503_on_http2_and_200_on_http1_becomes_ready():
    def both(served: App, sock: socket.socket) -> None:
        first = sock.recv(3, socket.MSG_PEEK)
        (h2c((503, b"", {})) if first == b"PRI" else http1(said(200)))(served, sock)

    with app(both) as served:
        assert ready(once(served.port), detect=True)


def test_detection_begins_anew_when_what_was_found_stops_working():
    with app(http1(said(200), said(503), said(200))) as served:
        assert ready_each(once(served.port), 3, detect=True) == [True, False, True]
        assert served.connections == 5


@pytest.mark.parametrize(
    ("protocol", "is_ready"), [("h2c", True), ("detect", True), ("http1", False), ("follow", False)]
)
def test_a_protocol_that_was_set_for_the_app_is_what_its_probe_speaks(protocol, is_ready):
    with app(h2c((200, b"", {}))) as served:
        assert ready(once(served.port), app_protocol=protocol) == is_ready


def test_http2_statuses_and_redirects_are_read_whatever_their_coding():
    with app(h2c((302, b"", {"location": "/a-longer/path?with=query"}), (299, b"", {}))) as served:
        assert ready(once(served.port), app_protocol="h2c")
        assert served.seen[1][":path"] == "/a-longer/path?with=query"
    with app(h2c((418, b"", {}))) as served:
        assert not ready(once(served.port), app_protocol="h2c")


@pytest.mark.spec("DP-050")
def test_grpc_health_is_ready_only_when_serving():
    with grpc_app() as (port, servicer):
        probe = once(port, kind="grpc", timeout_s=10)
        assert ready(probe)
        servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
        assert not ready(probe)
        assert not ready(once(port, kind="grpc", service="shop.Cart"))
        servicer.set("shop.Cart", health_pb2.HealthCheckResponse.SERVING)
        assert ready(once(port, kind="grpc", service="shop.Cart"))
    with grpc_app(with_health=False) as (port, _):
        assert not ready(once(port, kind="grpc"))


@pytest.mark.spec("DP-050")
def test_grpc_health_that_does_not_answer_in_time_is_not_ready():
    def silent(served: App, sock: socket.socket) -> None:
        while sock.recv(65536):
            pass

    with app(silent) as served:
        assert not ready(once(served.port, kind="grpc", timeout_s=1))


def test_header_blocks_read_as_a_second_implementation_writes_them():
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    every = bytes(range(32, 256)).decode("latin-1")
    fields = [(":status", "503"), ("location", "/a?b"), ("grpc-status", "0"), ("x", every), ("y", "z" * 5000)]
    for huffman in (True, False):
        block = encoder.encode([(n.encode("latin-1"), v.encode("latin-1")) for n, v in fields], huffman=huffman)
        assert ours.decode(block) == fields
    assert hpack.Decoder().decode(ours.encode(fields[:3])) == fields[:3]
    assert hpack.Decoder().decode(ours.encode([("long", "v" * 300)])) == [("long", "v" * 300)]


@pytest.mark.parametrize("block", ["80", "be", "40", "0001", "00ffffffffffff", "000161810e", "000161843fffffff"])
def test_a_broken_header_block_is_named_and_never_read_past_its_end(block):
    with pytest.raises(ValueError, match="header block"):
        ours.decode(bytes.fromhex(block))
