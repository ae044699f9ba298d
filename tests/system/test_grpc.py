"""gRPC: grpcio at both ends of a sidecar; every kind of call, every way to end one."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator

import grpc
import pytest

from tests.certificates import Pair
from tests.line import PATIENCE_S
from tests.sidecarfixture import MAIN_H2C_PORT, TLS_PORT, Sidecar
from tests.system.grpcapp import SERVICE, GrpcApp

pytestmark = pytest.mark.spec("DP-115")

Make = Callable[..., Sidecar]


@pytest.fixture
def grpc_app() -> Iterator[GrpcApp]:
    made = GrpcApp()
    yield made
    made.close()


@pytest.fixture
def channel(sidecar: Make, grpc_app: GrpcApp) -> Iterator[grpc.Channel]:
    """Through the port that a revision of protocol h2c has."""
    started = sidecar(grpc_app.port, QUEUE_SERVING_PORT=MAIN_H2C_PORT, CONTAINER_CONCURRENCY=10)
    with open_channel(started) as opened:
        yield opened


def open_channel(started: Sidecar) -> grpc.Channel:
    return grpc.insecure_channel(f"{started.address}:{started.port}", [("grpc.enable_retries", 0)])


def caught(call: Callable[[], object]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value


def test_unary_brings_metadata_both_ways(channel: grpc.Channel, grpc_app: GrpcApp) -> None:
    sent = [("x-mine", "a"), ("x-mine-bin", b"\x00\x01\xff")]
    answer, call = channel.unary_unary(SERVICE + "Unary").with_call(b"m" * 100_000, PATIENCE_S, metadata=sent)
    assert answer == b"m" * 100_000
    assert dict(call.initial_metadata())["x-first"] == "1"
    assert dict(call.trailing_metadata()) == {"x-last": "2", "x-last-bin": b"\x00\xff"}
    assert grpc_app.metadata["x-mine"] == "a"
    assert grpc_app.metadata["x-mine-bin"] == b"\x00\x01\xff"


def test_server_streaming_brings_every_message(channel: grpc.Channel) -> None:
    messages = list(channel.unary_stream(SERVICE + "ServerStream")(b"1000", PATIENCE_S))
    assert messages == [b"%d" % i for i in range(1000)]


def test_client_streaming_takes_every_message(channel: grpc.Channel) -> None:
    assert channel.stream_unary(SERVICE + "ClientStream")(iter([b"x" * 5000] * 1000), PATIENCE_S) == b"5000000"


def test_bidirectional_streaming_answers_while_it_is_asked(channel: grpc.Channel) -> None:
    asked: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    answers = channel.stream_stream(SERVICE + "Bidi")(iter(asked.get, None), PATIENCE_S)
    for n in range(50):
        asked.put(b"message %d" % n)
        assert next(answers) == b"message %d" % n
    asked.put(None)
    assert list(answers) == []
    assert answers.code() is grpc.StatusCode.OK


def test_an_error_without_a_message_keeps_its_status(channel: grpc.Channel) -> None:
    error = caught(lambda: channel.unary_unary(SERVICE + "Refuse")(b"", PATIENCE_S))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "not you: ünïcode"
    assert dict(error.trailing_metadata())["x-why"] == "no"


def test_an_error_after_a_message_keeps_its_status(channel: grpc.Channel) -> None:
    answers = channel.unary_stream(SERVICE + "FailLate")(b"one", PATIENCE_S)
    assert next(answers) == b"one"
    assert caught(lambda: next(answers)).code() is grpc.StatusCode.DATA_LOSS


def test_a_method_that_does_not_exist_is_unimplemented(channel: grpc.Channel) -> None:
    error = caught(lambda: channel.unary_unary(SERVICE + "Nothing")(b"", PATIENCE_S))
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.spec("DP-106")
def test_a_deadline_ends_the_call_at_the_app(channel: grpc.Channel, grpc_app: GrpcApp) -> None:
    error = caught(lambda: channel.unary_unary(SERVICE + "Wait")(b"", 0.3))
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert grpc_app.cancelled.wait(PATIENCE_S)


def test_a_cancelled_call_ends_at_the_app(channel: grpc.Channel, grpc_app: GrpcApp) -> None:
    call = channel.unary_unary(SERVICE + "Wait").future(b"")
    assert channel.unary_unary(SERVICE + "Unary")(b"m", PATIENCE_S) == b"m"
    assert not grpc_app.cancelled.is_set()
    call.cancel()
    assert grpc_app.cancelled.wait(PATIENCE_S)


@pytest.mark.spec("DP-098", "DP-111")
def test_the_time_limit_is_a_grpc_status_and_spares_other_streams(sidecar: Make, grpc_app: GrpcApp) -> None:
    started = sidecar(grpc_app.port, QUEUE_SERVING_PORT=MAIN_H2C_PORT, REVISION_TIMEOUT_SECONDS=1)
    with open_channel(started) as channel:
        late = channel.unary_unary(SERVICE + "Wait").future(b"")
        assert channel.unary_unary(SERVICE + "Unary")(b"m", PATIENCE_S) == b"m"
        assert late.exception(PATIENCE_S).code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        assert channel.unary_unary(SERVICE + "Unary")(b"m", PATIENCE_S) == b"m"
    assert grpc_app.cancelled.wait(PATIENCE_S)


@pytest.mark.spec("DP-157")
def test_calls_go_over_tls(sidecar: Make, grpc_app: GrpcApp, pair: Pair) -> None:
    started = sidecar(grpc_app.port, PENSTOCK_CERT_DIR=pair.cert_file.parent)
    credentials = grpc.ssl_channel_credentials(pair.cert)
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.enable_retries", 0)]
    with grpc.secure_channel(f"{started.address}:{TLS_PORT}", credentials, options) as channel:
        assert channel.unary_unary(SERVICE + "Unary")(b"m" * 50_000, PATIENCE_S) == b"m" * 50_000
        assert list(channel.stream_stream(SERVICE + "Bidi")(iter([b"a", b"b"]), PATIENCE_S)) == [b"a", b"b"]


def test_an_app_that_is_not_there_is_unavailable(sidecar: Make, grpc_app: GrpcApp) -> None:
    grpc_app.close()
    with open_channel(sidecar(grpc_app.port, QUEUE_SERVING_PORT=MAIN_H2C_PORT)) as channel:
        error = caught(lambda: channel.unary_unary(SERVICE + "Unary")(b"m", PATIENCE_S))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
