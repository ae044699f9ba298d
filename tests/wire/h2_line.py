"""HTTP/2 peers for tests: one frame at a time, on either end of the engine."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from hpack import Decoder, Encoder
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from ext.base.faults import fault_names
from ext.stats.shard import counter_names
from tests.proxyfixture import Proxy
from tests.waiting import until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SECOND_NS = 1_000_000_000
PATIENCE_S = 20.0

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR = 0, 1, 2, 3
REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 7, 8, 11

BOUND_NAMES = next(labels for name, labels in counter_names() if name == "bounds_hit")


class Gate:
    """A proxy, as the tests of HTTP/2 look at it."""

    def __init__(self, proxy: Proxy) -> None:
        self.engine = proxy.engine
        self.port = proxy.port

    def counters(self) -> dict[str, Any]:
        return dict(self.engine.snapshot()[0]["counters"])

    def bound(self, cause: str) -> int:
        return int(self.counters()["bounds_hit"][BOUND_NAMES.index(cause)])

    def fault(self, name: str) -> int:
        return int(self.counters()["faults"][fault_names().index(name)])

    def conns(self) -> int:
        return int(self.engine.snapshot()[0]["conns"])

    def buffers(self) -> int:
        return int(self.engine.buffers())

    def until(self, what: Callable[[], bool]) -> None:
        """Waits for a state; fails with the whole snapshot."""
        until(what, self.engine.snapshot)


@contextmanager
def gate(app_port: int, **settings: Any) -> Iterator[Gate]:
    """The engine in front of an app on loopback; flood bounds are low, so that a test soon runs into them."""
    low = {"response_head_max": 1 << 20, "linger_timeout_ns": SECOND_NS, "h2_resets_max": 200, "h2_control_max": 200}
    with Proxy(app_port, **{"request_s": 60, **low, **settings}) as made:
        yield Gate(made)


class Line:
    """One HTTP/2 connection, spoken frame by frame. Answers nothing by itself but SETTINGS and PING."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        sock.settimeout(PATIENCE_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.encoder = Encoder()
        self.decoder = Decoder()
        self.kept = b""
        self.frames: list[Frame] = []
        self.ended = False
        self.acks = True

    def close(self) -> None:
        self.sock.close()

    # sending

    def send(self, *frames: Frame) -> None:
        self.raw(b"".join(frame.serialize() for frame in frames))

    def raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def settings(self, values: dict[int, int] | None = None) -> None:
        self.send(SettingsFrame(0, settings=values or {}))

    def block(self, fields: Sequence[tuple[str, str]]) -> bytes:
        return bytes(self.encoder.encode(list(fields)))

    def head(self, stream: int, fields: Sequence[tuple[str, str]], *, last: bool = False) -> None:
        flags = ["END_HEADERS"] + (["END_STREAM"] if last else [])
        self.send(HeadersFrame(stream, self.block(fields), flags=flags))

    def data(self, stream: int, data: bytes, *, last: bool = False) -> None:
        parts = [data[i : i + 16384] for i in range(0, len(data), 16384)] or [b""]
        for i, part in enumerate(parts):
            flags = ["END_STREAM"] if last and i == len(parts) - 1 else []
            self.send(DataFrame(stream, part, flags=flags))

    def reset(self, stream: int, code: int = CANCEL) -> None:
        self.send(RstStreamFrame(stream, error_code=code))

    def window(self, stream: int, n: int) -> None:
        self.send(WindowUpdateFrame(stream, window_increment=n))

    # receiving

    def read_frame(self) -> Frame | None:
        """The next frame; None at the end of the connection."""
        while True:
            if len(self.kept) >= 9:
                frame, length = Frame.parse_frame_header(memoryview(self.kept[:9]))
                if len(self.kept) >= 9 + length:
                    frame.parse_body(memoryview(self.kept[9 : 9 + length]))
                    self.kept = self.kept[9 + length :]
                    return self.noted(frame)
            try:
                more = self.sock.recv(65536)
            except ConnectionError:
                more = b""
            if not more:
                self.ended = True
                return None
            self.kept += more

    def noted(self, frame: Any) -> Frame:
        if isinstance(frame, HeadersFrame):
            frame.fields = self.decoder.decode(frame.data)  # type: ignore[attr-defined]
        if self.acks and isinstance(frame, SettingsFrame) and "ACK" not in frame.flags:
            self.send(SettingsFrame(0, flags=["ACK"]))
        if self.acks and isinstance(frame, PingFrame) and "ACK" not in frame.flags:
            self.send(PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))
        self.frames.append(frame)
        return self.frames[-1]

    def until(self, what: Callable[[Any], bool]) -> Any:
        """Reads on to a frame for which `what` holds."""
        while True:
            frame = self.read_frame()
            assert frame is not None, f"the connection ended after {self.frames}"
            if what(frame):
                return frame

    def until_end(self) -> list[Frame]:
        """Reads to the end of the connection."""
        while self.read_frame() is not None:
            pass
        return self.frames

    def until_head(self, stream: int) -> dict[str, str]:
        frame = self.until(lambda f: isinstance(f, HeadersFrame) and f.stream_id == stream)
        return dict(frame.fields)

    def until_reset(self, stream: int) -> int:
        frame = self.until(lambda f: isinstance(f, RstStreamFrame) and f.stream_id == stream)
        return int(frame.error_code)

    def until_goaway(self) -> GoAwayFrame:
        found: GoAwayFrame = self.until(lambda f: isinstance(f, GoAwayFrame))
        return found

    def body(self, stream: int) -> bytes:
        """Data of a stream from here to its END_STREAM; windows are given back."""
        got = b""
        while True:
            frame = self.until(lambda f: f.stream_id == stream)
            if isinstance(frame, RstStreamFrame):
                raise AssertionError(f"stream {stream} was reset with {frame.error_code}")
            if isinstance(frame, DataFrame):
                got += frame.data
                if frame.flow_controlled_length:
                    self.window(0, frame.flow_controlled_length)
                    self.window(stream, frame.flow_controlled_length)
            if "END_STREAM" in frame.flags:
                return got


