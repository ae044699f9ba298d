"""Routes: which host and path a request falls to, who may see a host, and what becomes of the rest."""

from __future__ import annotations

import pytest

from tests.gatewayfixture import path, routes, to

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%s"


@pytest.fixture
def g(gateway, pods):
    """A gateway with targets a, b and c, which answer with their names."""
    made = gateway()
    for name, pod in zip("abc", pods, strict=False):
        pod.scripts = Named(name)
    made.serve(a=pods[0], b=pods[1], c=pods[2])
    return made


class Named(dict):
    """Every path is answered with the same name."""

    def __init__(self, name):
        self.answer = HELLO % name.encode()

    def get(self, key, default=None):
        return self

    def __call__(self, call):
        call.body()
        call.finish(self.answer)


def who(answer):
    assert answer.status == 200, answer
    return answer.body.decode()


@pytest.mark.spec("NW-057")
def test_a_host_leads_to_its_target(g):
    g.route({"one.example": routes(path("/", "a"))})
    assert who(g.to("one.example")) == "a"


@pytest.mark.spec("NW-061", "NW-071")
@pytest.mark.parametrize("host", ["one.example:80", "ONE.example", "one.example:", "One.Example:8080"])
def test_port_and_case_of_a_host_do_not_matter(g, host):
    g.route({"one.example": routes(path("/", "a"))})
    assert who(g.to(host)) == "a"


@pytest.mark.parametrize("host", ["one.example.", "one.exampl", "ne.example", "two.example", "x.one.example", "[::2]"])
def test_an_unknown_host_is_not_found(g, host):
    g.route({"one.example": routes(path("/", "a")), "[::1]": routes(path("/", "a"))})
    answer = g.to(host)
    assert (answer.status, answer.body) == (404, b"")
    assert answer.head.get("Proxy-Status") == b'gateway; error=destination_not_found; details="no route"'
    assert answer.head.get("Content-Type") is None


def test_a_bracketed_address_is_a_host(g):
    g.route({"[::1]": routes(path("/", "a"))})
    assert who(g.to("[::1]")) == who(g.to("[::1]:8080")) == "a"


def test_the_longest_wildcard_wins_and_a_star_takes_the_rest(g):
    g.route({
        "*.example": routes(path("/", "a")),
        "*.two.example": routes(path("/", "b")),
        "x.two.example": routes(path("/", "c")),
    })  # fmt: skip
    assert who(g.to("x.two.example")) == "c"
    assert who(g.to("y.two.example")) == who(g.to("z.y.two.example:1")) == "b"
    assert who(g.to("two.example")) == who(g.to("q.example")) == "a"
    assert g.to("example").status == g.to(".example").status == g.to("other").status == 404
    g.route({"*": routes(path("/", "c"))})
    assert who(g.to("other")) == who(g.to(".example")) == who(g.to("a" * 300 + ".example")) == "c"


@pytest.mark.spec("NW-072", "NW-073")
def test_the_first_prefix_that_fits_wins(g):
    g.route({"one.example": routes(path("/foo", "a"), path("/ba", "b"), path("/", "c"))})
    wanted = {"/foo": "a", "/foo/x": "a", "/foobar": "a", "/foo?x": "a", "/bar": "b", "/": "c"}
    assert {target: who(g.to("one.example", target)) for target in wanted} == wanted
    assert who(g.to("one.example", "/Foo")) == "c"
    assert who(g.to("one.example", "//foo")) == "c"
    assert who(g.to("one.example", "http://one.example/foo")) == "a"
    assert who(g.to("one.example", "http://one.example?foo")) == "c"


def test_a_path_that_no_prefix_fits_is_not_found(g):
    g.route({"one.example": routes(path("/foo", "a"))})
    assert (g.to("one.example", "/fo").status, g.to("one.example", "/fo").body) == (404, b"")
    assert g.to("one.example", "*", method="OPTIONS").status == 404


