"""Fields at a gateway: what it sets, overwrites, adds and keeps back, and whom it calls."""

from __future__ import annotations

import re

import pytest

from tests.gatewayfixture import HASH, path, routes, to

UUID4 = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture
def g(gateway, origin):
    made = gateway()
    made.serve(a=origin)
    return made


@pytest.mark.spec("NW-065")
def test_a_field_of_the_path_is_set(g, origin):
    g.route({"one.example": routes(path("/", "a", set_headers={"X-Set": "1", "Authorization": "2"}))})
    assert g.to("one.example").status == 200
    seen = origin.last()
    assert (seen.get("X-Set"), seen.get("Authorization"), seen.get("Host")) == (b"1", b"2", b"one.example")


@pytest.mark.spec("NW-066", "NW-068")
@pytest.mark.parametrize("name", ["X-Set", "Authorization", "User-Agent", "X-Forwarded-For", "X-Request-Id"])
@pytest.mark.parametrize("of_path", [True, False], ids=["path", "split"])
def test_what_is_set_overwrites_every_line_of_the_caller(g, origin, name, of_path):
    sets = {name: "ours"}
    split = to("a") if of_path else to("a", **{name.replace("-", "_"): "ours"})
    g.route({"one.example": routes(path("/", split, set_headers=sets if of_path else {}))})
    g.to(
        "one.example", "/", f"{name.lower()}: theirs", "X-Other: kept", f"{name.upper()}: theirs", f"Connection: {name}"
    )
    assert origin.last().all(name) == [b"ours"]
    assert origin.last().get("X-Other") == b"kept"


@pytest.mark.spec("NW-067")
def test_the_path_wins_over_the_split(g, origin):
    split = to("a", X_Set="split", X_Split="split")
    g.route({"one.example": routes(path("/", split, set_headers={"x-set": "path"}))})
    g.to("one.example")
    assert (origin.last().get("X-Set"), origin.last().get("X-Split")) == (b"path", b"split")


def test_matching_sees_the_request_as_it_came(g, origin):
    matched = path("/", "a", headers={"X-Tag": "1"}, set_headers={"X-Tag": "2"})
    g.route({"one.example": routes(matched)})
    assert g.to("one.example", "/", "X-Tag: 1").status == 200
    assert origin.last().get("X-Tag") == b"2"
    assert g.to("one.example", "/", "X-Tag: 2").status == 404


def test_a_host_is_rewritten(g, origin):
    g.route({"one.example": routes(path("/", "a", rewrite_host="two.default.svc.cluster.local"))})
    g.to("one.example:80")
    assert origin.last().get("Host") == b"two.default.svc.cluster.local"
    assert origin.last().get("K-Original-Host") is None


def test_an_original_host_passes(g, origin):
    g.route({"one.example": routes(path("/", "a")), "two.example": routes(path("/", to("a", K_Original_Host="x.y")))})
    g.to("one.example", "/", "K-Original-Host: app.example")
    assert origin.last().get("K-Original-Host") == b"app.example"
    g.to("two.example", "/", "K-Original-Host: app.example")
    assert origin.last().get("K-Original-Host") == b"x.y"


@pytest.mark.spec("NW-069", "NW-070")
@pytest.mark.parametrize(("sent", "seen"), [("override", HASH), ("abc", "abc"), ("Override", "Override")])
def test_the_hash_of_a_probe_is_filled_in_and_any_other_passes(g, origin, sent, seen):
    g.route({"one.example": routes(path("/", "a"))})
    g.to("one.example", "/", "K-Network-Probe: probe", f"K-Network-Hash: {sent}")
    assert origin.last().get("K-Network-Hash") == seen.encode()
    assert origin.last().get("K-Network-Probe") == b"probe"


