"""Certificates: the files behind one TLS listener, and the context made from what they hold.

The files are compared byte by byte with those in use, so a renewal that only
touches them costs nothing, and a pair of which just one half has been written
yet is looked at again the next time (DP-156).
"""

from __future__ import annotations

from dataplane.errors import ConfigError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.schema import Tls
    from dataplane.logs import Logger
    from ext.certificates import TlsContext

RELOADED = "Certificate and/or key have changed on disk and were reloaded."


class CertificateFiles:
    """What a listener's TLS settings name, read again when asked.

    make   the engine's TlsContext
    """

    __slots__ = ("_log", "_make", "_refused", "_tls", "_used")

    def __init__(self, tls: Tls, make: Callable[..., TlsContext], log: Logger) -> None:
        self._tls = tls
        self._make = make
        self._log = log
        self._used: tuple[bytes, ...] = ()
        self._refused: tuple[bytes, ...] = ()

    def load(self) -> TlsContext:
        """The first context.

        Raises  ConfigError that names the files and what is wrong with them.
        """
        files = f"{self._tls.cert_file}, {self._tls.key_file}"
        try:
            return self._use(self._read())
        except OSError as error:
            what = f"cannot be read: {error.strerror}; make it readable for this process, or remove both files"
            raise ConfigError([Problem(where=str(error.filename), what=what)]) from None
        except ValueError as error:
            what = f"cannot be used: {error}; they must hold a certificate in PEM and its key without a password"
            raise ConfigError([Problem(where=files, what=what)]) from None

    def reload(self) -> TlsContext | None:
        """A context of new content; None while the files are as they were, or cannot be used, which is logged once."""
        content: tuple[bytes, ...] = ()
        try:
            content = self._read()
            if content in (self._used, self._refused):
                return None
            context = self._use(content)
        except (OSError, ValueError) as error:
            self._refused = content
            self._log.error("The certificate on disk cannot be used; the one before it stays.", error=str(error))
            return None
        self._log.info(RELOADED)
        return context

    def _read(self) -> tuple[bytes, ...]:
        names = (self._tls.cert_file, self._tls.key_file, self._tls.client_ca_file)
        return tuple(_content(name) if name else b"" for name in names)

    def _use(self, content: tuple[bytes, ...]) -> TlsContext:
        tls = self._tls
        context = self._make(
            content[0],
            content[1],
            lowest=tls.version_min,
            highest=tls.version_max,
            ciphers=tls.ciphers,
            groups=tls.groups,
            callers=tls.client_auth,
            authority=content[2],
        )
        self._used = content
        if context.unknown_groups:
            names = ",".join(context.unknown_groups)
            self._log.warn("This OpenSSL does not know some key exchange groups; the others are used.", groups=names)
        return context


def _content(name: str) -> bytes:
    with open(name, "rb", buffering=0) as file:
        return file.read()
