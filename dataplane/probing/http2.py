"""http2: one request of a probe over HTTP/2, on a connection of its own.

The request is stream 1 and there is no other. What the peer says about
windows and streams does not matter to so little; it only gets the answers
that it may insist on. Source: RFC 9113.
"""

from __future__ import annotations

from dataplane.probing.conn import ProbeFailed
from dataplane.probing.hpack import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.probing.conn import Conn

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20
STREAM = 1

OUR_SETTINGS = bytes.fromhex("000100000000000200000000")
"""No dynamic table (HEADER_TABLE_SIZE 0), so that headers need no memory, and no pushes (ENABLE_PUSH 0)."""

FRAME_BYTES_MAX = 16 * 1024
BLOCK_BYTES_MAX = 256 * 1024
BODY_BYTES_MAX = 64 * 1024
"""As much as the window that we never widen."""


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class Http2Call:
    """A request that has been sent; its answer is read in two steps.

    fields   pseudo-fields first; names in lower case
    body     at most a frame
    Raises   ProbeFailed, from every method.

    status, fields   the final head, and after finish() the trailers as well; of equal names the first.
    body             what finish() has read.
    """

    __slots__ = ("_conn", "_ended", "_settled", "body", "fields", "status")

    def __init__(self, conn: Conn, fields: list[tuple[str, str]], body: bytes = b"") -> None:
        self._conn = conn
        self._settled = False
        self._ended = False
        self.status = 0
        self.fields: dict[str, str] = {}
        self.body = bytearray()
        out = PREFACE + _frame(SETTINGS, 0, 0, OUR_SETTINGS)
        out += _frame(HEADERS, END_HEADERS | (0 if body else END_STREAM), STREAM, encode(fields))
        if body:
            out += _frame(DATA, END_STREAM, STREAM, body)
        conn.send(out)
        while not self.status:
            self._turn()

    def finish(self) -> None:
        """Reads on until the stream has ended, or the body is longer than anybody wants."""
        while not self._ended and len(self.body) < BODY_BYTES_MAX:
            self._turn()

    def _turn(self) -> None:
        """One frame."""
        kind, flags, stream, payload = self._next()
        if kind == SETTINGS and not flags & ACK:
            self._conn.send(_frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            self._conn.send(_frame(PING, ACK, 0, payload))
        elif kind == GOAWAY and int.from_bytes(payload[:4], "big") & 0x7FFFFFFF < STREAM:
            raise ProbeFailed(f"the app refused the connection with error {int.from_bytes(payload[4:8], 'big')}")
        elif stream == STREAM and kind == RST_STREAM:
            raise ProbeFailed(f"the app reset the stream with error {int.from_bytes(payload, 'big')}")
        elif stream == STREAM and kind == DATA:
            self.body += _unpadded(flags, payload)
            self._ended = bool(flags & END_STREAM)
        elif stream == STREAM and kind == HEADERS:
            self._head(flags, payload)

    def _next(self) -> tuple[int, int, int, bytes]:
        head = self._conn.take(9)
        size, kind = int.from_bytes(head[:3], "big"), head[3]
        if not self._settled and kind != SETTINGS:
            raise ProbeFailed("the app does not speak HTTP/2")
        self._settled = True
        if size > FRAME_BYTES_MAX:
            raise ProbeFailed("a frame is too large")
        return kind, head[4], int.from_bytes(head[5:], "big") & 0x7FFFFFFF, self._conn.take(size)

    def _head(self, flags: int, payload: bytes) -> None:
        """A head or trailers, with the frames that continue them."""
        block = _unpadded(flags, payload)[5 if flags & PRIORITY else 0 :]
        whole = flags & END_HEADERS
        while not whole:
            kind, more, _, payload = self._next()
            if kind != CONTINUATION or len(block) > BLOCK_BYTES_MAX:
                raise ProbeFailed("a header block has no end")
            block += payload
            whole = more & END_HEADERS
        try:
            fields = decode(block)
        except ValueError as wrong:
            raise ProbeFailed(str(wrong)) from None
        for name, value in fields:
            self.fields.setdefault(name, value)
        digits = self.fields.pop(":status", "")
        if digits:
            if not digits.isdigit() or len(digits) != 3:
                raise ProbeFailed("the answer has no status")
            self.status = int(digits)
        if self.status < 200:
            # An interim head: the one that counts is still to come.
            self.status = 0
            self.fields.clear()
        self._ended = bool(flags & END_STREAM)
        if self._ended and not self.status:
            raise ProbeFailed("the answer has no status")


def _unpadded(flags: int, payload: bytes) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & PADDED and payload else payload


FRAMING = frozenset(("connection", "host", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"))
"""Fields that belong to an HTTP/1 connection (RFC 9113 8.2.2), and the one that has become `:authority`."""


def get(conn: Conn, scheme: str, host: str, target: str, headers: list[tuple[str, str]]) -> tuple[int, dict[str, str]]:
    """As `http1.get`."""
    fields = [(":method", "GET"), (":scheme", scheme), (":authority", host), (":path", target)]
    fields += [(name.lower(), value) for name, value in headers if name.lower() not in FRAMING]
    call = Http2Call(conn, fields)
    status, said = call.status, dict(call.fields)
    # The status has said all: a body that never ends, or is cut, changes nothing.
    try:  # noqa: SIM105  contextlib would be loaded for this alone
        call.finish()
    except ProbeFailed:
        pass
    return status, said
