"""Peers: callers and apps of either protocol behind one face, for tests of what must not depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hyperframe.frame import DataFrame, Frame, HeadersFrame, RstStreamFrame

from tests.line import Line, dial
from tests.origin import Origin
from tests.wire.h2_line import CANCEL, PREFACE
from tests.wire.h2_line import Line as H2Line

Fields = Sequence[tuple[str, str]]


@dataclass
class Heard:
    """A head as either protocol brings it; names in lower case."""

    status: int
    method: str
    path: str
    authority: str
    fields: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {self.fields}"
        return values[0] if values else None


class Cut(Exception):
    """The message was broken off."""


class Peer(Protocol):
    """One message each way on a connection of its own."""

    def send_head(self, first: Fields, fields: Fields = (), last: bool = False) -> None: ...
    def send_data(self, data: bytes, last: bool = False) -> None: ...
    def send_trailers(self, fields: Fields) -> None: ...
    def head(self) -> Heard: ...
    def data(self, n: int) -> bytes: ...
    def rest(self) -> tuple[bytes, list[tuple[str, str]]]: ...
    def cut(self) -> None: ...
    def close(self) -> None: ...


class H1Peer:
    """HTTP/1.1; bodies without a length are chunked."""

    def __init__(self, line: Line, is_caller: bool) -> None:
        self.line = line
        self.is_caller = is_caller
        self.asked = ""
        self.chunked = False
        self.left: int | None = None
        self.kept = b""
        self.trailers: list[tuple[str, str]] = []

    def send_head(self, first: Fields, fields: Fields = (), last: bool = False) -> None:
        pseudo = dict(first)
        lines = [f"{name}: {value}" for name, value in fields]
        if self.is_caller:
            self.asked = pseudo[":method"]
            start = f"{pseudo[':method']} {pseudo[':path']} HTTP/1.1"
            lines.insert(0, f"Host: {pseudo[':authority']}")
        else:
            start = f"HTTP/1.1 {pseudo[':status']} Text"
        named = {name.lower() for name, _ in fields}
        interim = not self.is_caller and pseudo[":status"].startswith("1")
        self.chunked = not last and not interim and "content-length" not in named
        if self.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif last and not self.is_caller and not named & {"content-length"} and pseudo[":status"] not in ("204", "304"):
            lines.append("Content-Length: 0")
        self.line.send("\r\n".join([start, *lines, "", ""]).encode("latin-1"))

    def send_data(self, data: bytes, last: bool = False) -> None:
        if not self.chunked:
            self.line.send(data)
            return
        chunk = b"%x\r\n" % len(data) + data + b"\r\n" if data else b""
        self.line.send(chunk + (b"0\r\n\r\n" if last else b""))

    def send_trailers(self, fields: Fields) -> None:
        self.line.send(b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields).encode() + b"\r\n")

    def head(self) -> Heard:
        try:
            head = self.line.head()
        except (EOFError, ConnectionResetError) as end:
            raise Cut from end
        fields = [(name.decode().lower(), value.decode("latin-1")) for name, value in head.fields]
        plain = [(n, v) for n, v in fields if n not in ("host", "transfer-encoding", "connection")]
        if self.is_caller:
            heard = Heard(head.status, "", "", "", plain)
            bodiless = self.asked == "HEAD" or heard.status in (204, 304)
        else:
            heard = Heard(0, head.method.decode(), head.target.decode(), dict(fields).get("host", ""), plain)
            bodiless = False
        length = heard.get("content-length")
        self.left = 0 if bodiless else None if ("transfer-encoding", "chunked") in fields else int(length or 0)
        return heard

    def piece(self) -> bytes:
        """Some of the body; b"" at its end."""
        try:
            if self.left is None:
                got = self.line.chunk()
                if not got:
                    self.left = 0
                    self.read_trailers()
                return got
            if not self.left:
                return b""
            if not self.line.kept:
                self.line.fill()
        except (EOFError, ConnectionResetError) as end:
            raise Cut from end
        got = self.line.take(self.left)
        self.left -= len(got)
        return got

    def read_trailers(self) -> None:
        while (line := self.line.until(b"\r\n")) != b"\r\n":
            name, _, value = line[:-2].partition(b":")
            self.trailers.append((name.decode().lower(), value.strip().decode()))

    def data(self, n: int) -> bytes:
        while len(self.kept) < n:
            got = self.piece()
            if not got:
                raise Cut
            self.kept += got
        taken, self.kept = self.kept[:n], self.kept[n:]
        return taken

    def rest(self) -> tuple[bytes, list[tuple[str, str]]]:
        parts = [self.kept]
        self.kept = b""
        while got := self.piece():
            parts.append(got)
        return b"".join(parts), self.trailers

    def cut(self) -> None:
        self.line.close()

    def close(self) -> None:
        self.line.close()


class H2Peer:
    """HTTP/2, stream 1 unless told otherwise; windows are given back as the body is read."""

    def __init__(self, line: H2Line, stream: int = 1) -> None:
        self.line = line
        self.stream = stream
        self.kept = b""
        self.ended = False
        self.trailers: list[tuple[str, str]] = []

    def send_head(self, first: Fields, fields: Fields = (), last: bool = False) -> None:
        scheme = [(":scheme", "http")] if dict(first).get(":method") else []
        self.line.head(self.stream, [*first, *scheme, *[(name.lower(), value) for name, value in fields]], last=last)

    def send_data(self, data: bytes, last: bool = False) -> None:
        self.line.data(self.stream, data, last=last)

    def send_trailers(self, fields: Fields) -> None:
        self.line.head(self.stream, [(name.lower(), value) for name, value in fields], last=True)

    def frame(self) -> Frame:
        """The next one of this stream that says something about the message."""
        while True:
            frame = self.line.read_frame()
            if frame is None:
                raise Cut
            if frame.stream_id == self.stream and isinstance(frame, HeadersFrame | DataFrame | RstStreamFrame):
                return frame

    def head(self) -> Heard:
        frame = self.frame()
        if isinstance(frame, RstStreamFrame):
            raise Cut
        self.ended = "END_STREAM" in frame.flags
        pseudo = dict(frame.fields)
        plain = [(name, value) for name, value in frame.fields if not name.startswith(":")]
        return Heard(
            int(pseudo.get(":status", 0)), pseudo.get(":method", ""), pseudo.get(":path", ""),
            pseudo.get(":authority", ""), plain,
        )  # fmt: skip

    def piece(self) -> bytes:
        while not self.ended:
            frame = self.frame()
            if isinstance(frame, RstStreamFrame):
                raise Cut
            self.ended = "END_STREAM" in frame.flags
            if isinstance(frame, HeadersFrame):
                self.trailers = list(frame.fields)
                continue
            if frame.flow_controlled_length:
                self.line.window(0, frame.flow_controlled_length)
                if not self.ended:
                    self.line.window(self.stream, frame.flow_controlled_length)
            if frame.data:
                return frame.data
        return b""

    data = H1Peer.data
    rest = H1Peer.rest

    def cut(self) -> None:
        self.line.reset(self.stream, CANCEL)

    def close(self) -> None:
        self.line.close()


def call(port: int, version: str) -> Peer:
    """A caller of that protocol ("h1", "h2") on a new connection."""
    if version == "h1":
        return H1Peer(dial(port), is_caller=True)
    line = H2Line(dial(port).sock)
    line.raw(PREFACE)
    line.settings()
    return H2Peer(line)


def take(app: Origin, version: str) -> Peer:
    """The app's end of a new connection, which must speak that protocol."""
    line = app.accept()
    if version == "h1":
        return H1Peer(line, is_caller=False)
    assert line.read(len(PREFACE)) == PREFACE
    h2 = H2Line(line.sock)
    h2.kept = line.kept
    h2.settings()
    return H2Peer(h2)
