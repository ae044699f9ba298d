"""Collector: takes OTLP traces by HTTP or gRPC, and forgets them."""

from __future__ import annotations

import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loadtests.process import free_port

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Collector:
    """A running collector. `got` is set once spans have arrived."""

    def __init__(self, protocol: str) -> None:
        """protocol is `http/protobuf` or `grpc`."""
        self.got = threading.Event()
        self.protocol = protocol
        if protocol == "grpc":
            self.port = free_port()
            self.endpoint = f"http://127.0.0.1:{self.port}"
            self._stop = _serve_grpc(self.port, self.got)
        else:
            server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.got))
            self.port = server.server_address[1]
            self.endpoint = f"http://127.0.0.1:{self.port}/v1/traces"
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self._stop = server.shutdown

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()


def _handler(got: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    self.rfile.read(size + 2)
                self.rfile.readline()
            else:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()
            got.set()

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


def _serve_grpc(port: int, got: threading.Event) -> Any:
    import grpc  # type: ignore[import-untyped]

    def export(request: bytes, context: Any) -> bytes:
        got.set()
        return b""

    service, method = EXPORT[1:].split("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(export)}
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return lambda: server.stop(None).wait()
