"""Reports: what an activator and the autoscaler say to each other when both are ours.

The stat WebSocket with subprotocol `SUBPROTOCOL`, text frames, one JSON object
each. Whoever does not ask for it gets the records of `stat_batch` instead.

    activator   {"report": {...}}      every REPORT_S while something moves, and at once when a revision is wanted
    autoscaler  {"ready": {...}}       an instance serves now: send what waits, without a probe
    autoscaler  {"path": {...}}        which revisions go through activators only, so that the last pod may end
    activator   {"in_path": {...}}     from now on it answers for these

Counters only grow, for as long as `life` is the same: a lost or repeated
report changes nothing, and the receiver sees by `sequence` what is newer.
"""

from __future__ import annotations

from .document import COUNT_MAX, DocumentError, list_of, map_of, record_of, seconds, text, whole
from .record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

SUBPROTOCOL = "penstock.reports.v1"
REPORT_S = 0.1


class Counts(Record):
    """One revision, as one activator has seen it since its start."""

    requests: int = 0
    """Arrived."""
    busy_s: float = 0.0
    """Sum over all requests of the time since they came, waiting included: its growth by time is concurrency."""
    running: int = 0
    """Now at an instance."""
    waiting: int = 0
    """Now waiting for one."""


class Report(Record):
    """Revisions that were active since the last report."""

    sender: str
    """Name of the pod."""
    life: str
    """Another one after each start."""
    sequence: int
    time_s: float
    """Monotonic clock of the sender: for the growth of `busy_s`, not for comparing senders."""
    revisions: Mapping[str, Counts] = {}
    """By NAMESPACE/NAME."""


class Ready(Record):
    """An instance that serves from now on."""

    revision: str
    """NAMESPACE/NAME."""
    address: str
    port: int
    decided_s: float = 0.0
    """From the report that asked for it to the wish for it."""
    created_s: float = 0.0
    """From there to its app's first instruction."""
    started_s: float = 0.0
    """From there until the app listened."""
    ready_s: float = 0.0
    """From there to this word."""


class Path(Record):
    """Revisions whose requests come to activators only."""

    version: int
    revisions: tuple[str, ...] = ()
    """All of them, NAMESPACE/NAME."""


_COUNT = whole(0, COUNT_MAX)
_COUNTS = record_of(Counts, {"requests": _COUNT, "busy_s": seconds, "running": _COUNT, "waiting": _COUNT})
_REPORT = record_of(
    Report,
    {
        "sender": text,
        "life": text,
        "sequence": _COUNT,
        "time_s": seconds,
        "revisions": map_of(_COUNTS),
    },
)
_READY = record_of(
    Ready,
    {
        "revision": text,
        "address": text,
        "port": whole(1, 65535),
        "decided_s": seconds,
        "created_s": seconds,
        "started_s": seconds,
        "ready_s": seconds,
    },
)
_PATH = record_of(Path, {"version": _COUNT, "revisions": list_of(text)})
_READERS = {"report": _REPORT, "ready": _READY, "path": _PATH, "in_path": _PATH}


def read_message(value: object) -> tuple[str, Record]:
    """Name and content of a message.

    Raises  DocumentError for a message that is wrong, or that no version knows.
    """
    if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in _READERS:
        raise DocumentError([f"a message is an object with one of {', '.join(_READERS)}"])
    ((name, content),) = value.items()
    problems: list[str] = []
    read = _READERS[name](content, name, problems)
    if problems:
        raise DocumentError(problems)
    return name, read
