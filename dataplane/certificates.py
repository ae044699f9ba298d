"""CertificateWatch: keeps the serving certificate as fresh as its files (DP-152, DP-156).

The files are a mounted secret, which kubelet replaces now and then. They are
read again at each poll and compared byte for byte: reading two small files a
minute costs less than a watch, and a hash would need a library.
"""

from __future__ import annotations

# What `os` passes on, without the 1 ms that importing it costs.
import posix

from dataplane.logs import ERROR, INFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.schema import Certificates, Tls

NS_PER_MS = 1_000_000

RELOADED = "Certificate and/or key have changed on disk and were reloaded."
"""As upstream says it."""
KEPT = "Certificate and/or key on disk cannot be used; the ones in use stay."

FILE_BYTES_MAX = 1024 * 1024
"""As large as a Kubernetes secret may be."""


class CertificateWatch:
    """
    make_context  what a listener needs of these settings, certificate and key (PEM);
                  raises ValueError with the reason when they do not fit
    swap          takes a context that new connections begin with
    tell          takes a level, a message and its fields, as `Logger.log` does

    Times are monotonic nanoseconds. `look_ns` is when tick() has something to do next.
    """

    __slots__ = ("_make_context", "_refused", "_swap", "_tell", "_tls", "_used", "_wait_ns", "look_ns")

    def __init__(
        self,
        certificates: Certificates,
        make_context: Callable[[Tls, bytes, bytes], object],
        swap: Callable[[object], None],
        tell: Callable[[int, str, dict[str, object]], None],
    ) -> None:
        self._tls = certificates.tls
        self._wait_ns = certificates.poll_ms * NS_PER_MS
        self._make_context = make_context
        self._swap = swap
        self._tell = tell
        self._used: tuple[bytes, bytes] | None = None
        self._refused: object = None
        """What was told to be useless already, so that it is told once and not at every poll."""
        self.look_ns = 0

    def first(self, now_ns: int) -> object:
        """The context to start with.

        Raises OSError for a file that cannot be read, ValueError for one that cannot be used.
        """
        self.look_ns = now_ns + self._wait_ns
        pair = self._read()
        context = self._make_context(self._tls, *pair)
        self._used = pair
        return context

    def tick(self, now_ns: int) -> None:
        """Looks at the files when it is time to, and swaps a pair that has changed and fits together.

        While only one of the two is new the pair does not fit: the next poll sees it whole.
        """
        if now_ns < self.look_ns:
            return
        self.look_ns = now_ns + self._wait_ns
        pair: tuple[bytes, bytes] | None = None
        try:
            pair = self._read()
            if pair == self._used:
                self._refused = None
            if pair in (self._used, self._refused):
                return
            context = self._make_context(self._tls, *pair)
        except (OSError, ValueError) as wrong:
            self._keep(pair, str(wrong))
            return
        self._swap(context)
        self._used = pair
        self._refused = None
        self._tell(INFO, RELOADED, {})

    def _keep(self, pair: tuple[bytes, bytes] | None, why: str) -> None:
        refused = pair or why
        if refused != self._refused:
            self._refused = refused
            self._tell(ERROR, KEPT, {"cert_file": self._tls.cert_file, "key_file": self._tls.key_file, "error": why})

    def _read(self) -> tuple[bytes, bytes]:
        return _content(self._tls.cert_file), _content(self._tls.key_file)


def _content(path: str) -> bytes:
    """A whole file. Raises OSError, ValueError when it is too large for what it should be."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        content = b""
        while len(content) <= FILE_BYTES_MAX:
            more = posix.read(fd, FILE_BYTES_MAX)
            if not more:
                return content
            content += more
    finally:
        posix.close(fd)
    raise ValueError(f"{path} is larger than {FILE_BYTES_MAX} bytes")
