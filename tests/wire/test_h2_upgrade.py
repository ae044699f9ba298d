"""HTTP/1.1 that becomes HTTP/2: `Upgrade: h2c`, and what keeps it HTTP/1.1."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hyperframe.frame import HeadersFrame, SettingsFrame

from tests.wire.h2_line import PREFACE, SECOND_NS, App, Gate, Line, app, gate, read_exactly, read_h1_head, request

SETTINGS = base64.urlsafe_b64encode(SettingsFrame(0, settings={4: 65535}).serialize()[9:]).rstrip(b"=")
SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def origin() -> Iterator[App]:
    with app() as made:
        yield made


@pytest.fixture
def front(origin: App) -> Iterator[Gate]:
    with gate(origin.port) as made:
        yield made


@contextmanager
def asked(
    port: int, *, method: bytes = b"GET", settings: bytes | None = SETTINGS, more: bytes = b"", body: bytes = b""
) -> Iterator[socket.socket]:
    """A connection whose first request asks for h2c."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.settimeout(20)
    head = method + b" /first HTTP/1.1\r\nHost: app.example\r\nX-Own: 1\r\n" + more
    if settings is None:
        head += b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    else:
        head += b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: " + settings + b"\r\n\r\n"
    sock.sendall(head + body)
    with sock:
        yield sock


def line_after_101(sock: socket.socket) -> Line:
    assert read_exactly(sock, len(SWITCHING)) == SWITCHING
    line = Line(sock)
    line.raw(PREFACE)
    line.settings()
    return line


@pytest.mark.spec("DP-015", "DP-082")
def test_the_request_goes_on_as_http1_and_later_ones_as_h2c(origin: App, front: Gate):
    with asked(front.port) as sock:
        conn = origin.h1()
        head = read_h1_head(conn).lower()
        assert head.startswith(b"get /first http/1.1\r\n")
        assert b"x-own: 1" in head
        assert b"upgrade" not in head
        assert b"http2-settings" not in head
        line = line_after_101(sock)
        conn.sendall(ANSWER)
        assert line.until_head(1)[":status"] == "200"
        assert line.body(1) == b"ok"

        line.head(3, request("GET", "/second"), last=True)
        far = origin.h2()
        frame = far.until(lambda f: isinstance(f, HeadersFrame))
        assert dict(frame.fields)[":path"] == "/second"
        far.head(frame.stream_id, [(":status", "204")], last=True)
        assert line.until_head(3)[":status"] == "204"


@pytest.mark.parametrize("size", [5, 65536])
def test_a_body_that_has_come_whole_is_forwarded(origin: App, front: Gate, size: int):
    body = bytes(i % 251 for i in range(size))
    length = b"Content-Length: %d\r\n" % size
    with asked(front.port, method=b"POST", more=length, body=body[: size // 2]) as sock:
        sock.sendall(body[size // 2 :])
        line = line_after_101(sock)
        conn = origin.h1()
        assert b"content-length: %d\r\n" % size in read_h1_head(conn).lower()
        assert read_exactly(conn, size) == body
        conn.sendall(ANSWER)
        assert line.body(1) == b"ok"


def test_frames_behind_the_request_are_read(origin: App, front: Gate):
    """A caller that does not wait for the 101."""
    line = Line.__new__(Line)
    block = HeadersFrame(3, b"\x82\x84\x86\x41\x01a", flags=["END_HEADERS", "END_STREAM"]).serialize()
    early = PREFACE + SettingsFrame(0).serialize() + block
    with asked(front.port, body=early) as sock:
        assert read_exactly(sock, len(SWITCHING)) == SWITCHING
        line.__init__(sock)
        conn = origin.h1()
        read_h1_head(conn)
        far = origin.h2()
        frame = far.until(lambda f: isinstance(f, HeadersFrame))
        far.head(frame.stream_id, [(":status", "204")], last=True)
        assert line.until_head(3)[":status"] == "204"


@pytest.mark.parametrize(
    ("settings", "more", "size"),
    [
        (None, b"", 0),
        (b"!!!!", b"", 0),
        (SETTINGS[:-1], b"", 0),
        (base64.urlsafe_b64encode(b"\0\5\0\0\0\1"), b"", 0),
        (SETTINGS, b"HTTP2-Settings: " + SETTINGS + b"\r\n", 0),
        (SETTINGS, b"Content-Length: 65537\r\n", 65537),
        (SETTINGS, b"Expect: 100-continue\r\nContent-Length: 2\r\n", 0),
    ],
    ids=["none", "not-base64", "cut", "bad-value", "twice", "large-body", "expects"],
)
def test_what_stays_http1(origin: App, front: Gate, settings: bytes | None, more: bytes, size: int):
    with asked(front.port, method=b"POST", settings=settings, more=more, body=bytes(size)) as sock:
        conn = origin.h1()
        head = read_h1_head(conn).lower()
        assert b"upgrade: " not in head
        read_exactly(conn, size)
        conn.sendall(ANSWER)
        assert read_exactly(sock, 15) == b"HTTP/1.1 200 OK"


def test_head_over_the_upgrade_has_no_body(origin: App, front: Gate):
    with asked(front.port, method=b"HEAD") as sock:
        line = line_after_101(sock)
        conn = origin.h1()
        read_h1_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        frame = line.until(lambda f: isinstance(f, HeadersFrame))
        assert "END_STREAM" in frame.flags


def test_a_body_that_does_not_come_in_time_ends_the_connection(origin: App):
    """It is held back until it is whole, so it has no more time than a head."""
    with (
        gate(origin.port, head_timeout_ns=SECOND_NS // 5) as front,
        asked(front.port, method=b"POST", more=b"Content-Length: 8\r\n", body=b"half") as sock,
    ):
        assert sock.recv(1) == b""
        front.until(lambda: front.bound("head_time") == 1)
