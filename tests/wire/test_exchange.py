"""Exchange: the same conversations over {h1, h2} down and {h1, h2} up; nothing above the mux may differ."""

from __future__ import annotations

import contextlib

import pytest

from tests.proxyfixture import Proxy
from tests.waiting import until
from tests.wire.peers import Cut, Fields, Heard, Peer, call, take

PAIRS = [(down, up) for down in ("h1", "h2") for up in ("h1", "h2")]
OK: Fields = [(":status", "200")]


class Talk:
    """One exchange: a caller, and the app once it was reached."""

    def __init__(self, p: Proxy, app, down: str, up: str) -> None:
        self.p = p
        self.origin = app
        self.versions = (down, up)
        self.caller = call(p.port, down)
        self.app: Peer | None = None

    def ask(self, method: str = "GET", path: str = "/", fields: Fields = (), last: bool = True) -> None:
        self.caller.send_head([(":method", method), (":path", path), (":authority", "test.example")], fields, last)

    def reach(self) -> Heard:
        """The app takes a new connection and reads the head."""
        self.app = take(self.origin, self.versions[1])
        return self.app.head()

    def close(self) -> None:
        self.caller.close()
        if self.app is not None:
            self.app.close()


@pytest.fixture(params=PAIRS, ids=[f"{down} to {up}" for down, up in PAIRS])
def talk(request, proxy, app):
    """Makes exchanges of one pair of protocols; the settings are the proxy's."""
    down, up = request.param
    made: list[Talk] = []

    def make(p: Proxy | None = None, **settings) -> Talk:
        p = p or proxy(protocol="http1" if up == "h1" else "h2c", **settings)
        made.append(Talk(p, app, down, up))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.spec("DP-055", "DP-056")
def test_request_and_answer_pass(talk):
    t = talk()
    t.ask("GET", "/a//b?c=%20", [("x-one", "1"), ("x-two", "2"), ("x-one", "3")])
    head = t.reach()
    assert (head.method, head.path, head.authority) == ("GET", "/a//b?c=%20", "test.example")
    assert (head.all("x-one"), head.get("x-two")) == (["1", "3"], "2")
    t.app.send_head([(":status", "201")], [("x-back", "b"), ("content-length", "4")])
    t.app.send_data(b"body", last=True)
    answer = t.caller.head()
    assert (answer.status, answer.get("x-back"), answer.get("content-length")) == (201, "b", "4")
    assert answer.get("date")
    assert t.caller.rest() == (b"body", [])
    t.p.until(load=0)


@pytest.mark.parametrize("length", [True, False], ids=["length", "no length"])
@pytest.mark.parametrize("size", [1, 70_000, 3_000_000])
def test_bodies_pass_both_ways(talk, size, length):
    t = talk()
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    fields = [("content-length", str(size))] if length else []
    t.ask("POST", "/up", fields, last=False)
    head = t.reach()
    assert head.get("content-length") == (str(size) if length else None)
    for i in range(0, size, 60_000):
        t.caller.send_data(body[i : i + 60_000], last=i + 60_000 >= size)
        assert t.app.data(len(body[i : i + 60_000])) == body[i : i + 60_000]
    assert t.app.rest() == (b"", [])
    t.app.send_head(OK, fields)
    assert t.caller.head().get("content-length") == (str(size) if length else None)
    for i in range(0, size, 60_000):
        t.app.send_data(body[i : i + 60_000], last=i + 60_000 >= size)
        assert t.caller.data(len(body[i : i + 60_000])) == body[i : i + 60_000]
    assert t.caller.rest() == (b"", [])
    t.p.until(load=0, buffers=0)


@pytest.mark.spec("DP-072", "DP-073")
def test_pieces_pass_as_they_are_made(talk):
    t = talk()
    t.ask("POST", last=False)
    t.reach()
    t.app.send_head(OK)
    t.caller.head()
    for i in range(20):
        word = b"word %d" % i
        t.caller.send_data(word)
        assert t.app.data(len(word)) == word
        t.app.send_data(word)
        assert t.caller.data(len(word)) == word
    t.caller.send_data(b"", last=True)
    assert t.app.rest() == (b"", [])
    t.app.send_data(b"", last=True)
    assert t.caller.rest() == (b"", [])


@pytest.mark.spec("DP-075")
@pytest.mark.parametrize("body", [b"", b"some"])
def test_trailers_pass_both_ways(talk, body):
    t = talk()
    t.ask("POST", fields=[("te", "trailers")], last=False)
    assert t.reach().get("te") == "trailers"
    if body:
        t.caller.send_data(body)
    t.caller.send_trailers([("x-sum", "1"), ("x-two", "2")])
    assert t.app.rest() == (body, [("x-sum", "1"), ("x-two", "2")])
    t.app.send_head(OK)
    if body:
        t.app.send_data(body)
    t.app.send_trailers([("grpc-status", "0")])
    t.caller.head()
    assert t.caller.rest() == (body, [("grpc-status", "0")])
    t.p.until(load=0)