@pytest.mark.spec("NW-101", "NW-102")
def test_headers_choose_among_paths(g):
    tagged = path("/", "a", headers={"K-Tag": "blue", "X-More": "1"})
    g.route({"one.example": routes(tagged, path("/", "c"))})
    assert who(g.to("one.example", "/", "k-tag: blue", "x-more: 1")) == "a"
    others = ["K-Tag: blue"], ["K-Tag: Blue", "X-More: 1"], ["K-Tag:", "X-More: 1"], ["K-Tag: blue2", "X-More: 1"]
    for lines in others:
        assert who(g.to("one.example", "/", *lines)) == "c"
    assert who(g.to("one.example", "/", "K-Tag: blue", "K-Tag: red", "X-More: 1")) == "c"


def test_an_empty_value_asks_whether_a_header_is_there(g):
    g.route({"one.example": routes(path("/", "a", headers={"Cookie": ""}), path("/", "c"))})
    assert who(g.to("one.example", "/", "Cookie: x=1")) == who(g.to("one.example", "/", "Cookie:")) == "a"
    assert who(g.to("one.example")) == "c"


@pytest.mark.spec("NW-078")
def test_hosts_are_independent(g):
    g.route({"one.example": routes(path("/", "a")), "two.example": routes(path("/", "b"))})
    assert who(g.to("one.example")) + who(g.to("two.example")) == "ab"


@pytest.mark.spec("NW-092", "NW-093", "NW-096")
def test_a_local_host_answers_on_the_private_listener_only(g):
    local = routes(path("/foo", "a"), path("/", "b"), local=True)
    names = ["hello.default.svc.cluster.local", "hello.default.svc", "hello.default"]
    g.route(dict.fromkeys(names, local) | {"one.example": routes(path("/", "c"))})
    for name in names:
        assert (g.to(name).status, g.to(name).body) == (404, b"")
        assert who(g.to_private(name)) == "b"
        assert who(g.to_private(name, "/foo")) == "a"
    assert who(g.to_private("one.example")) == who(g.to("one.example")) == "c"


def test_a_local_host_does_not_hide_a_wildcard_from_the_public(g):
    g.route({"a.example": routes(path("/", "a"), local=True), "*.example": routes(path("/", "b"))})
    assert who(g.to("a.example")) == "b"
    assert who(g.to_private("a.example")) == "a"


@pytest.mark.spec("NW-122", "NW-096")
def test_a_host_of_both_kinds_shows_outside_only_what_is_external(g):
    g.route({"one.example": routes(path("/in", "a", local=True), path("/out", "b"), path("/", "c", local=True))})
    for target in ("/in", "/", "/ou"):
        assert (g.to("one.example", target).status, g.to("one.example", target).body) == (404, b"")
    assert who(g.to("one.example", "/out/x")) == who(g.to_private("one.example", "/out/x")) == "b"
    assert who(g.to_private("one.example", "/in")) == "a"
    assert who(g.to_private("one.example", "/ou")) == "c"


def test_a_local_path_does_not_hide_an_external_one_behind_it(g):
    g.route({"one.example": routes(path("/", "a", local=True), path("/", "b"))})
    assert who(g.to("one.example")) == "b"
    assert who(g.to_private("one.example")) == "a"


@pytest.mark.spec("NW-093", "NW-094")
@pytest.mark.parametrize("host", ["hello.default", "hello.default.svc.cluster.local:80", "vanity.example", "x"])
def test_the_private_listener_takes_any_host_in_cleartext(g, host):
    g.route({"*": routes(path("/", "a"), local=True)})
    assert who(g.to_private(host)) == "a"
    assert g.to(host).status == 404