def test_revision_headers_of_a_split_reach_whoever_is_behind(g, origin):
    split = to("a", Knative_Serving_Revision="hello-00001", Knative_Serving_Namespace="default")
    g.route({"one.example": routes(path("/", split))})
    g.to("one.example", "/", "Knative-Serving-Revision: forged", "K-Proxy-Request: activator")
    seen = origin.last()
    assert seen.get("Knative-Serving-Revision") == b"hello-00001"
    assert seen.get("Knative-Serving-Namespace") == b"default"
    assert seen.get("K-Proxy-Request") is None


def test_where_a_request_came_from_is_said(g, origin):
    g.route({"one.example": routes(path("/", "a"))})
    g.to("one.example")
    seen = origin.last()
    assert (seen.get("X-Forwarded-For"), seen.get("X-Forwarded-Proto")) == (b"127.0.0.1", b"http")
    assert seen.get("Forwarded") is None
    assert UUID4.fullmatch(seen.get("X-Request-Id"))
    g.to("one.example", "/", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Request-Id: mine")
    seen = origin.last()
    assert (seen.get("X-Forwarded-For"), seen.get("X-Forwarded-Proto")) == (b"192.0.2.1, 127.0.0.1", b"https")
    assert seen.get("X-Request-Id") == b"mine"


def test_an_untrusted_peer_is_not_believed(gateway, origin):
    g = gateway(trusted=((bytes([10, 0, 0, 0]).rjust(16, b"\0"), 128),))
    g.serve(a=origin)
    g.route({"one.example": routes(path("/", "a"))})
    said = ["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: x", "Forwarded: for=x"]
    g.to("one.example", "/", *said, "K-Original-Host: app.example")
    seen = origin.last()
    assert (seen.get("X-Forwarded-For"), seen.get("X-Forwarded-Proto")) == (b"127.0.0.1", b"http")
    assert [seen.get(name) for name in ("X-Forwarded-Host", "Forwarded", "K-Original-Host")] == [None] * 3


@pytest.mark.spec("NW-103")
@pytest.mark.parametrize(
    ("host", "target", "location"),
    [
        ("one.example", "/a?b", "https://one.example/a?b"),
        ("one.example:80", "/", "https://one.example/"),
        ("one.example:8080", "/", "https://one.example:8080/"),
        ("one.example", "http://one.example?x", "https://one.example/?x"),
    ],
)
def test_cleartext_is_redirected(g, origin, host, target, location):
    g.route({"one.example": routes(path("/", redirect=True, set_headers={"X-Set": "1"}))})
    answer = g.to(host, target)
    assert (answer.status, answer.body) == (301, b"")
    assert answer.head.get("Location") == location.encode()
    assert answer.head.get("X-Set") is None
    assert origin.heads == []


@pytest.mark.spec("NW-104")
def test_a_redirect_is_one_path_among_others(g):
    g.route({"one.example": routes(path("/ok", "a"), path("/", "a", redirect=True))})
    assert g.to("one.example", "/ok").status == 200
    assert g.to("one.example", "/").status == 301


@pytest.mark.spec("NW-108", "NW-109")
def test_inside_what_is_external_is_redirected_and_what_is_local_is_not(g):
    g.route({"one.example": routes(path("/in", "a", local=True), path("/", "a", redirect=True))})
    assert g.to_private("one.example", "/in").status == 200
    assert g.to_private("one.example", "/").status == g.to("one.example", "/").status == 301


def test_http_1_0_without_a_host_is_not_redirected(g):
    g.route({"*": routes(path("/", redirect=True))})
    line = g.connect()
    line.send(b"GET / HTTP/1.0\r\n\r\n")
    assert line.answer().status == 400


# ── where the gateway holds requests itself ───────────────────────────────


@pytest.fixture
def held(gateway):
    """A gateway that is the activator of its target as well; nobody serves it yet."""
    made = gateway()
    made.hold("default/hello-00001")
    split = to("default/hello-00001", Knative_Serving_Revision="hello-00001", Knative_Serving_Namespace="default")
    made.route({"one.example": routes(path("/", split), hash="feed")})
    return made


@pytest.mark.spec("DP-177", "NW-069", "NW-070")
@pytest.mark.parametrize(("sent", "echoed"), [("override", b"feed"), ("abc", b"abc")])
def test_a_network_probe_is_answered_and_wakes_nobody(held, sent, echoed):
    answer = held.to("one.example", "/", "K-Network-Probe: probe", f"K-Network-Hash: {sent}")
    assert (answer.status, answer.body, answer.head.get("K-Network-Hash")) == (200, b"", echoed)
    assert held.to("one.example", "/", "K-Network-Probe: probe").status == 400
    assert held.engine.take_events() == []


@pytest.mark.spec("DP-175", "DP-176")
def test_an_activator_answers_its_own_probe(held):
    answer = held.to("one.example", "/", "K-Network-Probe: activator")
    assert (answer.status, answer.body) == (200, b"activator")
    assert held.to("one.example", "/", "K-Network-Probe: queue").status == 400
    assert held.engine.take_events() == []


@pytest.mark.spec("DP-183", "DP-186", "DP-179")
def test_a_held_request_goes_to_a_sidecar_as_an_activator_sends_it(held, origin):
    sent = held.connect()
    sent.send(b"GET / HTTP/1.1\r\nHost: one.example\r\nK-Network-Hash: x\r\nConnection: K-Original-Host\r\n\r\n")
    held.until(load=1)
    held.at("default/hello-00001", origin, each=1)
    assert sent.answer().status == 200
    seen = origin.last()
    assert seen.get("Host") == f"127.0.0.1:{origin.port}".encode()
    assert seen.get("K-Original-Host") == b"one.example"
    assert seen.get("K-Proxy-Request") == b"activator"
    absent = ("Knative-Serving-Revision", "Knative-Serving-Namespace", "K-Network-Hash", "Forwarded")
    assert [seen.get(name) for name in absent] == [None] * 4
    assert (seen.get("X-Forwarded-For"), seen.get("X-Forwarded-Proto")) == (b"127.0.0.1", b"http")


@pytest.mark.spec("DP-184")
@pytest.mark.parametrize(
    ("more", "lines", "seen"),
    [
        ({"rewrite_host": "inner.example"}, [], b"inner.example"),
        ({"rewrite_host": "inner.example"}, ["K-Original-Host: outer.example"], b"outer.example"),
        ({"set_headers": {"K-Original-Host": "set.example"}}, ["K-Original-Host: outer.example"], b"set.example"),
        ({}, ["K-Original-Host:"], b"one.example"),
    ],
    ids=["rewritten", "said", "set", "empty"],
)
def test_the_app_behind_a_held_target_sees_the_host_that_is_meant(held, origin, more, lines, seen):
    held.route({"one.example": routes(path("/", "default/hello-00001", **more))})
    held.at("default/hello-00001", origin, each=1)
    assert held.to("one.example", "/", *lines).status == 200
    assert origin.last().get("K-Original-Host") == seen


def test_a_malformed_original_host_is_refused(held):
    assert held.to("one.example", "/", "K-Original-Host: a b").status == 400


@pytest.mark.spec("DP-187")
def test_a_held_request_that_nobody_serves_ends_as_at_an_activator(held):
    held.hold("default/hello-00001", request_ns=50_000_000)
    answer = held.to("one.example")
    assert (answer.status, answer.body) == (504, b"activator request timeout")
    assert answer.head.get("Proxy-Status").startswith(b"gateway; error=http_response_timeout")


def test_a_request_id_stays_when_it_is_sent_once_more(g, gateway, app):
    gate = gateway()
    gate.serve(a=app)
    gate.route({"one.example": routes(path("/", "a"))})
    line = gate.connect()
    line.send(b"GET /1 HTTP/1.1\r\nHost: one.example\r\n\r\n")
    up = app.accept()
    up.head()
    up.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert line.answer().status == 200
    line.send(b"GET /2 HTTP/1.1\r\nHost: one.example\r\n\r\n")
    first = up.head()
    up.close()
    again = app.accept()
    second = again.head()
    assert first.get("X-Request-Id") == second.get("X-Request-Id") is not None
    again.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert line.answer().status == 200
