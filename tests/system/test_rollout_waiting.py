"""Rollout: requests that wait for a slot of the old revision are answered when the new one has taken over."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.upfixture import PATIENCE_S, machine

HOST = "slow.default.localhost"
WAITING = 5
APP = """
import http.server
import os
import time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(1)
        body = os.environ["WORD"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_requests_that_wait_outlive_the_route_to_their_revision(tmp_path: Path) -> None:
    """The target went with its last route, and those that waited for it stayed until their time was up."""
    with machine(tmp_path) as here, ThreadPoolExecutor(WAITING + 1) as pool:
        (tmp_path / "slow").mkdir()
        (tmp_path / "slow" / "app.py").write_text(APP)
        words = ("deploy", tmp_path / "slow", "--concurrency", 1, "--max-scale", 1)
        here.run(*words, "--env", "WORD=old")
        asked = [pool.submit(here.get, HOST) for _ in range(WAITING + 1)]
        here.run(*words, "--env", "WORD=new")
        assert here.get(HOST) == (200, "new")
        assert [one.result(PATIENCE_S)[0] for one in asked] == [200] * (WAITING + 1)
        assert (200, "old") in [one.result() for one in asked]
