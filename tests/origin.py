"""Origin: the scriptable upstream; answers by itself, or hands its connections to the test.

By itself it runs a thread for each connection and answers by path: what
`answers`, `holds` or `runs` say, else 200 with the body "hello". With
`by_hand` it only listens, and the test takes each connection with `accept`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from tests.line import PATIENCE_S, Head, Line

Script = Callable[["Call"], None]

HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Hold:
    """A script that stops at one place until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.go = threading.Event()

    def wait(self) -> None:
        """In the origin's thread."""
        self.reached.release()
        assert self.go.wait(PATIENCE_S), "the test never let the origin go on"

    def until_reached(self) -> None:
        """In the test: the script has come to its stop, once for each call."""
        assert self.reached.acquire(timeout=PATIENCE_S), "the origin was never reached"

    def finish(self) -> None:
        self.go.set()


class Call:
    """One request at the origin, as a script sees it."""

    def __init__(self, line: Line, head: Head, count: Callable[[int], None]) -> None:
        self.line = line
        self.head = head
        self.count = count
        self.counted = True
        count(1)
        self.path = head.target.decode("latin-1")

    def body(self) -> bytes:
        """All of the request's body."""
        if self.head.get("Transfer-Encoding") == b"chunked":
            return self.line.chunks()[0]
        return self.line.read(int(self.head.get("Content-Length") or b"0"))

    def send(self, data: bytes) -> None:
        self.line.send(data)

    def finish(self, data: bytes) -> None:
        """The last bytes of the answer; the origin counts the request as over before the proxy can know it."""
        self.over()
        self.send(data)

    def over(self) -> None:
        if self.counted:
            self.counted = False
            self.count(-1)


class Origin:
    """A listener on 127.0.0.1 with a free port."""

    def __init__(self, by_hand: bool = False, backlog: int = 1024) -> None:
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(backlog)
        self.listener.settimeout(PATIENCE_S)
        self.port = self.listener.getsockname()[1]
        self.scripts: dict[str, Script] = {}
        self.lock = threading.Lock()
        self.heads: list[Head] = []
        self.lines: list[Line] = []
        self.running = 0
        self.most_running = 0
        self.threads: list[threading.Thread] = []
        self.problems: list[BaseException] = []
        self.closing = False
        if not by_hand:
            self.start(self.serve)

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # by hand

    def accept(self) -> Line:
        """The next connection; it is closed with the origin."""
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(sock)
        self.lines.append(line)
        return line

    def asked(self) -> Line:
        """The next connection, from which the head of its first request has been read."""
        line = self.accept()
        line.head()
        return line

    # by script

    def runs(self, path: str, script: Script) -> None:
        """The script answers every request for that path; its return keeps the connection, unless it closed it."""
        self.scripts[path] = script

    def answers(self, path: str, data: bytes) -> None:
        """These bytes, after the body of the request has come."""

        def script(call: Call) -> None:
            call.body()
            call.finish(data)

        self.runs(path, script)

    def holds(self, path: str, after: str = "request") -> Hold:
        """Answers 200 with the body "done", and stops before the head or ("head") before the body."""
        hold = Hold()

        def script(call: Call) -> None:
            call.body()
            if after == "head":
                call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            hold.wait()
            call.finish(b"done" if after == "head" else b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")

        self.runs(path, script)
        return hold

    def seen(self, path: str) -> int:
        """Requests for that path so far."""
        with self.lock:
            return sum(head.target.decode("latin-1") == path for head in self.heads)

    def last(self) -> Head:
        """The newest request's head."""
        with self.lock:
            return self.heads[-1]

    def count(self, change: int) -> None:
        """Requests that run here, and the most that ever did."""
        with self.lock:
            self.running += change
            self.most_running = max(self.most_running, self.running)

    # threads

    def start(self, run: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments, daemon=True)
        self.threads.append(thread)
        thread.start()

    def serve(self) -> None:
        while not self.closing:
            try:
                line = self.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.start(self.talk, line)

    def talk(self, line: Line) -> None:
        """Requests of one connection, one after the other, until it ends."""
        try:
            while True:
                line.sock.settimeout(None)  # a kept connection may rest; close() ends it
                head = line.head()
                line.sock.settimeout(PATIENCE_S)
                with self.lock:
                    self.heads.append(head)
                call = Call(line, head, self.count)
                try:
                    self.scripts.get(call.path, answer_hello)(call)
                finally:
                    call.over()
        except (EOFError, OSError):
            line.close()
        except BaseException as problem:
            if not self.closing:
                self.problems.append(problem)
            line.close()

    def close(self) -> None:
        """Ends everything; raises what a script met that nobody planned."""
        self.closing = True
        for end in [self.listener, *[line.sock for line in self.lines]]:
            with contextlib.suppress(OSError):  # it has ended already
                end.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(PATIENCE_S)
        for line in self.lines:
            line.close()
        self.listener.close()
        if self.problems:
            raise self.problems[0]


def answer_hello(call: Call) -> None:
    call.body()
    call.finish(HELLO)
