"""Demo app: a small real app of the standard library, in a process of its own, for the demonstration.

    /           says hello, and what it saw of the request
    /takes/MS    takes so many milliseconds
    /clock/N    N server-sent events, a quarter of a second apart
    /most       the most requests at /takes that were here at the same time

It prints its port, and ends with its standard input.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENT_S = 0.25


class Counter:
    """How many requests are at work, and the most that ever were."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.now -= 1


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    work = Counter()

    def do_GET(self) -> None:
        name, _, number = self.path.strip("/").partition("/")
        if name == "takes":
            with self.work:
                time.sleep(int(number) / 1000)
            self.say("text/plain", b"done\n")
        elif name == "clock":
            self.events(int(number))
        elif name == "most":
            self.say("text/plain", b"%d" % self.work.most)
        else:
            seen = {"you asked for": self.path, "by": self.request_version, "headers": dict(self.headers)}
            self.say("application/json", json.dumps(seen).encode())

    def say(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def events(self, count: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for n in range(count):
            event = b"data: %d\n\n" % n
            self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
            self.wfile.flush()
            time.sleep(EVENT_S)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Says nothing: the demonstration talks."""


class Server(ThreadingHTTPServer):
    request_queue_size = 256


def main() -> None:
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
