"""gRPC app: a grpcio server with every kind of call, without generated code; messages are plain bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import grpc

SERVICE = "/test.Echo/"


class GrpcApp:
    """Listens on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        """The caller of Wait has gone."""
        self.metadata: dict[str, str | bytes] = {}
        """What the last call of Unary brought."""
        handlers = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "ServerStream": grpc.unary_stream_rpc_method_handler(self.server_stream),
            "ClientStream": grpc.stream_unary_rpc_method_handler(self.client_stream),
            "Bidi": grpc.stream_stream_rpc_method_handler(self.bidi),
            "Refuse": grpc.unary_unary_rpc_method_handler(self.refuse),
            "FailLate": grpc.unary_stream_rpc_method_handler(self.fail_late),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
        }
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", handlers)])
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def close(self) -> None:
        self.server.stop(None).wait()

    def unary(self, message: bytes, context: Any) -> bytes:
        self.metadata = dict(context.invocation_metadata())
        context.send_initial_metadata([("x-first", "1")])
        context.set_trailing_metadata([("x-last", "2"), ("x-last-bin", b"\x00\xff")])
        return message

    def server_stream(self, message: bytes, context: Any) -> Iterator[bytes]:
        for i in range(int(message)):
            yield b"%d" % i

    def client_stream(self, messages: Iterator[bytes], context: Any) -> bytes:
        return b"%d" % sum(len(message) for message in messages)

    def bidi(self, messages: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield from messages

    def refuse(self, message: bytes, context: Any) -> bytes:
        context.set_trailing_metadata([("x-why", "no")])
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "not you: ünïcode")

    def fail_late(self, message: bytes, context: Any) -> Iterator[bytes]:
        yield message
        context.abort(grpc.StatusCode.DATA_LOSS, "after one message")

    def wait(self, message: bytes, context: Any) -> bytes:
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait(60)
        self.cancelled.set()
        return message
