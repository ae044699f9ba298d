"""Place: where a GET of a probe goes, and where a redirect would have it go (RFC 3986 5)."""

from __future__ import annotations

from dataplane.probing.conn import ProbeFailed

PORTS = {"http": 80, "https": 443}
PORT_MAX = 65535


class Place:
    """
    scheme   "http" or "https"
    name     host without brackets
    target   path and query, in ASCII
    said     what `Host` says instead of name and port; empty: those
    """

    __slots__ = ("name", "port", "said", "scheme", "target")

    def __init__(self, scheme: str, name: str, port: int, target: str, said: str = "") -> None:
        self.scheme = scheme
        self.name = name
        self.port = port
        self.target = _ascii(target)
        self.said = said

    @property
    def host(self) -> str:
        """As `Host` and `:authority` have it."""
        name = f"[{self.name}]" if ":" in self.name else self.name
        return self.said or f"{name}:{self.port}"

    def redirected(self, location: str) -> Place | None:
        """The place that a `Location` names; None when it is on another host, or not for HTTP.

        A relative one keeps the host that was said. Raises ProbeFailed for a port that is none.
        """
        location = location.partition("#")[0]
        scheme, colon, rest = location.partition(":")
        if not colon or not scheme.isalnum():
            scheme, rest = self.scheme, location
        if scheme.lower() not in PORTS:
            return None
        if not rest.startswith("//"):
            return Place(self.scheme, self.name, self.port, _joined(self.target, rest), self.said)
        authority = rest[2:]
        for mark in "/?":
            authority = authority.partition(mark)[0]
        name, port = _split(authority.rpartition("@")[2], PORTS[scheme.lower()])
        if name.lower() != self.name.lower():
            return None
        target = rest[2 + len(authority) :]
        return Place(scheme.lower(), name, port, target if target.startswith("/") else "/" + target)


def _split(authority: str, usual: int) -> tuple[str, int]:
    """Host without brackets, and port."""
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX):
        raise ProbeFailed(f"a redirect goes to port {port}, which is none")
    return host.removeprefix("[").removesuffix("]"), int(port or usual)


def _joined(base: str, reference: str) -> str:
    """A relative reference on a target, its dots resolved (RFC 3986 5.2)."""
    base_path = base.partition("?")[0]
    path, mark, query = reference.partition("?")
    if not path:
        return base_path + mark + query if mark else base
    if not path.startswith("/"):
        path = base_path[: base_path.rfind("/") + 1] + path
    kept: list[str] = []
    parts = path.split("/")[1:]
    for part in parts:
        if part == "..":
            del kept[-1:]
        elif part != ".":
            kept.append(part)
    if parts[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept) + mark + query


def _ascii(target: str) -> str:
    """Bytes that are no ASCII, and spaces, become percent-encoded."""
    raw = target.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}" for byte in raw)
