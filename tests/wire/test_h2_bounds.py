"""Hostile HTTP/2 peers: each flood ends at its bound, counted, with ENHANCE_YOUR_CALM."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from hyperframe.frame import (
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
)

from tests.wire.h2_line import (
    ENHANCE_YOUR_CALM,
    PREFACE,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    REQUEST,
    SECOND_NS,
    App,
    Gate,
    Line,
    app,
    caller,
    gate,
    read_h1_head,
    request,
)


@pytest.fixture
def origin() -> Iterator[App]:
    with app() as made:
        yield made


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def rapid_resets(line: Line) -> bytes:
    out = b""
    for i in range(2000):
        out += HeadersFrame(2 * i + 1, line.block(REQUEST), flags=["END_HEADERS", "END_STREAM"]).serialize()
        out += RstStreamFrame(2 * i + 1, error_code=8).serialize()
    return out


def resets_that_we_make(line: Line) -> bytes:
    """Streams that are broken off by us for what the peer does to them."""
    bad = [*REQUEST, ("connection", "close")]
    return b"".join(
        HeadersFrame(2 * i + 1, line.block(bad), flags=["END_HEADERS", "END_STREAM"]).serialize() for i in range(2000)
    )


def pings(line: Line) -> bytes:
    return PingFrame(0, opaque_data=b"flooding").serialize() * 5000


def settings(line: Line) -> bytes:
    return SettingsFrame(0).serialize() * 5000


def empty_data(line: Line) -> bytes:
    head = HeadersFrame(1, line.block(request("POST")), flags=["END_HEADERS"]).serialize()
    return head + DataFrame(1).serialize() * 5000


def continuations(line: Line) -> bytes:
    return frame(1, 0, 1, line.block(REQUEST)) + frame(9, 0, 1, b"\x00\x01a\x01b") * 100_000


def empty_continuations(line: Line) -> bytes:
    return frame(1, 0, 1, line.block(REQUEST)) + frame(9, 0, 1) * 5000


def window_updates(line: Line) -> bytes:
    return frame(8, 0, 0, struct.pack(">I", 1)) * 50_000


def priorities(line: Line) -> bytes:
    return PriorityFrame(1, depends_on=0, stream_weight=1).serialize() * 50_000


@pytest.mark.parametrize(
    ("flood", "cause"),
    [
        (rapid_resets, "h2_resets"),
        (resets_that_we_make, "h2_resets"),
        (pings, "h2_pings"),
        (settings, "h2_settings"),
        (empty_data, "h2_empty_frames"),
        (continuations, "h2_continuation"),
        (empty_continuations, "h2_empty_frames"),
        (window_updates, "h2_window"),
        (priorities, "h2_window"),
    ],
    ids=lambda x: x.__name__ if callable(x) else "",
)
def test_a_flood_is_ended(origin: App, flood: Callable[[Line], bytes], cause: str):
    with gate(origin.port, protocol="http1", linger_timeout_ns=3 * SECOND_NS) as front:
        with caller(front.port) as line:
            line.acks = False
            with contextlib.suppress(ConnectionError):  # it is closed while we still send
                line.raw(flood(line))
            goaways = [f for f in line.until_end() if isinstance(f, GoAwayFrame)]
            front.until(lambda: front.bound(cause) == 1)
            assert all(f.error_code == ENHANCE_YOUR_CALM for f in goaways)
        front.until(lambda: front.conns() == 0)
        with caller(front.port) as line:
            line.head(1, request("GET", "/after"), last=True)
            while b"/after" not in origin.h1().recv(4096):
                pass


def test_pings_beside_data_are_no_flood(origin: App):
    """gRPC measures the line with a PING for a piece of data."""
    with gate(origin.port, protocol="http1", h2_control_max=20) as front, caller(front.port) as line:
        line.head(1, request("POST"))
        conn = origin.h1()
        read_h1_head(conn)
        for _ in range(200):
            line.data(1, b"x")
            line.send(PingFrame(0, opaque_data=b"measures"))
            line.until(lambda f: isinstance(f, PingFrame))
        assert front.bound("h2_pings") == 0


def test_resets_beside_finished_streams_are_no_flood(origin: App):
    with gate(origin.port, protocol="http1", h2_resets_max=5) as front, caller(front.port) as line:
        stream = 1
        for _ in range(20):
            line.head(stream, request(), last=True)
            conn = origin.h1()
            read_h1_head(conn)
            line.reset(stream)
            assert conn.recv(1) == b""
            line.head(stream + 2, request(), last=True)
            conn = origin.h1()
            read_h1_head(conn)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            assert line.until_head(stream + 2)[":status"] == "200"
            stream += 4
        assert front.bound("h2_resets") == 0


def test_streams_beyond_the_limit_are_refused(origin: App):
    with gate(origin.port, protocol="http1", h2_streams_max=2) as front, caller(front.port) as line:
        line.acks = False  # a peer that has not seen our SETTINGS yet
        for stream in (1, 3, 5):
            line.head(stream, request("POST"))
        assert line.until_reset(5) == REFUSED_STREAM
        front.until(lambda: front.bound("h2_streams") == 1)


def test_a_peer_that_knows_the_limit_and_breaks_it_is_ended(origin: App):
    with gate(origin.port, protocol="http1", h2_streams_max=2) as front, caller(front.port) as line:
        line.until(lambda f: isinstance(f, SettingsFrame) and "ACK" in f.flags)  # ours is acknowledged by now
        for stream in (1, 3, 5):
            line.head(stream, request("POST"))
        assert line.until_goaway().error_code == PROTOCOL_ERROR
        front.until(lambda: front.conns() == 0)


def test_a_head_that_does_not_end_is_ended(origin: App):
    with gate(origin.port, protocol="http1", head_timeout_ns=SECOND_NS // 5) as front, caller(front.port) as line:
        line.acks = False  # nothing may come between the parts of a head
        line.raw(frame(1, 0, 1, line.block(REQUEST)))
        line.until_end()
        front.until(lambda: front.bound("head_time") == 1)


def test_a_connection_without_any_request_is_ended(origin: App):
    with gate(origin.port, protocol="http1", head_timeout_ns=SECOND_NS // 5) as front, caller(front.port) as line:
        assert line.until_goaway().error_code == 0
        line.until_end()
        front.until(lambda: front.conns() == 0)


def test_an_idle_connection_is_ended_when_asked_for(origin: App):
    with gate(origin.port, protocol="http1", idle_timeout_ns=SECOND_NS // 5) as front, caller(front.port) as line:
        line.head(1, request(), last=True)
        conn = origin.h1()
        read_h1_head(conn)
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        line.until_head(1)
        line.until_goaway()
        front.until(lambda: front.bound("idle_time") == 1)


def test_a_stream_id_that_was_passed_over_is_a_connection_error(origin: App):
    with gate(origin.port, protocol="http1") as front, caller(front.port) as line:
        line.head(5, request(), last=True)
        line.head(3, request(), last=True)
        assert line.until_goaway().error_code == PROTOCOL_ERROR


def test_a_window_of_one_byte_costs_a_bounded_number_of_bytes(origin: App):
    small = {SettingsFrame.INITIAL_WINDOW_SIZE: 1}
    with gate(origin.port, protocol="http1") as front, caller(front.port, small) as line:
        for i in range(50):
            line.head(2 * i + 1, request(), last=True)
        conns = []
        for _ in range(50):
            conn = origin.h1()
            read_h1_head(conn)
            conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
            conn.settimeout(0)
            conns.append(conn)
        for _ in range(50):
            for conn in conns:
                try:
                    conn.send(bytes(1 << 20))
                except BlockingIOError:
                    continue
        seen = 0
        while seen < 50:
            got = line.until(lambda f: isinstance(f, DataFrame))
            assert len(got.data) == 1
            seen += 1
        assert front.buffers() < 32 << 20


def test_a_preface_byte_by_byte_is_understood(origin: App):
    with gate(origin.port, protocol="http1") as front:
        sock = socket.create_connection(("127.0.0.1", front.port))
        line = Line(sock)
        try:
            block = line.block(REQUEST)
            for byte in PREFACE + frame(4, 0, 0) + frame(1, 5, 1, block):
                sock.sendall(bytes([byte]))
            conn = origin.h1()
            assert read_h1_head(conn).startswith(b"GET / ")
        finally:
            line.close()


def drain_of(front: Gate) -> None:
    front.engine.drain(True)


def test_a_drain_serves_what_is_under_way(origin: App):
    with gate(origin.port, protocol="http1") as front, caller(front.port) as line:
        line.head(1, request(), last=True)
        conn = origin.h1()
        read_h1_head(conn)
        line.acks = False
        drain_of(front)
        notice = line.until_goaway()
        assert (notice.last_stream_id, notice.error_code) == (2**31 - 1, 0)
        ping = line.until(lambda f: isinstance(f, PingFrame))
        line.head(3, request(), last=True)  # sent before the notice was read
        late = origin.h1()
        read_h1_head(late)
        line.send(PingFrame(0, opaque_data=ping.opaque_data, flags=["ACK"]))
        final = line.until_goaway()
        assert (final.last_stream_id, final.error_code) == (3, 0)
        for each in (conn, late):
            each.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        heads = [f for f in line.until_end() if isinstance(f, HeadersFrame)]
        assert {f.stream_id for f in heads} == {1, 3}
        line.close()
        front.until(lambda: front.conns() == 0)


def test_the_end_of_a_drain_ends_an_idle_connection(origin: App):
    with gate(origin.port, protocol="http1") as front, caller(front.port) as line:
        line.until(lambda f: isinstance(f, SettingsFrame) and "ACK" in f.flags)
        drain_of(front)
        front.engine.close_idle()
        line.until_end()
        line.close()
        front.until(lambda: front.conns() == 0)


def test_a_first_line_of_neither_protocol_is_not_answered(origin: App):
    with gate(origin.port) as front, socket.create_connection(("127.0.0.1", front.port)) as sock:
        sock.settimeout(20)
        sock.sendall(b"INVALID CONNECTION PREFACE\r\n\r\n")
        assert sock.recv(100) == b""
