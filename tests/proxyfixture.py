"""Proxy: an engine with a plan like the sidecar's, on free ports, in the test's own process."""

from __future__ import annotations

import threading
from typing import Any

from ext.engine import Engine
from ext.plan import Plan
from ext.stats.shard import counter_names
from tests.line import Answer, Head, Line, dial
from tests.waiting import until

NS_PER_S = 1_000_000_000
MAIN, ADMIN = 0, 1
LABEL_MAIN, LABEL_ADMIN = 0, 2

BOUNDS = {
    "head_max": 1 << 20,
    "response_head_max": 10 << 20,
    "fields_max": 1000,
    "observe": False,
    "head_timeout_ns": 60 * NS_PER_S,
    "idle_timeout_ns": 0,
    "linger_timeout_ns": 5 * NS_PER_S,
    "drain_max": 256 << 10,
    "h2_streams_max": 250,
    "h2_window_bytes": 1 << 20,
    "h2_resets_max": 5000,
    "h2_control_max": 100000,
    "h2_period_ns": 10 * NS_PER_S,
    "buffers_max": 32 << 20,
    "connect_timeout_ns": 20 * NS_PER_S,
    "labels_max": 200,
    "journal_bytes": 0,
}
"""What the sidecar sets when nobody says otherwise."""

LABELS = {name: labels for name, labels in counter_names() if labels}


class Sent:
    """A request on a connection of its own."""

    def __init__(self, line: Line, method: str) -> None:
        self.line = line
        self.method = method
        self.first: Head | None = None

    def head(self) -> Head:
        """The head of the final answer."""
        if self.first is None:
            self.first = self.line.head()
            while self.first.status < 200:
                self.first = self.line.head()
        return self.first

    def body(self) -> bytes:
        head = self.head()
        if self.method == "HEAD" or head.status in (204, 304):
            return b""
        return self.line.body_of(head)[0]

    def answer(self) -> Answer:
        return Answer(self.head(), self.body(), [])

    def leave(self) -> None:
        self.line.close()


