"""Collector: the peer that takes metrics and traces by OTLP.

Two senders share one shape: HTTP by a few lines over a socket, as the usual
client costs 5 MiB; gRPC by grpcio. Loaded only when something is pushed.
The messages themselves are built with opentelemetry-proto; the SDK is left
out, as the engine has already made ids, stamps and sums.
Source: the OpenTelemetry Protocol specification 1.x.
"""

from __future__ import annotations

import socket
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

ACCEPTED, TRY_LATER, REFUSED = "accepted", "try later", "refused"
TIMEOUT_S = 10.0
"""For one push, and for the last one at exit (1.14)."""
ANSWER_BYTES_MAX = 64 * 1024
HTTP_TRY_LATER = frozenset((429, 502, 503, 504))
GRPC_TRY_LATER = frozenset(
    ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS", "RESOURCE_EXHAUSTED")
)
PORTS = {"http": 80, "https": 443}
TRACES = "opentelemetry.proto.collector.trace.v1.TraceService"
METRICS = "opentelemetry.proto.collector.metrics.v1.MetricsService"


def split_url(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path of an endpoint.

    Raises ValueError for what is no http or https URL.
    """
    scheme, mark, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    if not mark or scheme not in PORTS or not authority:
        raise ValueError(f"{url!r} is no endpoint; use http://host:port or https://host:port")
    host, port = authority, ""
    if not authority.endswith("]"):
        host, colon, port = authority.rpartition(":")
        if not colon:
            host, port = authority, ""
    if port and not port.isdigit():
        raise ValueError(f"{url!r} has no number as its port")
    return scheme, host.removeprefix("[").removesuffix("]"), int(port or PORTS[scheme]), slash + path or "/"


class HttpSender:
    """Pushes by HTTP/1.1 POST, one connection each: pushes are seconds apart.

    url  with its path, http or https.
    """

    def __init__(self, url: str) -> None:
        self.scheme, self.host, self.port, self.path = split_url(url)
        name = f"[{self.host}]" if ":" in self.host else self.host
        self.authority = name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"

    def send(self, message: bytes, timeout_s: float = TIMEOUT_S) -> tuple[str, str]:
        """One push: ACCEPTED, TRY_LATER or REFUSED, and the reason. Never raises."""
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.authority}\r\nContent-Type: application/x-protobuf\r\n"
            f"Content-Length: {len(message)}\r\nUser-Agent: penstock\r\nConnection: close\r\n\r\n"
        )
        deadline = time.monotonic() + timeout_s
        try:
            with self._connect(timeout_s) as conn:
                conn.sendall(head.encode("latin-1") + message)
                answer = _status_line(conn, deadline)
        except OSError as fault:
            return TRY_LATER, str(fault) or type(fault).__name__
        status = int(answer[1]) if len(answer) > 1 and answer[1].isdigit() else 0
        if 200 <= status < 300:
            return ACCEPTED, ""
        reason = b" ".join(answer).decode("latin-1") or "the connection was closed without an answer"
        return (TRY_LATER if status in HTTP_TRY_LATER or not status else REFUSED), reason

    def _connect(self, timeout_s: float) -> socket.socket:
        conn = socket.create_connection((self.host, self.port), timeout_s)
        if self.scheme == "http":
            return conn
        import ssl

        try:
            return ssl.create_default_context().wrap_socket(conn, server_hostname=self.host)
        except OSError:
            conn.close()
            raise

    def close(self) -> None:
        """Nothing is kept between two pushes."""


def _status_line(conn: socket.socket, deadline: float) -> list[bytes]:
    """The words of an answer's first line; empty when no whole head came."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < ANSWER_BYTES_MAX:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        conn.settimeout(left)
        piece = conn.recv(16 * 1024)
        if not piece:
            break
        data += piece
    line, end, _ = data.partition(b"\r\n")
    return line.split(b" ") if end and line.startswith(b"HTTP/1.") else []


class GrpcSender:
    """Pushes by one gRPC channel, which stays open.

    url      http:// is cleartext, https:// is TLS with the system's roots.
    service  TRACES or METRICS.
    """

    def __init__(self, url: str, service: str) -> None:
        import grpc

        scheme, host, port, _ = split_url(url)
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        options = (("grpc.primary_user_agent", "penstock"), ("grpc.enable_http_proxy", 0))
        if scheme == "https":
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options=options)
        else:
            self._channel = grpc.insecure_channel(target, options=options)
        self._error = grpc.RpcError
        self._call = self._channel.unary_unary(f"/{service}/Export")

    def send(self, message: bytes, timeout_s: float = TIMEOUT_S) -> tuple[str, str]:
        """One push: ACCEPTED, TRY_LATER or REFUSED, and the reason. Never raises."""
        try:
            self._call(message, timeout=timeout_s)
        except self._error as fault:
            code = fault.code().name
            return (TRY_LATER if code in GRPC_TRY_LATER else REFUSED), f"{code}: {fault.details()}"
        return ACCEPTED, ""

    def close(self) -> None:
        self._channel.close()


def sender(protocol: str, url: str, service: str) -> HttpSender | GrpcSender:
    """The sender for "http/protobuf" or "grpc". Raises ValueError for an endpoint that is none."""
    return GrpcSender(url, service) if protocol == "grpc" else HttpSender(url)


class Rhythm:
    """Calls a push again and again from a thread of its own, and a last time at the end.

    push      takes the seconds that it may use and says whether it is worth
              trying again soon; must not raise.
    period_s  between two calls.
    """

    RETRY_S = 0.5

    def __init__(self, push: Callable[[float], bool], period_s: float) -> None:
        self._push = push
        self._period_s = period_s
        self._wake = threading.Event()
        self._over = False
        self._deadline = 0.0
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def hurry(self) -> None:
        """Makes the next call now: enough has been gathered."""
        self._wake.set()

    def _run(self) -> None:
        while not self._over:
            self._wake.wait(self._period_s)
            self._wake.clear()
            if not self._over:
                self._push(TIMEOUT_S)
        # The last pushes are made here too, so that a peer that hangs cannot hold up the exit.
        while (left := self._deadline - time.monotonic()) > 0 and self._push(left):
            time.sleep(max(0.0, min(self.RETRY_S, self._deadline - time.monotonic())))

    def close(self, timeout_s: float = TIMEOUT_S) -> None:
        """Ends the thread after a last push, all of it within `timeout_s`."""
        self._deadline = time.monotonic() + timeout_s
        self._over = True
        self._wake.set()
        self._thread.join(timeout_s)
