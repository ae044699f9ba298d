"""DebugPages: what goes on inside the process, for a person who looks (port 8008).

    /debug/vars     what the kernel and the engine count
    /debug/conns    every TCP socket of the process, as the kernel sees it
    /debug/stacks   where each thread is

JSON, or text with `?text` or `Accept: text/plain`. Nothing here is loaded or
counted before somebody asks. Go's profiles do not exist here, and the page
where they would be says so.
"""

from __future__ import annotations

import sys
from posix import listdir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Answer = tuple[int, bytes, bytes]

TEXT = b"Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
JSON = b"Content-Type: application/json\r\n"
FRESH = b"Cache-Control: no-store\r\n"

NOT_FOUND = b"404 page not found\n"
NO_PROFILES = b"There are no Go profiles here; look at /debug/vars, /debug/conns and /debug/stacks.\n"
INDEX = b"/debug/vars\n/debug/conns\n/debug/stacks\nJSON; with ?text as text.\n"

CONNS_MAX = 5000
"""Sockets on one page; a line of each costs 200 bytes while it is made."""

STATES = {
    "01": "ESTABLISHED", "02": "SYN_SENT", "03": "SYN_RECV", "04": "FIN_WAIT1", "05": "FIN_WAIT2", "06": "TIME_WAIT",
    "07": "CLOSE", "08": "CLOSE_WAIT", "09": "LAST_ACK", "0A": "LISTEN", "0B": "CLOSING",
}  # fmt: skip
"""Linux, include/net/tcp_states.h."""
MAPPED = bytes(10) + b"\xff\xff"
"""In front of an IPv4 address in an IPv6 one (RFC 4291 2.5.5.2)."""


class DebugPages:
    """
    count      everything that is worth showing as a number, nested by name
    ports      whose port is whose: number → name, the app's among them
    """

    __slots__ = ("_count", "_ports")

    def __init__(self, count: Callable[[], dict[str, object]], ports: dict[int, str]) -> None:
        self._count = count
        self._ports = ports

    def answer(self, target: bytes, fields: bytes) -> Answer:
        """Status, fields and body for a request; `fields` are lines "name: value CRLF", as in `Call`."""
        path, _, query = target.partition(b"?")
        if path == b"/debug/pprof" or path.startswith(b"/debug/pprof/"):
            return 404, TEXT, NO_PROFILES
        if path in (b"/debug", b"/debug/"):
            return 200, TEXT, INDEX
        pages = {b"/debug/vars": self._vars, b"/debug/conns": self._conns, b"/debug/stacks": stacks}
        make = pages.get(path)
        if make is None:
            return 404, TEXT, NOT_FOUND
        value = make()
        if query == b"text" or _wants_text(fields):
            return 200, TEXT + FRESH, "".join(_lines(value, "")).encode()
        import json

        return 200, JSON + FRESH, json.dumps(value, indent=1, default=str).encode() + b"\n"

    def _vars(self) -> dict[str, object]:
        from dataplane.metrics.process import readings

        return {
            "python": sys.version.partition(" ")[0],
            "process": {name: value for name, _, _, value in readings()},
            **self._count(),
        }

    def _conns(self) -> dict[str, object]:
        own = _own_sockets()
        shown: list[dict[str, object]] = []
        count = 0
        for row in _sockets():
            fd = own.get(row[9])
            if fd is None:
                continue
            count += 1
            if count <= CONNS_MAX:
                shown.append(self._conn(fd, row))
        return {"count": count, "left_out": count - len(shown), "conns": shown}

    def _conn(self, fd: int, row: list[str]) -> dict[str, object]:
        """Fields of /proc/net/tcp: 1 local, 2 remote, 3 state, 4 queues, 9 inode (proc(5))."""
        local, local_port = _address(row[1])
        peer, peer_port = _address(row[2])
        send_queue, _, receive_queue = row[4].partition(":")
        return {
            "fd": fd,
            "kind": self._ports.get(local_port) or self._ports.get(peer_port, "other"),
            "state": STATES.get(row[3], row[3]),
            "local": f"{local}:{local_port}",
            "peer": f"{peer}:{peer_port}",
            "unread_bytes": int(receive_queue, 16),
            "unsent_bytes": int(send_queue, 16),
        }


def _wants_text(fields: bytes) -> bool:
    """`Accept` names text/plain and not JSON."""
    for line in fields.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"accept" and b"text/plain" in value and b"json" not in value:
            return True
    return False


def _own_sockets() -> dict[str, int]:
    """Inode → descriptor of this process's sockets."""
    from posix import readlink

    own = {}
    for fd in listdir("/proc/self/fd"):
        try:
            kind, _, inode = readlink(f"/proc/self/fd/{fd}").partition(":[")
        except OSError:
            # Closed since it was listed.
            continue
        if kind == "socket":
            own[inode.rstrip("]")] = int(fd)
    return own


def _sockets() -> Iterator[list[str]]:
    """Rows of all TCP sockets in this network namespace; those that there is no file of are left out."""
    for path in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        try:
            with open(path, encoding="ascii") as file:
                next(file, None)
                for line in file:
                    yield line.split()
        except OSError:
            continue


def _address(said: str) -> tuple[str, int]:
    """Address and port of `HEX:HEX`; the kernel writes the address as words of 4 bytes in its own order."""
    import _socket

    words, _, port = said.partition(":")
    raw = b"".join(int(words[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(words), 8))
    if raw.startswith(MAPPED):
        raw = raw[len(MAPPED) :]
    if len(raw) == 4:
        return _socket.inet_ntop(_socket.AF_INET, raw), int(port, 16)
    return f"[{_socket.inet_ntop(_socket.AF_INET6, raw)}]", int(port, 16)


def stacks() -> dict[str, object]:
    """Python's threads, innermost call first, and all threads as the kernel sees them, the engine's among them."""
    return {
        "python": {str(ident): _calls(frame) for ident, frame in sys._current_frames().items()},
        "kernel": list(_tasks()),
    }


def _calls(frame: FrameType | None) -> list[str]:
    calls = []
    while frame is not None:
        calls.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_qualname}")
        frame = frame.f_back
    return calls


def _tasks() -> Iterator[dict[str, object]]:
    """Fields of /proc/self/task/*/stat: 0 state, 11 and 12 CPU time in ticks (proc(5), after the name)."""
    from posix import sysconf

    ticks = sysconf("SC_CLK_TCK")
    try:
        tids = listdir("/proc/self/task")
    except OSError:
        return
    for tid in tids:
        try:
            with open(f"/proc/self/task/{tid}/stat", encoding="utf-8", errors="replace") as file:
                head, _, rest = file.read().rpartition(")")
            with open(f"/proc/self/task/{tid}/wchan", encoding="ascii") as file:
                waits_in = file.read()
        except OSError:
            # Ended since it was listed.
            continue
        row = rest.split()
        yield {
            "tid": int(tid),
            "name": head.partition("(")[2],
            "state": row[0],
            "cpu_s": (int(row[11]) + int(row[12])) / ticks,
            "waits_in": waits_in,
        }


def _lines(value: object, name: str) -> Iterator[str]:
    """A nested value as text: one line for each figure, or for each row of a list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            if isinstance(inner, dict) and not any(isinstance(one, (dict, list, tuple)) for one in inner.values()):
                yield " ".join(f"{key}={one}" for key, one in inner.items()) + "\n"
            else:
                yield from _lines(inner, f"{name}.{at}")
    else:
        yield f"{name} {value}\n"
