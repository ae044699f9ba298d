"""Logger: the process's own words as one JSON object per line, as zap writes them for Knative.

Written straight to a descriptor in one call per line, without `logging`,
`json` or `datetime`, which the sidecar does not load. A message that repeats
is held back and counted, so that a fault in a loop cannot fill a disk.
"""

from __future__ import annotations

import time
from _thread import allocate_lock
from posix import write

from dataplane.contract.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DEBUG, INFO, WARN, ERROR, FATAL = range(5)
LEVELS = {"debug": DEBUG, "info": INFO, "warn": WARN, "error": ERROR, "dpanic": FATAL, "panic": FATAL, "fatal": FATAL}
"""Level names in zap's spelling; it takes them in upper case too."""
LEVEL_NAMES = ("debug", "info", "warn", "error", "fatal")

STDERR = 2

REPEATS_MAX = 10
"""Lines with one message in a window; the rest of them is counted and told with the next one."""
WINDOW_NS = 10_000_000_000
MESSAGES_MAX = 256
"""Messages remembered at once. The texts are the program's own, so this is never reached but by a mistake."""

TIME_FORMS = ("iso8601", "rfc3339", "rfc3339nano", "epoch", "millis", "nanos")


class LogFormat(Record):
    """What is logged, and under which keys; an empty key leaves its part out."""

    level: int = INFO
    time_key: str = "timestamp"
    level_key: str = "severity"
    name_key: str = "logger"
    message_key: str = "message"
    level_capital: bool = False
    time_form: str = "iso8601"


class Logger:
    """Writes lines. Safe to call from any thread.

    clock_ns   Unix nanoseconds
    put        takes a descriptor and the bytes of a whole line; a line that
               it refuses is counted and told with the next one
    """

    __slots__ = ("_clock_ns", "_dropped_count", "_fd", "_fixed", "_lock", "_name", "_put", "_seen", "form")

    def __init__(
        self,
        form: LogFormat,
        name: str,
        fields: tuple[tuple[str, object], ...] = (),
        *,
        fd: int = STDERR,
        put: Callable[[int, bytes], int] = write,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.form = form
        self._name = name
        self._fixed = _members(fields)
        self._fd = fd
        self._put = put
        self._clock_ns = clock_ns
        self._lock = allocate_lock()
        self._seen: dict[str, list[int]] = {}
        self._dropped_count = 0

    def debug(self, message: str, **fields: object) -> None:
        self.log(DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        self.log(INFO, message, fields)

    def warn(self, message: str, **fields: object) -> None:
        self.log(WARN, message, fields)

    def error(self, message: str, **fields: object) -> None:
        self.log(ERROR, message, fields)

    def fatal(self, message: str, **fields: object) -> None:
        """Says why the process ends; ending it is the caller's."""
        self.log(FATAL, message, fields)

    def log(self, level: int, message: str, fields: dict[str, object]) -> None:
        """One line, unless the level is off or the message has been said too often just now."""
        if level < self.form.level:
            return
        now_ns = self._clock_ns()
        with self._lock:
            held_back = self._held_back(message, now_ns)
            if held_back < 0:
                return
            told = dict(fields)
            if held_back:
                told["repeats_held_back"] = held_back
            if self._dropped_count:
                told["lines_dropped"] = self._dropped_count
            line = self._line(level, now_ns, message, told)
            try:
                whole = self._put(self._fd, line) == len(line)
            except OSError:
                whole = False
            self._dropped_count = 0 if whole else self._dropped_count + 1

    def _held_back(self, message: str, now_ns: int) -> int:
        """How many times this message was held back before now; below 0: it is held back itself."""
        seen = self._seen.get(message)
        if seen is None:
            if len(self._seen) >= MESSAGES_MAX:
                self._seen.clear()
            self._seen[message] = [now_ns, 1, 0]
            return 0
        began_ns, said_count, held_count = seen
        if not 0 <= now_ns - began_ns < WINDOW_NS:
            seen[:] = [now_ns, 1, 0]
            return held_count
        if said_count < REPEATS_MAX:
            seen[1] += 1
            return 0
        seen[2] += 1
        return -1

    def _line(self, level: int, now_ns: int, message: str, fields: dict[str, object]) -> bytes:
        form = self.form
        name = LEVEL_NAMES[level]
        parts = (
            (form.level_key, name.upper() if form.level_capital else name),
            (form.time_key, _moment(now_ns, form.time_form)),
            (form.name_key, self._name),
            (form.message_key, message),
        )
        head = _members(tuple(part for part in parts if part[0]))
        members = ",".join(filter(None, (head, self._fixed, _members(tuple(fields.items())))))
        return ("{" + members + "}\n").encode("utf-8", "backslashreplace")


class Number(str):
    """A text that stands in JSON without quotes."""

    __slots__ = ()


def json_text(value: object) -> str:
    """A value as JSON: numbers, truth values and None as such, everything else as the string it prints."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Number)):
        return str(value)
    if isinstance(value, float) and value - value == 0.0:
        return repr(value)
    return '"' + "".join(_escaped(one) for one in str(value)) + '"'


def _escaped(one: str) -> str:
    if one in '"\\':
        return "\\" + one
    return one if one >= " " else f"\\u{ord(one):04x}"


def _members(fields: tuple[tuple[str, object], ...]) -> str:
    return ",".join(f"{json_text(key)}:{json_text(value)}" for key, value in fields)


def _moment(now_ns: int, form: str) -> str:
    """A moment in one of zap's forms; calendar times are UTC."""
    seconds, rest_ns = divmod(now_ns, 1_000_000_000)
    if form == "epoch":
        return Number(f"{seconds}.{rest_ns:09d}")
    if form == "millis":
        return Number(f"{now_ns // 1_000_000}.{now_ns % 1_000_000:06d}")
    if form == "nanos":
        return Number(str(now_ns))
    day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    if form == "rfc3339":
        return f"{day}Z"
    return f"{day}.{rest_ns:09d}Z" if form == "rfc3339nano" else f"{day}.{rest_ns // 1_000_000:03d}Z"
