"""gRPC through the engine: a real client, a real server, all four kinds of calls, and how they end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc
import pytest

from tests.wire.h2_line import Gate, gate


def plain(data: bytes) -> bytes:
    return data


class Echo(grpc.GenericRpcHandler):
    """Methods by name; messages are bytes."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.cancelled = threading.Event()

    def service(self, details: Any) -> Any:
        name = details.method.rsplit("/", 1)[1]
        made = {
            "Unary": grpc.unary_unary_rpc_method_handler,
            "Refuse": grpc.unary_unary_rpc_method_handler,
            "Hold": grpc.unary_unary_rpc_method_handler,
            "Down": grpc.unary_stream_rpc_method_handler,
            "Up": grpc.stream_unary_rpc_method_handler,
            "Both": grpc.stream_stream_rpc_method_handler,
        }[name]
        return made(getattr(self, name.lower()), plain, plain)

    def unary(self, request: bytes, context: Any) -> bytes:
        context.set_trailing_metadata((("x-trail", "t"),))
        return request[::-1]

    def refuse(self, request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")
        return b""

    def hold(self, request: bytes, context: Any) -> bytes:
        context.add_callback(self.cancelled.set)
        self.held.set()
        self.cancelled.wait(20)
        return b""

    def down(self, request: bytes, context: Any) -> Iterator[bytes]:
        for i in range(int(request)):
            yield b"%d" % i

    def up(self, requests: Iterator[bytes], context: Any) -> bytes:
        return b"%d" % sum(len(part) for part in requests)

    def both(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for part in requests:
            yield part.upper()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def front(echo: Echo) -> Iterator[Gate]:
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[echo])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with gate(port) as made:
            yield made
    finally:
        server.stop(0).wait()


@pytest.fixture
def channel(front: Gate) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(f"127.0.0.1:{front.port}") as made:
        yield made


@pytest.mark.spec("DP-115")
def test_unary(channel: grpc.Channel):
    answer, call = channel.unary_unary("/echo/Unary").with_call(b"abc", timeout=20)
    assert answer == b"cba"
    assert ("x-trail", "t") in call.trailing_metadata()


@pytest.mark.spec("DP-115")
def test_server_streaming(channel: grpc.Channel):
    parts = list(channel.unary_stream("/echo/Down")(b"2000", timeout=20))
    assert parts == [b"%d" % i for i in range(2000)]


@pytest.mark.spec("DP-115")
def test_client_streaming(channel: grpc.Channel):
    parts = (bytes(1000) for _ in range(3000))
    assert channel.stream_unary("/echo/Up")(parts, timeout=20) == b"3000000"


@pytest.mark.spec("DP-115")
def test_both_sides_stream_in_turns(channel: grpc.Channel):
    """Each message is answered before the next is sent."""
    turn = threading.Semaphore(1)

    def parts() -> Iterator[bytes]:
        for i in range(200):
            assert turn.acquire(timeout=20)
            yield b"m%d" % i

    seen = []
    for part in channel.stream_stream("/echo/Both")(parts(), timeout=20):
        seen.append(part)
        turn.release()
    assert seen == [b"M%d" % i for i in range(200)]


@pytest.mark.spec("DP-115")
def test_an_error_without_a_message_passes(channel: grpc.Channel):
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/echo/Refuse")(b"", timeout=20)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert caught.value.details() == "no such thing"


def test_a_caller_that_cancels_cancels_the_app(echo: Echo, channel: grpc.Channel):
    call = channel.unary_unary("/echo/Hold").future(b"", timeout=20)
    other = channel.unary_unary("/echo/Unary")
    assert other(b"ab", timeout=20) == b"ba"
    assert echo.held.wait(20)
    assert call.cancel()
    assert echo.cancelled.wait(20)
    assert other(b"cd", timeout=20) == b"dc"


def test_an_app_that_is_not_there_is_unavailable():
    with gate(1) as front, grpc.insecure_channel(f"127.0.0.1:{front.port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/echo/Unary")(b"", timeout=20)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


def test_large_messages_pass_both_ways(channel: grpc.Channel):
    message = bytes(range(256)) * 12000
    assert channel.unary_unary("/echo/Unary")(message, timeout=20) == message[::-1]
