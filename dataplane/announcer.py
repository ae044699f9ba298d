"""Announcer: tells the autoscaler, once, that the pod can serve (contract.announcement).

Loaded only where a setting says whom to tell. All of it happens on a thread of
its own, and nothing that goes wrong there concerns the pod: the activator's
probe finds out a little later.
"""

from __future__ import annotations

from _thread import allocate_lock, start_new_thread
from time import monotonic_ns

from dataplane.contract.announcement import PATH
from dataplane.logs import INFO, WARN, json_text
from dataplane.probing.conn import NS_PER_S, Conn, ProbeFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dataplane.config.schema import Announce, Identity, Readiness
    from dataplane.probes import Prober

LOOK_S = 0.2
"""Between two looks at an app that is not ready: the activator's own rhythm."""

PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Between two attempts to tell it. After them the endpoints have long said the same."""

ATTEMPT_NS = 2 * NS_PER_S
TOKEN_BYTES_MAX = 16 * 1024
FINAL = (400, 401, 403, 404)
"""Another attempt would get the same answer."""

FAILED = "The autoscaler was not told that this pod is ready."


class Announcer:
    """One pod's only announcement.

    tell  takes a level, a message and its fields, as `Logger.log` does; from any thread
    """

    __slots__ = ("_announce", "_body", "_prober", "_success_count", "_tell", "_waits")

    def __init__(
        self,
        announce: Announce,
        identity: Identity,
        readiness: Readiness,
        prober: Prober,
        tell: Callable[[int, str, dict[str, object]], None],
    ) -> None:
        said = {
            "pod": f"{identity.namespace}/{identity.pod}",
            "revision": f"{identity.namespace}/{identity.revision}",
            "address": identity.pod_ip,
        }
        self._announce = announce
        self._body = "{" + ",".join(f"{json_text(key)}:{json_text(value)}" for key, value in said.items()) + "}"
        self._prober = prober
        # An aggressive round counts its successes itself; of the others each call is one.
        periodic = [probe.success_threshold for probe in readiness.probes if probe.period_s]
        self._success_count = max(periodic, default=1)
        self._tell = tell
        self._waits = allocate_lock()
        """Held until the pod leaves."""
        self._waits.acquire()

    def start(self) -> None:
        """Returns at once."""
        try:
            start_new_thread(self._run, ())
        except RuntimeError as wrong:
            self._tell(WARN, FAILED, {"error": str(wrong)})

    def end(self) -> None:
        """The pod leaves: what has not been said is not said any more."""
        if self._waits.locked():
            self._waits.release()

    def _run(self) -> None:
        try:
            why = self._attempts() if self._becomes_ready() else ""
        except Exception as wrong:
            # A mistake of ours must not end the process.
            why = repr(wrong)
        if why:
            self._tell(WARN, FAILED, {"autoscaler": self._announce.place, "error": why})

    def _becomes_ready(self) -> bool:
        """False when the pod leaves before that."""
        in_a_row = 0
        while True:
            asked = Asked()
            self._prober.ask(asked)
            in_a_row = in_a_row + 1 if asked.is_ready() else 0
            if in_a_row >= self._success_count:
                return True
            if self._ended_within(LOOK_S):
                return False

    def _attempts(self) -> str:
        """Why it could not be told; empty when it was."""
        why = ""
        for pause_s in (0.0, *PAUSES_S):
            if self._ended_within(pause_s):
                return ""
            try:
                status = self._post()
            except (ProbeFailed, OSError) as wrong:
                why = str(wrong)
                continue
            if 200 <= status < 300:
                self._tell(INFO, "The autoscaler knows that this pod is ready.", {})
                return ""
            why = f"the answer was {status}"
            if status in FINAL:
                return why
        return why

    def _post(self) -> int:
        """The status of the answer. The token is read each time, as kubelet renews it."""
        with open(self._announce.token_file, "rb") as file:
            token = file.read(TOKEN_BYTES_MAX).strip()
        body = self._body.encode()
        conn = Conn(self._announce.host, self._announce.port, monotonic_ns() + ATTEMPT_NS)
        try:
            conn.send(
                f"POST {PATH} HTTP/1.1\r\nHost: {self._announce.place}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nAuthorization: Bearer ".encode()
                + token + b"\r\n\r\n" + body
            )  # fmt: skip
            version, _, rest = conn.line().partition(b" ")
        finally:
            conn.close()
        digits = rest[:3]
        if not version.startswith(b"HTTP/1.") or not digits.isdigit():
            raise ProbeFailed("the answer is not HTTP/1")
        return int(digits)

    def _ended_within(self, seconds: float) -> bool:
        if not self._waits.acquire(timeout=seconds):
            return False
        self._waits.release()
        return True


class Asked:
    """A call that the prober answers."""

    __slots__ = ("_done", "_status")

    def __init__(self) -> None:
        self._status = 0
        self._done = allocate_lock()
        self._done.acquire()

    def answer(self, status: int, _fields: bytes, _body: bytes) -> None:
        self._status = status
        self._done.release()

    def is_ready(self) -> bool:
        """Waits for the answer."""
        with self._done:
            return self._status == 200