def test_interim_answers_pass(talk):
    t = talk()
    t.ask()
    t.reach()
    t.app.send_head([(":status", "103")], [("link", "<a>")])
    t.app.send_head([(":status", "404")], last=True)
    assert t.caller.head().status == 103
    assert t.caller.head().status == 404


def test_answer_to_expectation_is_asked_of_the_app(talk):
    t = talk()
    t.ask("POST", fields=[("expect", "100-continue"), ("content-length", "4")], last=False)
    t.reach()
    t.app.send_head([(":status", "100")])
    assert t.caller.head().status == 100
    t.caller.send_data(b"body", last=True)
    assert t.app.rest()[0] == b"body"
    t.app.send_head([(":status", "204")], last=True)
    assert t.caller.head().status == 204


@pytest.mark.spec("DP-077")
@pytest.mark.parametrize(("method", "status"), [("HEAD", "200"), ("GET", "204"), ("GET", "304")])
def test_answer_without_a_body_ends_with_its_head(talk, method, status):
    t = talk(running_max=1)
    t.ask(method)
    assert t.reach().method == method
    t.app.send_head([(":status", status)], [("x-a", "b")], last=True)
    head = t.caller.head()
    assert (head.status, head.get("x-a")) == (int(status), "b")
    assert t.caller.rest() == (b"", [])
    t.p.until(running=0)


@pytest.mark.spec("DP-057", "DP-058", "DP-060", "DP-061", "DP-066", "DP-067")
def test_request_is_rewritten_alike(talk):
    t = talk()
    t.ask(fields=[
        ("k-original-host", "a.example"), ("knative-serving-revision", "r"), ("x-forwarded-for", "127.0.0.1, ::1"),
        ("x-forwarded-host", "h"), ("x-forwarded-proto", "p"), ("proxy-authorization", "x"),
    ])  # fmt: skip
    head = t.reach()
    assert head.authority == "a.example"
    assert head.get("k-original-host") is None
    assert head.get("knative-serving-revision") is None
    assert head.get("proxy-authorization") is None
    assert head.get("x-forwarded-for") == "127.0.0.1, ::1, 127.0.0.1"
    assert head.get("forwarded") == 'for=127.0.0.1;host=h;proto=p, for="[::1]"'


@pytest.mark.spec("DP-026", "DP-028", "DP-031")
@pytest.mark.parametrize(
    ("fields", "status", "body"),
    [
        ([("user-agent", "kube-probe/1"), ("k-network-probe", "queue")], 200, b"queue"),
        ([("user-agent", "kube-probe/1")], 400, b"unexpected probe header value: \n"),
        ([("k-network-probe", "probe"), ("k-network-hash", "h")], 200, b""),
    ],
    ids=["health", "for another", "network"],
)
def test_probes_are_answered_alike(talk, fields, status, body):
    t = talk()
    t.ask(fields=fields)
    assert t.caller.head().status == status
    assert t.caller.rest()[0] == body


@pytest.mark.spec("DP-098", "DP-106", "DP-111")
@pytest.mark.parametrize(
    "settings", [{"request_s": 0.2}, {"start_s": 0.2}, {"idle_s": 0.2}], ids=["whole", "start", "idle"]
)
def test_silent_app_gives_504(talk, settings):
    t = talk(running_max=1, **settings)
    t.ask()
    t.reach()
    head = t.caller.head()
    assert (head.status, head.get("content-length")) == (504, "15")
    assert "error=http_response_timeout" in head.get("proxy-status")
    assert t.caller.rest()[0] == b"request timeout"
    with pytest.raises(Cut):
        t.app.data(1)
    t.p.until(running=0)


@pytest.mark.spec("DP-099", "DP-104")
def test_answer_that_stalls_is_cut_off(talk):
    t = talk(running_max=1, idle_s=0.2)
    t.ask()
    t.reach()
    t.app.send_head(OK)
    t.app.send_data(b"part")
    assert t.caller.head().status == 200
    assert t.caller.data(4) == b"part"
    with pytest.raises(Cut):
        t.caller.rest()
    t.p.until(running=0)


@pytest.mark.spec("DP-081", "DP-107")
@pytest.mark.parametrize("how", ["cut", "close"])
def test_answer_that_breaks_off_is_cut_off(talk, how):
    t = talk(running_max=1)
    t.ask()
    t.reach()
    t.app.send_head(OK)
    t.app.send_data(b"part")
    assert t.caller.head().status == 200
    assert t.caller.data(4) == b"part"
    getattr(t.app, how)()
    with pytest.raises(Cut):
        t.caller.rest()
    t.p.until(running=0)


@pytest.mark.parametrize("how", ["cut", "close"])
def test_app_that_dies_before_its_answer_is_502(talk, how):
    t = talk(running_max=1)
    t.ask("POST", fields=[("content-length", "2")], last=False)
    t.caller.send_data(b"ab", last=True)
    t.reach()
    assert t.app.data(2) == b"ab"
    getattr(t.app, how)()
    head = t.caller.head()
    assert head.status == 502
    assert head.get("proxy-status").startswith("queue-proxy; error=")
    t.p.until(running=0)


