"""health: the gRPC health check of a probe.

Source: gRPC Health Checking Protocol, grpc.health.v1.Health/Check; gRPC over HTTP/2.
"""

from __future__ import annotations

from dataplane.probing.conn import ProbeFailed, left_s
from dataplane.probing.http2 import Http2Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.probing.conn import Conn

PATH = "/grpc.health.v1.Health/Check"
SERVING = 1
STATES = {0: "UNKNOWN", SERVING: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
CODES = {"4": "DEADLINE_EXCEEDED", "5": "NOT_FOUND", "12": "UNIMPLEMENTED", "14": "UNAVAILABLE"}
"""Codes by which health checks usually fail."""


def check(conn: Conn, host: str, agent: str, service: str, deadline_ns: int) -> None:
    """Asks for a service, empty for the whole server. Raises ProbeFailed unless it is SERVING (DP-050)."""
    call = Http2Call(
        conn,
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":authority", host),
            (":path", PATH),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("user-agent", agent),
            ("grpc-timeout", f"{int(left_s(deadline_ns) * 1000) + 1}m"),
        ],
        _request(service),
    )
    call.finish()
    if call.status != 200:
        raise ProbeFailed(f"status {call.status}")
    code = call.fields.get("grpc-status", "")
    if code != "0":
        raise ProbeFailed(f"gRPC status {CODES.get(code, code or 'missing')}")
    state = _state(bytes(call.body))
    if state != SERVING:
        raise ProbeFailed(f"the app says {STATES.get(state, state)}")


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _request(service: str) -> bytes:
    """A HealthCheckRequest, field 1 of which is the service, as a gRPC message."""
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    return b"\0" + len(message).to_bytes(4, "big") + message


def _state(body: bytes) -> int:
    """Field 1 of the HealthCheckResponse; left out it is 0. Fields that are unknown are not expected here."""
    message = body[5:]
    if body[:1] != b"\0" or len(message) != int.from_bytes(body[1:5], "big"):
        raise ProbeFailed("the app's answer is no gRPC message")
    if not message:
        return 0
    if len(message) < 2 or message[0] != 0x08:
        raise ProbeFailed("the app's answer is no HealthCheckResponse")
    return message[1]