REQUEST = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "app.example")]


def request(method: str = "GET", path: str = "/", *fields: tuple[str, str]) -> list[tuple[str, str]]:
    return [(":method", method), (":scheme", "http"), (":path", path), (":authority", "app.example"), *fields]


@contextmanager
def caller(port: int, settings: dict[int, int] | None = None) -> Iterator[Line]:
    """A client that has sent its preface and SETTINGS."""
    sock = socket.create_connection(("127.0.0.1", port))
    line = Line(sock)
    try:
        line.raw(PREFACE)
        line.settings(settings)
        yield line
    finally:
        line.close()


class App:
    """A listening socket in the place of the app; each connection is accepted by the test itself."""

    def __init__(self) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.sock.settimeout(PATIENCE_S)
        self.port: int = self.sock.getsockname()[1]
        self.lines: list[Line | socket.socket] = []

    def h2(self, settings: dict[int, int] | None = None) -> Line:
        """The next connection, which must begin with the preface."""
        sock, _ = self.sock.accept()
        line = Line(sock)
        self.lines.append(line)
        preface = b""
        while len(preface) < len(PREFACE):
            more = sock.recv(len(PREFACE) - len(preface))
            assert more, "the connection ended within the preface"
            preface += more
        assert preface == PREFACE
        line.settings(settings)
        return line

    def h1(self) -> socket.socket:
        """The next connection, as it is."""
        sock, _ = self.sock.accept()
        sock.settimeout(PATIENCE_S)
        self.lines.append(sock)
        return sock

    def close(self) -> None:
        self.sock.close()
        for line in self.lines:
            line.close()


@contextmanager
def app() -> Iterator[App]:
    made = App()
    try:
        yield made
    finally:
        made.close()


def read_h1_head(sock: socket.socket) -> bytes:
    """Bytes up to the end of a head; what follows stays in the kernel."""
    got = b""
    while not got.endswith(b"\r\n\r\n"):
        more = sock.recv(1)
        assert more, got
        got += more
    return got


def read_exactly(sock: socket.socket, n: int) -> bytes:
    got = b""
    while len(got) < n:
        more = sock.recv(n - len(got))
        assert more, f"{len(got)} of {n} bytes came"
        got += more
    return got
