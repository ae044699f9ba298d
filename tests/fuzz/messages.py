"""messages: odd and ordinary HTTP/1 messages, the seeds of every fuzzer."""

from __future__ import annotations

HOST = b"Host: a.example\r\n"
LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\n"

BODIES = [
    CHUNKS + b"\r\n",
    CHUNKS + b"X-Sum: 1\r\nGrpc-Status: 0\r\n\r\nnext",
    CHUNKS + b"Content-Length: 5\r\n\r\n",
    CHUNKS + b"X-A: 1\r\n folded\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"5\nhello\n0\n\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\nx",
    b'1;name="a,b"\r\nx\r\n00\r\n\r\n',
    b"5\r\nhello0\r\n\r\n",
    b"\r\n0\r\n\r\n",
]

LINES = [
    b"Content-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Connection: close, x-a\r\nX-A: 1\r\n",
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"TE: trailers\r\n",
    b"X-A: 1\r\n 2\r\n",
    b"X-A: \x00\r\n",
    b"X-A: \xff\xfe\r\n",
    b"X A: 1\r\n",
    b"X-A:\t 1 \t\r\n",
    b"X-A: 1\n",
    b"X-A: 1\rX-B: 2\r\n",
    b"K-Network-Probe: queue\r\nKnative-Serving-Default-Route: x\r\nX-Request-Id: 1\r\n",
]

ORDINARY_LINES = [
    line for line in LINES if line.startswith((b"Conn", b"Expect", b"TE", b"X-A:\t", b"X-A: \xff", b"K-"))
]
ORDINARY_BODIES = [BODIES[0], BODIES[1], BODIES[8]]
ORDINARY_STARTS = 5  # of each list below, from its front

START_LINES = [
    b"GET / HTTP/1.1\r\n",
    b"POST /a?b HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"GET http://b.example:80/x?y HTTP/1.1\r\n",
    b"\r\nGET / HTTP/1.1\r\n",
    b"GET / HTTP/2.0\r\n",
    b"GET  / HTTP/1.1\r\n",
    b"GET /#x HTTP/1.1\r\n",
    b"GET / HTTP/1.1\n",
    b"CONNECT a:80 HTTP/1.1\r\n",
]

STATUS_LINES = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\r\n",
    b"HTTP/1.1 204 No Content\r\n",
    b"HTTP/1.1 304 \r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
    b"HTTP/1.1 103 Early Hints\r\n",
    b"HTTP/1.1 200\r\n",
    b"HTTP/1.1 099 x\r\n",
    b"HTTP/1.1 200 OK\n",
]

REQUESTS = (
    [line + HOST + b"\r\n" for line in START_LINES]
    + [b"POST / HTTP/1.1\r\n" + HOST + fields + b"\r\nhello" for fields in LINES]
    + [b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + body for body in BODIES]
    + [b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n"]
)

RESPONSES = (
    [line + b"Content-Length: 5\r\n\r\nhello" for line in STATUS_LINES]
    + [line + b"\r\n" for line in STATUS_LINES]
    + [b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nhello" for fields in LINES]
    + [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body for body in BODIES]
)

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ASKS_FOR_H2C = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n\r\n"
)

FIRST_BYTES = [
    PREFACE + b"\0\0\0\4\0\0\0\0\0",
    PREFACE[:10],
    PREFACE[:18] + b"sm\r\n\r\n",
    b"PRI * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + PREFACE,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour",
    ASKS_FOR_H2C + PREFACE,
    ASKS_FOR_H2C + PREFACE[:18] + b"sm\r\n\r\n",
    b"INVALID CONNECTION PREFACE\r\n\r\n",
    b"FETCH / HTTP/one\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03\n",
]
"""How callers begin, also those who speak neither protocol."""
