"""Frames to begin with: conversations of HTTP/2 peers, as the fuzzer's seeds."""

from __future__ import annotations

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

GET = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")]
POST = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("te", "trailers")]
OK = [(":status", "200"), ("content-length", "4")]


def head(stream: int, fields: list[tuple[str, str]], *flags: str) -> Frame:
    return HeadersFrame(stream, Encoder().encode(fields), flags=["END_HEADERS", *flags])


def spoken(*frames: Frame) -> bytes:
    return SettingsFrame(0).serialize() + b"".join(frame.serialize() for frame in frames)


CALLERS = [
    spoken(head(1, GET, "END_STREAM"), head(3, GET, "END_STREAM")),
    spoken(head(1, POST), DataFrame(1, b"abc"), DataFrame(1, b"", flags=["END_STREAM"])),
    spoken(head(1, POST), DataFrame(1, b"abc", flags=["PADDED"], pad_length=9), head(1, [("x-t", "1")], "END_STREAM")),
    spoken(head(1, [*POST, ("content-length", "4")]), DataFrame(1, b"four", flags=["END_STREAM"])),
    spoken(head(1, GET, "END_STREAM"), RstStreamFrame(1, error_code=8), head(3, POST), RstStreamFrame(3)),
    spoken(PingFrame(0, opaque_data=b"12345678"), PriorityFrame(1, depends_on=3), head(5, GET, "END_STREAM")),
    spoken(
        HeadersFrame(1, Encoder().encode(GET)[:3], flags=["END_STREAM"]),
        ContinuationFrame(1, Encoder().encode(GET)[3:], flags=["END_HEADERS"]),
    ),
    spoken(SettingsFrame(0, settings={4: 1, 1: 0}), head(1, GET, "END_STREAM"), WindowUpdateFrame(1, 100)),
    spoken(head(1, POST), *[DataFrame(1, bytes(900)) for _ in range(3)], GoAwayFrame(0, 1), WindowUpdateFrame(0, 1)),
]

APPS = [
    spoken(SettingsFrame(0, flags=["ACK"]), head(1, OK), DataFrame(1, b"four", flags=["END_STREAM"])),
    spoken(head(3, [(":status", "103")]), head(3, [(":status", "204")], "END_STREAM"), head(1, OK, "END_STREAM")),
    spoken(head(1, [(":status", "200")]), DataFrame(1, b"x"), head(1, [("grpc-status", "0")], "END_STREAM")),
    spoken(RstStreamFrame(1, error_code=7), head(3, OK), RstStreamFrame(3, error_code=2)),
    spoken(GoAwayFrame(0, 1), head(1, OK), DataFrame(1, b"fo"), WindowUpdateFrame(0, 70000), WindowUpdateFrame(1, 9)),
    spoken(SettingsFrame(0, settings={3: 1, 4: 200000}), PingFrame(0, opaque_data=b"12345678"), head(5, OK)),
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
]
