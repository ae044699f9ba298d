"""OTLP peer: a collector that keeps what it is sent, by HTTP and by gRPC."""

from __future__ import annotations

import queue
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from dataplane.collector import METRICS, TRACES

MESSAGES = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
GRPC = {
    TRACES: (ExportTraceServiceRequest, ExportTraceServiceResponse),
    METRICS: (ExportMetricsServiceRequest, ExportMetricsServiceResponse),
}
WAIT_S = 30


class Peer:
    """What has arrived, decoded, in order; refusals are answered first, one each."""

    def __init__(self) -> None:
        self.arrived: queue.Queue = queue.Queue()
        self.refusals: queue.SimpleQueue = queue.SimpleQueue()
        self.url = ""

    def next(self):
        return self.arrived.get(timeout=WAIT_S)

    def refusal(self):
        try:
            return self.refusals.get_nowait()
        except queue.Empty:
            return None


class HttpPeer(Peer):
    """Speaks HTTP/1.1 and answers with a status to each refusal put in."""

    def __init__(self) -> None:
        super().__init__()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = peer.refusal() or 200
                if status == 200 and self.headers["Content-Type"] == "application/x-protobuf":
                    peer.arrived.put(MESSAGES[self.path].FromString(body))
                self.send_response(status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class GrpcPeer(Peer):
    """Speaks gRPC and answers with a status code to each refusal put in."""

    def __init__(self) -> None:
        super().__init__()
        self._server = grpc.server(futures.ThreadPoolExecutor(2))
        for service, (request, response) in GRPC.items():
            method = grpc.unary_unary_rpc_method_handler(
                self._taker(response),
                request_deserializer=request.FromString,
                response_serializer=response.SerializeToString,
            )
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": method}),))
        self.url = f"http://127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def _taker(self, response):
        def take(message, context):
            code = self.refusal()
            if code is not None:
                context.abort(code, "not now")
            self.arrived.put(message)
            return response()

        return take

    def close(self) -> None:
        self._server.stop(0).wait()
