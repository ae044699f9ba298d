"""http1: one GET of a probe over HTTP/1.1, on a connection of its own (DP-045)."""

from __future__ import annotations

from dataplane.probing.conn import ProbeFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataplane.probing.conn import Conn

FIELDS_MAX = 1000
DRAIN_BYTES_MAX = 256 * 1024
"""Of a body that nobody wants; then the connection is closed over the rest of it."""
BODILESS = (204, 304)


def get(conn: Conn, host: str, target: str, headers: list[tuple[str, str]]) -> tuple[int, dict[str, str]]:
    """The final status and the fields of the answer, names in lower case, of equal ones the first.

    host     as `Host` says it
    target   path and query in ASCII
    headers  what else is sent; without framing fields
    Raises   ProbeFailed for anything but an answer.
    """
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    conn.send("".join(line + "\r\n" for line in (*lines, "")).encode())
    status, fields = _head(conn)
    while 100 <= status < 200 and status != 101:
        status, fields = _head(conn)
    if status not in BODILESS:
        # The status has said all: a body that never ends, or is cut, changes nothing.
        try:  # noqa: SIM105  contextlib would be loaded for this alone
            _drain(conn, fields)
        except (ProbeFailed, ValueError):
            pass
    return status, fields


def _head(conn: Conn) -> tuple[int, dict[str, str]]:
    version, _, rest = conn.line().partition(b" ")
    digits = rest.partition(b" ")[0]
    if not version.startswith(b"HTTP/1.") or not digits.isdigit() or len(digits) != 3:
        raise ProbeFailed("the answer is not HTTP/1")
    fields: dict[str, str] = {}
    for _ in range(FIELDS_MAX):
        line = conn.line()
        if not line:
            return int(digits), fields
        name, _, value = line.decode("latin-1").partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    raise ProbeFailed("the answer has too many header lines")


def _drain(conn: Conn, fields: dict[str, str]) -> None:
    """Reads the body to its end: an app that is cut off while it writes may take that for an error."""
    if fields.get("transfer-encoding", "").lower().endswith("chunked"):
        left = DRAIN_BYTES_MAX
        while left > 0:
            size = int(conn.line().partition(b";")[0], 16)
            if size == 0:
                while conn.line():
                    pass
                return
            left -= size
            if left > 0:
                conn.take(size)
                conn.line()
        return
    conn.take(min(int(fields.get("content-length", DRAIN_BYTES_MAX)), DRAIN_BYTES_MAX))
