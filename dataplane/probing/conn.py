"""Conn: the connection of one probe, with every step of it held to one deadline."""

from __future__ import annotations

import _socket
from time import monotonic_ns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import SSLSocket

NS_PER_S = 1_000_000_000
READ_BYTES = 16 * 1024
LINE_BYTES_MAX = 64 * 1024
"""Of one line of a head, so that an app that never ends it costs no memory."""


class ProbeFailed(Exception):
    """Why a probe failed, as a phrase for a log line."""


def left_s(deadline_ns: int) -> float:
    """Seconds until a deadline. Raises ProbeFailed when it has passed."""
    left_ns = deadline_ns - monotonic_ns()
    if left_ns <= 0:
        raise ProbeFailed("timed out")
    return left_ns / NS_PER_S


class Conn:
    """Bytes to and from the app.

    host         address or name, without brackets
    deadline_ns  monotonic; whatever is not done by then has failed
    Raises       ProbeFailed, from every method.

    alpn   what TLS agreed on, such as "h2"; empty without TLS.
    """

    __slots__ = ("_deadline_ns", "_kept", "_sock", "alpn")

    def __init__(self, host: str, port: int, deadline_ns: int) -> None:
        self._deadline_ns = deadline_ns
        self._kept = b""
        self.alpn = ""
        self._sock: _socket.socket | SSLSocket = self._connected(host, port)

    def _connected(self, host: str, port: int) -> _socket.socket:
        """A socket to the first address that answers."""
        try:
            # Text would load the codec for international names.
            found = _socket.getaddrinfo(host.encode(), port, 0, _socket.SOCK_STREAM)
        except OSError as wrong:
            raise ProbeFailed(f"{host}: {wrong.strerror}") from None
        why = "no address"
        for family, kind, protocol, _, address in found:
            sock = _socket.socket(family, kind, protocol)
            try:
                sock.settimeout(left_s(self._deadline_ns))
                sock.connect(address)
            except OSError as wrong:
                sock.close()
                why = _reason(wrong)
            else:
                return sock
        raise ProbeFailed(why)

    def turn_tls(self, host: str) -> None:
        """Speaks TLS from here on. Nothing is verified, as kubelet verifies nothing (W15)."""
        import socket
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # A key that is too short for others is no reason to call the app unready.
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.set_alpn_protocols(["h2", "http/1.1"])
        plain = socket.socket(fileno=self._sock.detach())
        plain.settimeout(left_s(self._deadline_ns))
        # Kept at once, so that close() finds it when the handshake fails.
        self._sock = secret = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        try:
            secret.do_handshake()
        except OSError as wrong:
            raise ProbeFailed(f"TLS: {_reason(wrong)}") from None
        self.alpn = secret.selected_alpn_protocol() or ""

    def send(self, data: bytes) -> None:
        """Sends all of it."""
        try:
            self._sock.settimeout(left_s(self._deadline_ns))
            self._sock.sendall(data)
        except OSError as wrong:
            raise ProbeFailed(_reason(wrong)) from None

    def take(self, count: int) -> bytes:
        """Exactly so many bytes."""
        while len(self._kept) < count:
            self._read()
        taken, self._kept = self._kept[:count], self._kept[count:]
        return taken

    def line(self) -> bytes:
        """Up to the next line feed, without it and the carriage return in front of it."""
        searched = 0
        while True:
            end = self._kept.find(b"\n", searched)
            if end >= 0:
                break
            searched = len(self._kept)
            if searched > LINE_BYTES_MAX:
                raise ProbeFailed("a line has no end")
            self._read()
        line, self._kept = self._kept[:end], self._kept[end + 1 :]
        return line.removesuffix(b"\r")

    def _read(self) -> None:
        try:
            self._sock.settimeout(left_s(self._deadline_ns))
            read = self._sock.recv(READ_BYTES)
        except OSError as wrong:
            raise ProbeFailed(_reason(wrong)) from None
        if not read:
            raise ProbeFailed("the app closed the connection")
        self._kept += read

    def close(self) -> None:
        self._sock.close()


def _reason(wrong: OSError) -> str:
    if isinstance(wrong, TimeoutError):
        return "timed out"
    return (wrong.strerror or str(wrong) or type(wrong).__name__).lower()
