"""Origin: the fastest honest upstream, for cleartext HTTP/1.1 or h2c.

HTTP/1.1 is our own epoll server (`origin.c`); h2c is nghttpd with two files.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from loadtests.process import Process, free_port
from loadtests.tools import program, tool

ADDRESS = "127.0.0.1"


class Origin:
    """A running upstream on a port of its own, pinned to `cpu` when given."""

    def __init__(self, *, h2c: bool = False, cpu: int | None = None) -> None:
        self.port = free_port(ADDRESS)
        self._files: tempfile.TemporaryDirectory[str] | None = None
        if h2c:
            self._files = tempfile.TemporaryDirectory(prefix="penstock-origin-")
            Path(self._files.name, "1k").write_bytes(b"x" * 1024)
            files = ["--htdocs", self._files.name, "--address", ADDRESS, "--no-tls", "--workers=1"]
            argv = [program("nghttpd"), *files, "--max-concurrent-streams=1024", str(self.port)]
        else:
            argv = [str(tool("origin")), ADDRESS, str(self.port)]
        self.process = Process(argv, cpu=cpu)
        self.process.wait_listening(ADDRESS, self.port)

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        if self._files is not None:
            self._files.cleanup()
