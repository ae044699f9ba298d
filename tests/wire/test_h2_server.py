"""Downstream HTTP/2: requests, bodies, trailers, resets, windows, an app that speaks HTTP/1.1."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hyperframe.frame import DataFrame, HeadersFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from tests.wire.h2_line import (
    CANCEL,
    INTERNAL_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    App,
    Gate,
    Line,
    app,
    caller,
    gate,
    read_exactly,
    read_h1_head,
    request,
)

OK_HEAD = b"HTTP/1.1 200 OK\r\nDate: now\r\n"


@pytest.fixture
def origin() -> Iterator[App]:
    with app() as made:
        yield made


@pytest.fixture
def front(origin: App) -> Iterator[Gate]:
    with gate(origin.port, protocol="http1") as made:
        yield made


@pytest.fixture
def line(front: Gate) -> Iterator[Line]:
    with caller(front.port) as made:
        yield made


def test_a_request_becomes_http1_and_its_answer_http2(origin: App, line: Line):
    line.head(1, request("GET", "/a?b=c", ("accept", "text/plain"), ("x-own", "1")), last=True)
    conn = origin.h1()
    head = read_h1_head(conn)
    assert head.startswith(b"GET /a?b=c HTTP/1.1\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"host: app.example" in lines
    assert b"accept: text/plain" in lines
    assert b"x-own: 1" in lines

    conn.sendall(OK_HEAD + b"Content-Length: 5\r\nX-Answer: Yes\r\nConnection: keep-alive\r\n\r\nhello")
    fields = line.until_head(1)
    assert fields[":status"] == "200"
    assert fields["x-answer"] == "Yes"
    assert "connection" not in fields
    assert line.body(1) == b"hello"


def test_a_body_without_a_length_goes_on_in_chunks(origin: App, line: Line):
    line.head(1, request("POST"))
    conn = origin.h1()
    assert b"transfer-encoding: chunked" in read_h1_head(conn).lower()
    line.data(1, b"one")
    assert read_exactly(conn, 8) == b"3\r\none\r\n"
    line.data(1, b"three", last=True)
    assert read_exactly(conn, 15) == b"5\r\nthree\r\n0\r\n\r\n"
    conn.sendall(OK_HEAD + b"Content-Length: 0\r\n\r\n")
    assert line.until_head(1)[":status"] == "200"


def test_a_body_with_a_length_keeps_it(origin: App, line: Line):
    line.head(1, request("POST", "/", ("content-length", "5")))
    line.data(1, b"hello", last=True)
    conn = origin.h1()
    head = read_h1_head(conn).lower()
    assert b"content-length: 5" in head
    assert b"transfer-encoding" not in head
    assert read_exactly(conn, 5) == b"hello"


def test_request_trailers_reach_the_app(origin: App, line: Line):
    line.head(1, request("POST", "/", ("te", "trailers")))
    line.data(1, b"x")
    line.head(1, [("x-sum", "9"), ("content-length", "1")][:1], last=True)
    conn = origin.h1()
    assert b"te: trailers" in read_h1_head(conn).lower()
    assert read_exactly(conn, 6 + 5 + 8) == b"1\r\nx\r\n0\r\nx-sum: 9\r\n"[:19]


def test_answer_trailers_reach_the_caller(origin: App, line: Line):
    line.head(1, request("GET", "/", ("te", "trailers")), last=True)
    conn = origin.h1()
    read_h1_head(conn)
    conn.sendall(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n")
    assert line.until_head(1)[":status"] == "200"
    data = line.until(lambda f: isinstance(f, DataFrame))
    assert data.data == b"abc"
    trailers = line.until(lambda f: isinstance(f, HeadersFrame))
    assert trailers.fields == [("x-sum", "6")]
    assert "END_STREAM" in trailers.flags


def test_interim_heads_pass_before_the_final_one(origin: App, line: Line):
    line.head(1, request(), last=True)
    conn = origin.h1()
    read_h1_head(conn)
    conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK_HEAD + b"Content-Length: 0\r\n\r\n")
    interim = line.until_head(1)
    assert interim[":status"] == "103"
    assert interim["link"] == "</a>"
    assert line.until_head(1)[":status"] == "200"


def test_an_answer_to_head_has_no_body(origin: App, line: Line):
    line.head(1, request("HEAD"), last=True)
    conn = origin.h1()
    assert read_h1_head(conn).startswith(b"HEAD / ")
    conn.sendall(OK_HEAD + b"Content-Length: 7\r\n\r\n")
    frame = line.until(lambda f: isinstance(f, HeadersFrame))
    assert ("content-length", "7") in frame.fields
    assert "END_STREAM" in frame.flags


def test_streams_are_answered_in_the_order_of_the_app(origin: App, line: Line):
    line.head(1, request("GET", "/slow"), last=True)
    slow = origin.h1()
    read_h1_head(slow)
    line.head(3, request("GET", "/quick"), last=True)
    quick = origin.h1()
    read_h1_head(quick)
    quick.sendall(OK_HEAD + b"Content-Length: 1\r\n\r\nq")
    assert line.body(3) == b"q"
    slow.sendall(OK_HEAD + b"Content-Length: 1\r\n\r\ns")
    assert line.body(1) == b"s"


@pytest.mark.spec("DP-116")
def test_250_streams_run_at_once(origin: App, line: Line):
    settings = line.until(lambda f: isinstance(f, SettingsFrame) and "ACK" not in f.flags)
    assert settings.settings[SettingsFrame.MAX_CONCURRENT_STREAMS] == 250
    for i in range(250):
        line.head(2 * i + 1, request("GET", f"/{i}"), last=True)
    conns = []
    for _ in range(250):
        conn = origin.h1()
        read_h1_head(conn)
        conns.append(conn)
    for conn in conns:
        conn.sendall(OK_HEAD + b"Content-Length: 0\r\n\r\n")
    seen = {line.until(lambda f: isinstance(f, HeadersFrame)).stream_id for _ in range(250)}
    assert len(seen) == 250


def test_a_caller_that_resets_frees_the_app(origin: App, front: Gate, line: Line):
    line.head(1, request(), last=True)
    conn = origin.h1()
    read_h1_head(conn)
    line.reset(1)
    assert conn.recv(1) == b""
    front.until(lambda: front.fault("caller_reset") == 1)
    line.head(3, request(), last=True)
    other = origin.h1()
    read_h1_head(other)
    other.sendall(OK_HEAD + b"Content-Length: 0\r\n\r\n")
    assert line.until_head(3)[":status"] == "200"


def test_a_caller_that_goes_frees_all_its_streams(origin: App, front: Gate):
    with caller(front.port) as line:
        conns = []
        for stream in (1, 3, 5):
            line.head(stream, request(), last=True)
            conn = origin.h1()
            read_h1_head(conn)
            conns.append(conn)
    assert [conn.recv(1) for conn in conns] == [b"", b"", b""]
    front.until(lambda: front.conns() == 0)


@pytest.mark.spec("DP-081")
def test_an_answer_that_is_cut_resets_the_stream_alone(origin: App, line: Line):
    line.head(1, request(), last=True)
    conn = origin.h1()
    read_h1_head(conn)
    conn.sendall(OK_HEAD + b"Content-Length: 10\r\n\r\nhalf")
    assert line.until_head(1)[":status"] == "200"
    conn.close()
    assert line.until_reset(1) == INTERNAL_ERROR
    line.head(3, request(), last=True)
    other = origin.h1()
    read_h1_head(other)
    other.sendall(OK_HEAD + b"Content-Length: 0\r\n\r\n")
    assert line.until_head(3)[":status"] == "200"


def test_an_early_answer_ends_the_upload_without_an_error(origin: App, line: Line):
    line.head(1, request("POST"))
    conn = origin.h1()
    read_h1_head(conn)
    conn.sendall(b"HTTP/1.1 413 Too Large\r\nDate: now\r\nContent-Length: 3\r\n\r\nbig")
    assert line.until_head(1)[":status"] == "413"
    assert line.body(1) == b"big"
    assert line.until_reset(1) == NO_ERROR


def test_a_stalled_upload_holds_a_bounded_number_of_bytes(origin: App, front: Gate, line: Line):
    line.head(1, request("POST"))
    conn = origin.h1()
    read_h1_head(conn)
    room = {0: 65535, 1: 65535}
    sent = 0

    def grows(frame: object) -> bool:
        if isinstance(frame, WindowUpdateFrame):
            room[frame.stream_id] += frame.window_increment
        return isinstance(frame, SettingsFrame) and "ACK" in frame.flags

    line.until(grows)
    line.sock.settimeout(0.3)
    while sent < 64 << 20:
        n = min(16384, *room.values())
        if n == 0:
            try:
                frame = line.read_frame()
            except TimeoutError:
                break
            grows(frame)
            continue
        line.data(1, bytes(n))
        sent += n
        room[0] -= n
        room[1] -= n
    assert sent < 16 << 20  # the kernel's buffers, a window, and a queue
    assert front.buffers() < 4 << 20


def test_parked_uploads_do_not_stop_their_neighbours(origin: App):
    """Together they send more than the connection's window while they wait for a slot."""
    front = gate(origin.port, protocol="http1", running_max=1, h2_window_bytes=200_000)
    with front as made, caller(made.port) as line:
        line.head(1, request("POST"))
        conn = origin.h1()
        read_h1_head(conn)
        room = 65535
        for i in range(10):
            line.head(3 + 2 * i, request("POST", f"/{i}"))
            while room < 60000:
                update = line.until(lambda f: isinstance(f, WindowUpdateFrame) and f.stream_id == 0)
                room += update.window_increment
            line.data(3 + 2 * i, bytes(60000))
            room -= 60000
        line.data(1, b"still moves", last=True)
        assert b"still moves" in read_exactly(conn, 15)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (request("GET", "/ok", ("host", "other.example")), "400"),
        (request("GET", "/a#b"), "400"),
        (request("POST", "/", ("expect", "a-miracle")), "417"),
        (request("GET", "/", ("x-large", "a" * 60000), ("x-more", "b" * 60000)), "431"),
    ],
    ids=["two-authorities", "fragment", "expectation", "too-large"],
)
def test_a_request_that_is_refused_is_told_why(origin: App, fields: list[tuple[str, str]], status: str):
    with gate(origin.port, protocol="http1", head_max=100_000) as front, caller(front.port) as line:
        block = line.block(fields)
        parts = [block[i : i + 16000] for i in range(0, len(block), 16000)]
        line.raw(frames_of_block(1, parts))
        answer = line.until_head(1)
        assert answer[":status"] == status
        assert "error=http_request_error" in answer["proxy-status"]
        line.head(3, request(), last=True)
        read_h1_head(origin.h1())


