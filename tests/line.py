"""Line: one end of a TCP connection, byte for byte; what a test says and what it hears."""

from __future__ import annotations

import contextlib
import select
import socket
import struct

PATIENCE_S = 10.0
"""How long a test waits for bytes that must come; far above what a busy machine takes."""


class Head:
    """A head as it came: start line, and fields in their order and spelling."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        lines = raw[:-4].split(b"\r\n")
        self.line = lines[0]
        self.fields = [(name, value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines[1:])]

    @property
    def status(self) -> int:
        return int(self.line.split(b" ", 2)[1])

    @property
    def method(self) -> bytes:
        return self.line.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def get(self, name: str) -> bytes | None:
        """The value of the one field of that name; None when there is none."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times: {self.raw!r}"
        return values[0] if values else None

    def __repr__(self) -> str:
        return f"Head({self.raw!r})"


class Answer:
    """A whole response: head, body, trailers."""

    def __init__(self, head: Head, body: bytes, trailers: list[tuple[bytes, bytes]]) -> None:
        self.head = head
        self.body = body
        self.trailers = trailers

    @property
    def status(self) -> int:
        return self.head.status

    def __repr__(self) -> str:
        return f"Answer({self.head.raw!r}, {self.body[:200]!r}, {self.trailers})"


class Line:
    """A connected socket with a buffer; every read ends after PATIENCE_S with an error that shows what came."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE_S)
        self.kept = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # saying

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def shut(self) -> None:
        """FIN: nothing more comes from here."""
        self.sock.shutdown(socket.SHUT_WR)

    def fill_up(self, most: int = 64 << 20, patience_s: float = 0.4) -> int:
        """Sends until the far side takes no more for a while, or `most` bytes; how many it took."""
        self.sock.settimeout(patience_s)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < most:
                sent += self.sock.send(b"u" * 65536)
        self.sock.settimeout(PATIENCE_S)
        return sent

    def reset(self) -> None:
        """RST, at once."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        self.sock.close()

    # hearing

    def more(self) -> bytes:
        """Some bytes; b"" after a FIN."""
        try:
            return self.sock.recv(65536)
        except TimeoutError:
            raise AssertionError(f"nothing came for {PATIENCE_S} s; so far {self.kept!r}") from None

    def fill(self) -> None:
        got = self.more()
        if not got:
            raise EOFError(f"closed after {self.kept!r}")
        self.kept += got

    def take(self, n: int) -> bytes:
        taken, self.kept = self.kept[:n], self.kept[n:]
        return taken

    def read(self, n: int) -> bytes:
        """Exactly n bytes."""
        parts = [self.take(n)]
        have = len(parts[0])
        while have < n:
            self.fill()
            parts.append(self.take(n - have))
            have += len(parts[-1])
        return b"".join(parts)

    def until(self, end: bytes) -> bytes:
        while end not in self.kept:
            self.fill()
        return self.take(self.kept.index(end) + len(end))

    def head(self) -> Head:
        return Head(self.until(b"\r\n\r\n"))

    def rest(self) -> bytes:
        """Everything up to the FIN; a reset raises ConnectionResetError."""
        parts = [self.take(len(self.kept))]
        while True:
            got = self.more()
            if not got:
                return b"".join(parts)
            parts.append(got)

    def ending(self) -> str:
        """How the peer ends the connection, after bytes that nobody looks at: "fin" or "reset"."""
        try:
            self.rest()
        except ConnectionResetError:
            return "reset"
        return "fin"

    def is_silent(self) -> bool:
        """Nothing has come up to now, neither bytes nor an end."""
        return not self.kept and not select.select([self.sock], [], [], 0)[0]

    def chunk(self) -> bytes:
        """The data of one chunk; b"" for the last one, whose trailers are still to be read."""
        size = int(self.until(b"\r\n"), 16)
        data = self.read(size)
        if size:
            assert self.read(2) == b"\r\n"
        return data

    def chunks(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """A chunked body with its trailers."""
        parts = []
        while data := self.chunk():
            parts.append(data)
        trailers = []
        while (line := self.until(b"\r\n")) != b"\r\n":
            name, _, value = line[:-2].partition(b":")
            trailers.append((name, value.strip(b" \t")))
        return b"".join(parts), trailers

    def body_of(self, head: Head) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        """What follows a head that has a body, by the framing that it names."""
        if head.get("Transfer-Encoding") == b"chunked":
            return self.chunks()
        length = head.get("Content-Length")
        return (self.rest() if length is None else self.read(int(length))), []

    def answer(self, method: str = "GET") -> Answer:
        """One final response, interim ones skipped."""
        head = self.head()
        while head.status < 200:
            head = self.head()
        if method == "HEAD" or head.status in (204, 304):
            return Answer(head, b"", [])
        return Answer(head, *self.body_of(head))

    def request(self) -> tuple[Head, bytes]:
        """One request, as an origin reads it."""
        head = self.head()
        if head.get("Transfer-Encoding") == b"chunked":
            return head, self.chunks()[0]
        return head, self.read(int(head.get("Content-Length") or b"0"))


def dial(port: int, host: str = "127.0.0.1", receive_bytes: int = 0, source: str | None = None) -> Line:
    """A connection to a listener.

    receive_bytes   size of the receive buffer, for slow readers; 0: the kernel's choice
    source          address to come from, of 127.0.0.0/8
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.settimeout(PATIENCE_S)
        if receive_bytes:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        if source:
            sock.bind((source, 0))
        sock.connect((host, port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        sock.close()
        raise
    return Line(sock)
