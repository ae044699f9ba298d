"""Upstream HTTP/2: an app that speaks h2c, refuses, resets, goes away, answers in pieces."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator

import pytest
from hyperframe.frame import DataFrame, GoAwayFrame, HeadersFrame, SettingsFrame

from tests.wire.h2_line import (
    CANCEL,
    INTERNAL_ERROR,
    NO_ERROR,
    REFUSED_STREAM,
    App,
    Gate,
    Line,
    app,
    caller,
    gate,
    request,
)


@pytest.fixture
def origin() -> Iterator[App]:
    with app() as made:
        yield made


@pytest.fixture
def front(origin: App) -> Iterator[Gate]:
    with gate(origin.port, protocol="h2c") as made:
        yield made


class Call:
    """An HTTP/1.1 request that has been sent; the answer is read when asked for."""

    def __init__(self, port: int, head: bytes = b"GET / HTTP/1.1\r\nHost: app.example\r\n\r\n") -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(20)
        self.sock.sendall(head)

    def answer(self) -> http.client.HTTPResponse:
        response = http.client.HTTPResponse(self.sock)
        response.begin()
        return response

    def __enter__(self) -> Call:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()


def next_head(line: Line) -> HeadersFrame:
    return line.until(lambda f: isinstance(f, HeadersFrame))


def asked(origin: App) -> tuple[Line, int]:
    """The next connection to the app, and the stream of the request that came on it."""
    line = origin.h2()
    return line, next_head(line).stream_id


def answer(line: Line, stream: int, body: bytes = b"", status: str = "200") -> None:
    line.head(stream, [(":status", status), ("date", "now"), ("content-length", str(len(body)))], last=not body)
    if body:
        line.data(stream, body, last=True)


def open_conns(front: Gate) -> int:
    counters = front.counters()
    return int(counters["upstream_conns_opened"] - counters["upstream_conns_closed"])


def test_idle_connections_that_no_post_may_trust_do_not_pile_up(origin: App, front: Gate):
    post = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    start = time.monotonic()
    with Call(front.port) as call:
        line = origin.h2()
        answer(line, next_head(line).stream_id)
        assert call.answer().status == 200
    line.close()
    front.until(lambda: front.counters()["pool_closed_by_peer"] == 1)
    learnt_s = time.monotonic() - start  # at most for so long does this app keep an idle connection, it seems
    for left in range(4):
        idle_since = time.monotonic()
        front.until(lambda since=idle_since: time.monotonic() > since + learnt_s)
        with Call(front.port, post) as call:
            line = origin.h2()
            answer(line, next_head(line).stream_id)
            assert call.answer().status == 200
        assert front.counters()["pool_closed_early"] == left
        assert open_conns(front) == 1


def test_an_http1_request_becomes_http2(origin: App, front: Gate):
    head = (
        b"GET /a?b HTTP/1.1\r\nHost: app.example\r\nX-Own: 1\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n"
        b"TE: trailers, gzip\r\n\r\n"
    )
    with Call(front.port, head) as call:
        line = origin.h2()
        frame = next_head(line)
        fields = dict(frame.fields)
        assert fields[":method"] == "GET"
        assert fields[":path"] == "/a?b"
        assert fields[":scheme"] == "http"
        assert fields[":authority"] == "app.example"
        assert fields["x-own"] == "1"
        assert fields["te"] == "trailers"
        assert not {"host", "connection", "x-hop", "keep-alive", "transfer-encoding"} & set(fields)
        assert all(name == name.lower() for name in fields)
        assert "END_STREAM" in frame.flags
        answer(line, frame.stream_id, b"hello")
        assert call.answer().read() == b"hello"


def test_a_chunked_request_ends_with_its_stream(origin: App, front: Gate):
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
    with Call(front.port, head) as call:
        line, stream = asked(origin)
        assert line.until(lambda f: isinstance(f, DataFrame)).data == b"abc"
        trailers = next_head(line)
        assert trailers.fields == [("x-sum", "1")]
        assert "END_STREAM" in trailers.flags
        answer(line, stream, b"ok")
        assert call.answer().read() == b"ok"


def test_trailers_of_an_http2_answer_end_a_chunked_body(origin: App, front: Gate):
    with Call(front.port) as call:
        line, stream = asked(origin)
        line.head(stream, [(":status", "200"), ("date", "now")])
        line.data(stream, b"abc")
        line.head(stream, [("x-sum", "6")], last=True)
        got = b""
        while not got.endswith(b"\r\n\r\n") or b"0\r\n" not in got:
            got += call.sock.recv(4096)
        assert got.endswith(b"3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n")


def test_interim_heads_of_the_app_pass(origin: App, front: Gate):
    with Call(front.port) as call:
        line, stream = asked(origin)
        line.head(stream, [(":status", "103"), ("link", "</a>")])
        answer(line, stream)
        got = b""
        while b"200 OK" not in got:
            got += call.sock.recv(4096)
        assert got.startswith(b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n")


def test_streams_share_one_connection(origin: App, front: Gate):
    with Call(front.port) as first:
        line, one = asked(origin)
        with Call(front.port, b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n") as second:
            two = next_head(line).stream_id
            answer(line, two, b"2")
            assert second.answer().read() == b"2"
        answer(line, one, b"1")
        assert first.answer().read() == b"1"


def test_the_peers_limit_opens_another_connection(origin: App, front: Gate):
    with Call(front.port) as first:
        line = origin.h2({SettingsFrame.MAX_CONCURRENT_STREAMS: 1})
        answer(line, next_head(line).stream_id, b"0")
        assert first.answer().read() == b"0"
    with Call(front.port) as second, Call(front.port) as third:
        one = next_head(line).stream_id
        other, two = asked(origin)
        answer(other, two, b"2")
        answer(line, one, b"1")
        assert {second.answer().read(), third.answer().read()} == {b"1", b"2"}


@pytest.mark.spec("DP-080")
def test_a_refused_stream_goes_once_more(origin: App, front: Gate):
    with Call(front.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") as call:
        line = origin.h2()
        line.reset(next_head(line).stream_id, REFUSED_STREAM)
        other = origin.h2()
        answer(other, next_head(other).stream_id, b"second")
        assert call.answer().read() == b"second"


def test_a_stream_above_the_last_id_of_goaway_goes_once_more(origin: App, front: Gate):
    with Call(front.port) as first:
        line, one = asked(origin)
        with Call(front.port) as second:
            next_head(line)
            line.send(GoAwayFrame(0, last_stream_id=one, error_code=NO_ERROR))
            other = origin.h2()
            answer(other, next_head(other).stream_id, b"moved")
            assert second.answer().read() == b"moved"
        answer(line, one, b"finished")
        assert first.answer().read() == b"finished"
    line.until_end()


@pytest.mark.parametrize("code", [CANCEL, INTERNAL_ERROR])
def test_a_reset_before_the_head_is_502(origin: App, front: Gate, code: int):
    with Call(front.port) as call:
        line = origin.h2()
        line.reset(next_head(line).stream_id, code)
        response = call.answer()
        assert response.status == 502
        assert "stream reset by upstream" in str(response.headers["proxy-status"])


def test_a_reset_within_the_body_cuts_the_caller(origin: App, front: Gate):
    with Call(front.port) as call:
        line, stream = asked(origin)
        line.head(stream, [(":status", "200"), ("content-length", "10")])
        line.data(stream, b"half")
        line.reset(stream, INTERNAL_ERROR)
        response = call.answer()
        with pytest.raises(http.client.IncompleteRead):
            response.read()


def test_a_connection_that_ends_before_the_head_is_502(origin: App, front: Gate):
    with Call(front.port) as call:
        line = origin.h2()
        next_head(line)
        line.close()
        assert call.answer().status == 502


def test_a_connection_that_ends_within_the_body_cuts_the_caller(origin: App, front: Gate):
    with Call(front.port) as call:
        line, stream = asked(origin)
        line.head(stream, [(":status", "200")])
        line.data(stream, b"half")
        line.close()
        response = call.answer()
        with pytest.raises(http.client.IncompleteRead):
            response.read()


def test_a_whole_answer_before_goaway_and_close_arrives(origin: App, front: Gate):
    with Call(front.port) as call:
        line, stream = asked(origin)
        body = bytes(200_000)
        line.settings()
        line.head(stream, [(":status", "200"), ("date", "now")])
        line.data(stream, body[:60000], last=True)
        line.send(GoAwayFrame(0, last_stream_id=stream, error_code=NO_ERROR))
        line.close()
        assert call.answer().read() == body[:60000]


def test_an_answer_before_the_upload_ends_is_whole(origin: App, front: Gate):
    with Call(front.port, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\npart") as call:
        line, stream = asked(origin)
        answer(line, stream, b"enough", status="413")
        line.reset(stream, NO_ERROR)
        response = call.answer()
        assert response.status == 413
        assert response.read() == b"enough"


def test_a_caller_that_goes_resets_its_stream_alone(origin: App, front: Gate):
    call = Call(front.port)
    line, stream = asked(origin)
    with Call(front.port) as other:
        two = next_head(line).stream_id
        call.sock.close()
        assert line.until_reset(stream) == CANCEL
        answer(line, two, b"still here")
        assert other.answer().read() == b"still here"


@pytest.mark.parametrize(
    "bytes_of_app", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", bytes(64)], ids=["http1", "zeros"]
)
def test_an_app_that_speaks_something_else_is_502(origin: App, front: Gate, bytes_of_app: bytes):
    with Call(front.port) as call:
        conn = origin.h1()
        conn.recv(65536)
        conn.sendall(bytes_of_app)
        response = call.answer()
        assert response.status == 502
        assert "HTTP/2 protocol error" in str(response.headers["proxy-status"])


def test_a_refused_connection_is_502(front: Gate, origin: App):
    origin.sock.close()
    with Call(front.port) as call:
        response = call.answer()
        assert response.status == 502
        assert "connection_refused" in str(response.headers["proxy-status"])


def test_an_idle_connection_serves_the_next_request(origin: App, front: Gate):
    with Call(front.port) as first:
        line = origin.h2()
        answer(line, next_head(line).stream_id, b"1")
        assert first.answer().read() == b"1"
    with Call(front.port) as second:
        answer(line, next_head(line).stream_id, b"2")
        assert second.answer().read() == b"2"


def test_an_idle_connection_that_the_app_closes_is_left(origin: App, front: Gate):
    with Call(front.port) as first:
        line = origin.h2()
        answer(line, next_head(line).stream_id, b"1")
        assert first.answer().read() == b"1"
    line.close()
    front.until(lambda: front.counters()["upstream_conns_closed"] == 1)
    with Call(front.port) as second:
        other = origin.h2()
        answer(other, next_head(other).stream_id, b"2")
        assert second.answer().read() == b"2"


def test_a_large_upload_keeps_to_the_apps_windows(origin: App, front: Gate):
    body = bytes(range(256)) * 2048
    with Call(front.port, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)) as call:
        line, stream = asked(origin)
        call.sock.settimeout(20)
        sent = 0
        seen = b""
        call.sock.setblocking(False)
        while len(seen) < len(body):
            try:
                while sent < len(body):
                    sent += call.sock.send(body[sent : sent + 65536])
            except BlockingIOError:
                pass
            frame = line.until(lambda f: isinstance(f, DataFrame))
            seen += frame.data
            if frame.data:
                line.window(0, len(frame.data))
                line.window(stream, len(frame.data))
        assert seen == body
        answer(line, stream, b"ok")
        call.sock.setblocking(True)
        assert call.answer().read() == b"ok"


def test_a_slow_caller_holds_back_the_app(origin: App, front: Gate):
    """The app's window is not given back while the caller does not read."""
    with Call(front.port) as call:
        line, stream = asked(origin)
        line.head(stream, [(":status", "200"), ("date", "now")])
        room = {0: 65535, stream: 65535}
        sent = 0
        line.sock.settimeout(0.3)
        while sent < 64 << 20:
            n = min(16384, *room.values())
            if n > 0:
                line.data(stream, bytes(n))
                sent += n
                room = {key: value - n for key, value in room.items()}
                continue
            try:
                frame = line.read_frame()
            except TimeoutError:
                break
            assert frame is not None
            if frame.type == 8:
                room[frame.stream_id] += frame.window_increment
        assert sent < 16 << 20
        assert front.buffers() < 4 << 20
        del call