def frames_of_block(stream: int, parts: list[bytes]) -> bytes:
    out = b""
    for i, part in enumerate(parts):
        kind, flags = (1, 1) if i == 0 else (9, 0)
        if i == len(parts) - 1:
            flags |= 4
        out += len(part).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + part
    return out


@pytest.mark.spec("DP-067")
@pytest.mark.parametrize(
    "field",
    [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("te", "gzip"),
        ("upgrade", "h2c"),
        ("keep-alive", "1"),
        ("X-Upper", "1"),
        ("x-line", "a\r\nb: c"),
        ("content-length", "x"),
        (":path", "*"),
    ],
    ids=lambda f: f[0],
)
def test_a_malformed_request_is_a_stream_error(origin: App, line: Line, field: tuple[str, str]):
    fields = [row for row in request() if row[0] != field[0]]
    line.head(1, [*fields, field] if field[0][0] != ":" else [field, *fields], last=True)
    assert line.until_reset(1) == PROTOCOL_ERROR
    line.head(3, request(), last=True)
    read_h1_head(origin.h1())


def test_a_body_that_disagrees_with_its_length_never_ends_at_the_app(origin: App, line: Line):
    line.head(1, request("POST", "/", ("content-length", "10")))
    conn = origin.h1()
    read_h1_head(conn)
    line.data(1, b"four", last=True)
    assert line.until_reset(1) == PROTOCOL_ERROR
    got = conn.recv(100)
    while got and len(got) < 5:
        more = conn.recv(100)
        if not more:
            break
        got += more
    assert len(got) <= 4