@pytest.mark.spec("NW-074", "NW-075", "NW-095")
def test_splits_get_their_share_and_nobody_gets_more_than_nothing_of_none(g, pods):
    weights = (1, 2, 4, 8, 16, 32, 37, 0, 0, 0)
    splits = [to("abc"[i % 3] if weight else "nobody", weight, X_Split=str(i)) for i, weight in enumerate(weights)]
    g.route({"one.example": routes(path("/", *splits))})
    line = g.connect()
    for _ in range(1000):
        line.send(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
        assert line.answer().status == 200
    heads = [head for pod in pods for head in pod.heads]
    for i, weight in enumerate(weights):
        share = sum(head.get("X-Split") == b"%d" % i for head in heads) / 10
        assert abs(share - weight) <= (10 if weight else 0), (i, share)


@pytest.mark.spec("NW-077")
def test_a_split_path_does_not_leak_to_the_default(g):
    g.route({"one.example": routes(path("/foo", to("a", 50), to("b", 50)), path("/", "c"))})
    line = g.connect()
    found = []
    for _ in range(1000):
        line.send(b"GET /foo HTTP/1.1\r\nHost: one.example\r\n\r\n")
        found.append(line.answer().body)
    assert set(found) == {b"a", b"b"}
    assert 350 <= found.count(b"a") <= 650


@pytest.mark.spec("NW-087", "NW-088")
def test_a_change_is_live_when_the_plan_is_applied_and_touches_nobody_else(g, pods):
    g.route({"one.example": routes(path("/", "a")), "two.example": routes(path("/", "b"))})
    line = g.connect()
    for i in range(10):
        g.route({"one.example": routes(path("/", "a", set_headers={"X-Version": str(i)}))})
        line.send(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
        assert line.answer().status == 200
        assert pods[0].last().get("X-Version") == b"%d" % i
    assert who(g.to("two.example")) == "b"


def test_a_host_that_goes_is_not_found_on_connections_that_stay(g):
    g.route({"one.example": routes(path("/", "a"))})
    line = g.connect()
    line.send(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
    assert line.answer().status == 200
    g.route({"one.example": None})
    line.send(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
    assert line.answer().status == 404
    g.route({"one.example": routes(path("/", "a"))})
    line.send(b"GET / HTTP/1.1\r\nHost: one.example\r\n\r\n")
    assert line.answer().status == 200


@pytest.mark.spec("NW-089", "NW-090")
def test_a_request_that_runs_keeps_its_routes_while_they_go(g, pods):
    pods[0].scripts = {}
    hold = pods[0].holds("/slow")
    g.route({"one.example": routes(path("/", "a"))})
    sent = g.connect()
    sent.send(b"GET /slow HTTP/1.1\r\nHost: one.example\r\n\r\n")
    hold.until_reached()
    g.route({"one.example": routes(path("/", "b"))})
    g.engine.endpoints("a", [], True)
    assert who(g.to("one.example")) == "b"
    hold.finish()
    assert sent.answer().body == b"done"


@pytest.mark.spec("NW-157")
def test_endpoints_change_without_a_plan(g, pods):
    g.route({"one.example": routes(path("/", "a"))})
    version = g.version
    g.at("a", pods[1])
    assert who(g.to("one.example")) == "b"
    g.engine.endpoints("a", [], True)
    assert g.to("one.example").status == 503
    g.at("a", pods[2])
    assert who(g.to("one.example")) == "c"
    assert g.version == version


def test_before_the_first_routes_nothing_is_found(gateway):
    assert gateway().to("one.example").status == 404


@pytest.mark.parametrize("name", ["", "*.", "One.example", "a" * 256])
def test_a_name_that_is_no_host_is_refused(g, name):
    with pytest.raises(ValueError, match="no names of hosts"):
        g.route({name: routes(path("/", "a"))})


def test_everything_that_is_wrong_with_routes_is_said():
    with pytest.raises(ValueError, match="paths") as said:
        routes(
            path("/", to("a", 0), set_headers={"Transfer-Encoding": "x", "X Y": "z"}),
            path("/", headers={"X": "a\r\nb"}, rewrite_host="a b"),
        )
    assert str(said.value).split("; ") == [
        "paths[0].set_headers: Transfer-Encoding cannot be set, as it frames or routes the message",
        "paths[0].set_headers: 'X Y' is no field name",
        "paths[0].splits: no split has any percent",
        "paths[1].headers: the value of X is no field value: 'a\\r\\nb'",
        "paths[1].rewrite_host: 'a b' is no host",
        "paths[1].splits: there is none, and no redirect",
    ]