def test_http2_on_both_sides(origin: App, front: Gate):
    with caller(front.port) as line:
        line.head(1, request("POST", "/x", ("te", "trailers"), ("content-type", "application/grpc")))
        far = origin.h2()
        head = next_head(far)
        assert dict(head.fields)["te"] == "trailers"
        line.data(1, b"ping")
        assert far.until(lambda f: isinstance(f, DataFrame)).data == b"ping"
        far.head(head.stream_id, [(":status", "200"), ("content-type", "application/grpc")])
        assert line.until_head(1)[":status"] == "200"
        far.data(head.stream_id, b"pong")
        assert line.until(lambda f: isinstance(f, DataFrame)).data == b"pong"
        line.data(1, b"", last=True)
        assert "END_STREAM" in far.until(lambda f: isinstance(f, DataFrame)).flags
        far.head(head.stream_id, [("grpc-status", "0")], last=True)
        assert line.until_head(1) == {"grpc-status": "0"}


def test_an_answer_of_trailers_only_ends_with_its_head(origin: App, front: Gate):
    with caller(front.port) as line:
        line.head(1, request("POST", "/x", ("content-type", "application/grpc")), last=True)
        far, stream = asked(origin)
        far.head(stream, [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "5")], last=True)
        frame = line.until(lambda f: isinstance(f, HeadersFrame))
        assert ("grpc-status", "5") in frame.fields
        assert "END_STREAM" in frame.flags


@pytest.mark.parametrize("field", [("connection", "close"), ("content-length", "x")], ids=["connection", "length"])
def test_a_malformed_answer_is_502(origin: App, front: Gate, field: tuple[str, str]):
    with Call(front.port) as call:
        line = origin.h2()
        line.head(next_head(line).stream_id, [(":status", "200"), field], last=True)
        assert call.answer().status == 502
