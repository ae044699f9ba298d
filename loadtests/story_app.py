"""Story app: says which revision it is; `/takes/MS` takes that long. It listens where PORT says, like any app."""

from __future__ import annotations

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers with the name of its revision."""

    def do_GET(self) -> None:
        if self.path.startswith("/takes/"):
            time.sleep(int(self.path.removeprefix("/takes/")) / 1000)
        body = os.environ["K_REVISION"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: there is a log of requests before the app."""


class Server(ThreadingHTTPServer):
    """Takes as many callers at once as come."""

    request_queue_size = 128


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