class Proxy:
    """Runs from its making to `close`.

    port, admin    of the main listener, and of the one that Python answers
    ready          what readiness probes are told
    keeping        calls for Python are put into kept_calls instead of being answered
    app            port of the app; None: a port where nobody listens
    bounds         fields of BOUNDS that are to be different
    """

    def __init__(
        self,
        app: int,
        *,
        workers: int = 1,
        running_max: int = 0,
        waiting_max: int | None = None,
        request_s: float = 300,
        start_s: float = 0,
        idle_s: float = 0,
        protocol: str = "follow",
        idle_max: int = 1000,
        trusted: tuple[tuple[bytes, int], ...] = (),
        host: str = "127.0.0.1",
        **bounds: Any,
    ) -> None:
        unknown = bounds.keys() - BOUNDS.keys()
        assert not unknown, f"no such bounds: {unknown}"
        self.running_max = running_max
        self.target = {
            "endpoints": [("127.0.0.1", app)],
            "idle_max": idle_max,
            "running_max": running_max,
            "waiting_max": 10 * running_max if waiting_max is None else waiting_max,
            "request_ns": int(request_s * NS_PER_S),
            "start_ns": int(start_s * NS_PER_S),
            "idle_ns": int(idle_s * NS_PER_S),
            "protocol": protocol,
        }
        self.trusted = trusted
        self.version = 0
        self.lines: list[Line] = []
        self.ready = True
        self.keeping = False
        self.kept_calls: list[Any] = []
        self.engine = Engine(workers, {**BOUNDS, **bounds})
        self.engine.start(self.plan())
        self.port = self.engine.listen(MAIN, host, 0)
        self.admin = self.engine.listen(ADMIN, host, 0)
        self.answering = True
        self.answerer = threading.Thread(target=self.answer_calls, daemon=True)
        self.answerer.start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def plan(self) -> Plan:
        self.version += 1
        return Plan(
            self.engine.live,
            version=self.version,
            targets={"app": self.target},
            services={MAIN: (LABEL_MAIN, "app"), ADMIN: (LABEL_ADMIN, None)},
            trusted=self.trusted,
        )

    def apply(self, **changes: Any) -> None:
        """A new plan whose target differs in these fields."""
        self.target = {**self.target, **changes}
        self.engine.apply(self.plan())

    def answer_calls(self) -> None:
        """The control thread: readiness probes and the admin port."""
        while self.answering:
            for call in self.engine.wait(20):
                self.answer_call(call)
            call = None  # a call that nobody holds is answered by the engine

    def answer_call(self, call: Any) -> None:
        if self.keeping:
            self.kept_calls.append(call)
        elif call.listener == MAIN:
            call.answer(*((200, b"", b"queue") if self.ready else (503, b"", b"")))
        else:
            call.answer(200, b"Content-Type: text/plain\r\n", b"admin:" + call.target)

    # callers

    def connect(self, receive_bytes: int = 0, source: str | None = None, port: int | None = None) -> Line:
        """A raw connection; it is closed with the proxy."""
        line = dial(self.port if port is None else port, receive_bytes=receive_bytes, source=source)
        self.lines.append(line)
        return line

    def saying(self, data: bytes) -> Line:
        """A raw connection on which this has been sent."""
        line = self.connect()
        line.send(data)
        return line

    def send(self, request: str, *fields: str, body: bytes = b"") -> Sent:
        """ "GET /path" on a connection of its own, with Host, these fields, and the body's length if it has one."""
        line = self.connect()
        line.send(request_bytes(request, *fields, body=body))
        return Sent(line, request.split(" ")[0])

    def get(self, path: str = "/", *fields: str) -> Answer:
        return self.send(f"GET {path}", *fields).answer()

    # what it says about itself

    def snapshot(self) -> dict[str, Any]:
        """All workers together; counters with labels as dicts without their zeros."""
        workers = self.engine.snapshot()
        flat: dict[str, Any] = {}
        for name, first in workers[0]["counters"].items():
            if isinstance(first, list):
                rows = zip(*(worker["counters"][name] for worker in workers), strict=True)
                sums = dict(zip(LABELS[name], (sum(row) for row in rows), strict=True))
                flat[name] = {label: n for label, n in sums.items() if n}
            else:
                flat[name] = sum(worker["counters"][name] for worker in workers)
        flat["conns"] = sum(worker["conns"] for worker in workers)
        flat["load"] = sum(worker["load"][1] for worker in workers)
        pending = self.engine.live.pending("app") or 0
        flat["pending"] = pending
        flat["running"] = min(pending, self.running_max) if self.running_max else flat["load"]
        flat["waiting"] = max(0, pending - self.running_max) if self.running_max else 0
        flat["buffers"] = self.engine.buffers()
        return flat

    def until(self, **wanted: Any) -> dict[str, Any]:
        """Waits until the snapshot has these values; a callable decides by itself. Fails with the whole snapshot."""

        def fitting() -> dict[str, Any] | None:
            now = self.snapshot()
            fits = all(want(now[name]) if callable(want) else now[name] == want for name, want in wanted.items())
            return now if fits else None

        return until(fitting, lambda: f"{wanted} in {self.snapshot()}")

    # the end

    def close(self) -> None:
        """Stops the engine, once; no buffer may be in use afterwards."""
        if not self.answering:
            return
        for line in self.lines:
            line.close()
        self.answering = False
        self.answerer.join()
        self.engine.stop()
        assert self.engine.buffers() == 0, f"{self.engine.buffers()} bytes of buffers after the stop"


def request_bytes(request: str, *fields: str, body: bytes = b"") -> bytes:
    """A request with Host, these fields, and the length of its body if it has one."""
    lines = [f"{request} HTTP/1.1", "Host: test.example", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body