def test_two_lengths_are_refused(origin: App, line: Line):
    line.head(1, request("POST", "/", ("content-length", "4"), ("content-length", "4")))
    assert line.until_reset(1) == PROTOCOL_ERROR


def test_a_large_answer_keeps_to_the_callers_windows(origin: App, front: Gate, line: Line):
    body = bytes(range(256)) * 8192
    line.head(1, request(), last=True)
    conn = origin.h1()
    read_h1_head(conn)
    conn.sendall(OK_HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
    conn.settimeout(0.3)
    sent = 0
    try:
        while sent < len(body):
            sent += conn.send(body[sent:])
    except TimeoutError:
        pass
    assert front.buffers() < 1 << 20
    conn.settimeout(20)
    got = 0
    seen = b""
    while got < len(body):
        frame = line.until(lambda f: isinstance(f, DataFrame | RstStreamFrame))
        assert isinstance(frame, DataFrame)
        seen += frame.data
        got += len(frame.data)
        line.window(0, len(frame.data))
        line.window(1, len(frame.data))
        while sent < len(body):
            conn.settimeout(0)
            try:
                sent += conn.send(body[sent:])
            except BlockingIOError:
                break
    assert seen == body


def test_connect_is_not_allowed(origin: App, line: Line):
    line.head(1, [(":method", "CONNECT"), (":authority", "app.example:80")], last=True)
    assert line.until_head(1)[":status"] == "405"


def test_idle_connections_hold_no_buffers(origin: App, front: Gate):
    lines = []
    try:
        for _ in range(20):
            manager = caller(front.port)
            line = manager.__enter__()
            lines.append(manager)
            line.head(1, request(), last=True)
            conn = origin.h1()
            read_h1_head(conn)
            conn.sendall(OK_HEAD + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            line.until_head(1)
        front.until(lambda: front.buffers() == 0)
    finally:
        for manager in lines:
            manager.__exit__(None, None, None)


def test_cancel_while_waiting_for_a_slot_leaves_no_trace(origin: App):
    with gate(origin.port, protocol="http1", running_max=1) as front, caller(front.port) as line:
        line.head(1, request(), last=True)
        conn = origin.h1()
        read_h1_head(conn)
        line.head(3, request("POST"))
        line.data(3, b"waits")
        front.until(lambda: front.buffers() > 0)
        line.reset(3, CANCEL)
        front.until(lambda: front.counters()["abandoned"] == 1)
        front.until(lambda: front.buffers() == 0)
        conn.sendall(OK_HEAD + b"Content-Length: 0\r\n\r\n")
        assert line.until_head(1)[":status"] == "200"