@pytest.mark.spec("DP-080")
def test_app_that_does_not_listen_is_502(talk, app):
    t = talk()
    app.listener.close()
    t.ask()
    head = t.caller.head()
    assert (head.status, head.get("content-type")) == (502, "text/plain; charset=utf-8")
    assert b"connection refused" in t.caller.rest()[0]


@pytest.mark.spec("DP-078", "DP-093")
@pytest.mark.parametrize("how", ["cut", "close"])
@pytest.mark.parametrize("step", ["request", "answer"])
def test_caller_that_leaves_ends_the_call(talk, how, step):
    t = talk(running_max=1)
    t.ask()
    t.reach()
    if step == "answer":
        t.app.send_head(OK)
        t.app.send_data(b"part")
        t.caller.head()
        t.caller.data(4)
    getattr(t.caller, how)()
    if step == "answer":

        def is_over_for_the_app():
            t.app.send_data(b"x" * 16_384)
            return not t.p.snapshot()["load"]

        with contextlib.suppress(OSError):  # the proxy hangs up in the middle of it
            until(is_over_for_the_app, "the proxy has noticed that the caller is gone")
    with pytest.raises(Cut):
        t.app.data(1)
    t.p.until(running=0, load=0)


@pytest.mark.spec("DP-086", "DP-092")
def test_limit_holds_until_the_body_ends(talk):
    t = talk(running_max=1, waiting_max=1)
    t.ask()
    t.reach()
    t.app.send_head(OK)
    t.caller.head()
    second = talk(t.p)
    second.ask()
    t.p.until(waiting=1)
    third = talk(t.p)
    third.ask()
    refused = third.caller.head()
    assert refused.status == 503
    assert third.caller.rest()[0] == b"pending request queue full\n"
    second.caller.cut()
    t.p.until(waiting=0, abandoned=1)
    t.app.send_data(b"", last=True)
    assert t.caller.rest() == (b"", [])
    t.p.until(running=0)


@pytest.mark.spec("DP-075")
def test_announced_trailers_pass_with_their_announcement(talk):
    t = talk()
    t.ask("POST", fields=[("trailer", "x-sum"), ("te", "trailers")], last=False)
    t.caller.send_data(b"up")
    assert t.reach().get("trailer") == "x-sum"
    t.caller.send_trailers([("x-sum", "1")])
    assert t.app.rest() == (b"up", [("x-sum", "1")])
    t.app.send_head(OK, [("trailer", "x-sum"), ("trailer", "x-two")])
    t.app.send_data(b"down")
    t.app.send_trailers([("x-sum", "2")])
    assert t.caller.head().all("trailer") == ["x-sum", "x-two"]
    assert t.caller.rest() == (b"down", [("x-sum", "2")])


def test_trailers_are_announced_only_where_they_can_come(talk):
    t = talk()
    length = [("content-length", "2"), ("trailer", "x-sum")]
    announced = "x-sum" if t.versions == ("h2", "h2") else None
    t.ask("POST", fields=length, last=False)
    t.caller.send_data(b"up", last=True)
    assert t.reach().get("trailer") == announced
    t.app.data(2)
    t.app.send_head(OK, length)
    t.app.send_data(b"ok", last=True)
    assert t.caller.head().get("trailer") == announced


def test_early_answer_ends_an_upload(talk):
    t = talk(running_max=1)
    t.ask("POST", fields=[("content-length", "1000000")], last=False)
    t.caller.send_data(b"x" * 1000)
    t.reach()
    t.app.data(1000)
    t.app.send_head([(":status", "413")], [("content-length", "3")])
    t.app.send_data(b"no\n", last=True)
    assert t.caller.head().status == 413
    assert t.caller.rest()[0] == b"no\n"
    t.p.until(running=0)


@pytest.mark.parametrize("how", ["cut", "close"])
def test_upload_that_breaks_off_is_cut_off_at_the_app(talk, how):
    t = talk(running_max=1)
    t.ask("POST", fields=[("content-length", "100")], last=False)
    t.caller.send_data(b"part")
    t.reach()
    assert t.app.data(4) == b"part"
    getattr(t.caller, how)()
    with pytest.raises(Cut):
        t.app.rest()
    t.p.until(running=0, load=0)


def test_stalled_upload_is_answered_on_time(talk):
    t = talk(request_s=0.2)
    t.ask("POST", fields=[("content-length", "100")], last=False)
    t.caller.send_data(b"part")
    t.reach()
    assert t.caller.head().status == 504
    t.p.until(load=0)


def test_engine_stops(talk):
    t = talk(running_max=1)
    t.ask()
    t.reach()
    t.app.send_head(OK)
    t.caller.head()
    t.p.engine.stop()
    with pytest.raises(Cut):
        t.caller.rest()
