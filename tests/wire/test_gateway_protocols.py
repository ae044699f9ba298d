"""Protocols through routes: each one down to each one up, streams, gRPC and upgrades."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from tests.gatewayfixture import WISH, Gateway, path, routes, to
from tests.origin import Origin
from tests.wire.peers import call, take

PAIRS = [(down, up) for down in ("h1", "h2") for up in ("h1", "h2")]
PROTOCOLS = {"h1": "http1", "h2": "h2c"}
AGREE = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def serve(gateway: Gateway, name: str, port: int, protocol: str) -> None:
    gateway.engine.apply(gateway.plan_with({name: {**WISH, "protocol": protocol}}, {}))
    gateway.at(name, port)


@pytest.mark.spec("NW-059", "NW-061", "NW-062", "NW-084")
@pytest.mark.parametrize(("down", "up"), PAIRS, ids=[f"{down} to {up}" for down, up in PAIRS])
def test_a_conversation_passes_in_turns(gateway, app, down, up):
    g = gateway()
    serve(g, "a", app.port, PROTOCOLS[up])
    sets = {"X-Set": "path", "X-Tag": "set"}
    g.route({"one.example": routes(path("/", to("a", X_Split="s"), headers={"X-Tag": "t"}, set_headers=sets))})
    caller = call(g.port, down)
    first = [(":method", "POST"), (":path", "/a?b"), (":authority", "one.example:80")]
    caller.send_head(first, [("X-Tag", "t"), ("X-Mine", "1"), ("TE", "trailers")])
    behind = take(app, up)
    heard = behind.head()
    assert (heard.method, heard.path, heard.authority) == ("POST", "/a?b", "one.example:80")
    assert {name: heard.get(name) for name in ("x-set", "x-tag", "x-split", "x-mine", "te")} == {
        "x-set": "path", "x-tag": "set", "x-split": "s", "x-mine": "1", "te": "trailers",
    }  # fmt: skip
    assert heard.get("x-forwarded-for") == "127.0.0.1"
    behind.send_head([(":status", "200")], [("x-answer", "yes")])
    answer = caller.head()
    assert (answer.status, answer.get("x-answer")) == (200, "yes")
    for turn in range(3):
        caller.send_data(b"question %d" % turn)
        assert behind.data(10) == b"question %d" % turn
        behind.send_data(b"answer %d" % turn)
        assert caller.data(8) == b"answer %d" % turn
    caller.send_data(b"", last=True)
    assert behind.rest()[0] == b""
    behind.send_trailers([("x-trailer", "t")])
    assert caller.rest() == (b"", [("x-trailer", "t")])
    caller.close()
    behind.close()


@pytest.mark.parametrize("down", ["h1", "h2"])
def test_our_own_answers_are_told_in_either_protocol(gateway, down):
    g = gateway()
    g.route({"one.example": routes(path("/", redirect=True))})
    for host, status in (("one.example", 301), ("two.example", 404)):
        caller = call(g.port, down)
        caller.send_head([(":method", "GET"), (":path", "/x"), (":authority", host)], [], True)
        answer = caller.head()
        assert (answer.status, caller.rest()[0]) == (status, b"")
        assert answer.get("location") == ("https://one.example/x" if status == 301 else None)
        caller.close()


# ── gRPC ──────────────────────────────────────────────────────────────────


class Named(grpc.GenericRpcHandler):
    """Every method echoes each message behind its own name."""

    def __init__(self, name: str) -> None:
        self.name = name.encode()

    def service(self, details: Any) -> Any:
        return grpc.stream_stream_rpc_method_handler(self.echo, bytes, bytes)

    def echo(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for part in requests:
            yield self.name + part


@pytest.fixture
def channel(gateway) -> Iterator[grpc.Channel]:
    """To a gateway that splits between the servers `a` and `b`."""
    g = gateway()
    servers = []
    for name in "ab":
        server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[Named(name)])
        serve(g, name, server.add_insecure_port("127.0.0.1:0"), "h2c")
        server.start()
        servers.append(server)
    g.route({"127.0.0.1": routes(path("/", to("a", 50), to("b", 50)))})
    with grpc.insecure_channel(f"127.0.0.1:{g.port}") as made:
        yield made
    for server in servers:
        server.stop(0).wait()


@pytest.mark.spec("NW-060", "NW-061", "NW-063", "NW-064")
def test_streams_of_one_connection_are_split_each_for_itself_and_stay(channel):
    found = set()
    for _ in range(40):
        turn = threading.Semaphore(1)
        answers = channel.stream_stream("/echo/Both")(in_turns(turn, 100 if not found else 3), timeout=20)
        names = []
        for i, answer in enumerate(answers):
            assert answer[1:] == b"%d" % i
            names.append(answer[:1])
            turn.release()
        assert len(set(names)) == 1
        found.add(names[0])
    assert found == {b"a", b"b"}


def in_turns(turn: threading.Semaphore, count: int) -> Iterator[bytes]:
    for i in range(count):
        assert turn.acquire(timeout=20)
        yield b"%d" % i


def test_a_grpc_caller_without_a_route_is_told_in_its_own_terms(gateway):
    with grpc.insecure_channel(f"127.0.0.1:{gateway().port}") as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/echo/Unary")(b"", timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


# ── upgrades ──────────────────────────────────────────────────────────────


@pytest.mark.spec("NW-098")
@pytest.mark.parametrize("protocol", ["websocket", "any/1"])
def test_an_upgrade_passes_and_outlives_its_route(gateway, app: Origin, protocol):
    g = gateway()
    serve(g, "a", app.port, "http1")
    g.route({"one.example": routes(path("/", "a", set_headers={"X-Set": "1"}))})
    caller = g.connect()
    ask = f"GET /ws HTTP/1.1\r\nHost: one.example\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    caller.send(ask.encode())
    behind = app.accept()
    head = behind.head()
    assert (head.get("Upgrade"), head.get("X-Set")) == (protocol.encode(), b"1")
    behind.send(AGREE.replace(b"websocket", protocol.encode()))
    assert caller.head().status == 101
    g.route({"one.example": None})
    for i in range(100):
        caller.send(b"message %02d" % i)
        assert behind.read(10) == b"message %02d" % i
        behind.send(b"echo %02d" % i)
        assert caller.read(7) == b"echo %02d" % i


@pytest.mark.spec("NW-099")
def test_upgrades_are_split_for_each_handshake(gateway, pods):
    g = gateway()
    for name, pod in zip("ab", pods, strict=False):
        pod.runs("/ws", lambda call, name=name: echo(call, name))
        serve(g, name, pod.port, "http1")
    g.route({"one.example": routes(path("/", to("a", 50), to("b", 50)))})
    found = set()
    for _ in range(40):
        caller = g.connect()
        caller.send(b"GET /ws HTTP/1.1\r\nHost: one.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert caller.head().status == 101
        names = set()
        for _ in range(3):
            caller.send(b"who")
            names.add(caller.read(1))
        assert len(names) == 1
        found |= names
        caller.close()
    assert found == {b"a", b"b"}


def echo(call: Any, name: str) -> None:
    """Says the name for each three bytes, until the other side leaves."""
    call.send(AGREE)
    while call.line.read(3):
        call.send(name.encode())
