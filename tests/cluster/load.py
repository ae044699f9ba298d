"""Load: calls a service at a fixed rate until a line comes on its standard input, then tells as JSON what came of it.

    load.py HOST PORT RATE [NAME]

NAME is what requests call the host; without it, HOST.

Open loop: a request starts when it is due, whatever became of the ones before
it, and its time counts from then. Nothing is tried twice. Requests of several
kinds take turns, on kept connections and on new ones; each answer is checked
to the last byte. Runs in a pod, so that it needs the standard library alone.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

ANSWER_TIMEOUT_S = 30
UPLOAD = b"u" * 4096
SMALL = b"x" * 1024
EVENTS = b"".join(b"data: %d\n\n" % number for number in range(10))

KINDS = (
    ("get", "GET /takes/20", b"", SMALL, True),
    ("post", "POST /upload", UPLOAD, b"4096\n", True),
    ("get, new connection", "GET /takes/5", b"", SMALL, False),
    ("events", "GET /events/10", b"", EVENTS, True),
    ("post, new connection", "POST /upload", UPLOAD, b"4096\n", False),
    ("get, 1 s", "GET /takes/1000", b"", SMALL, True),
    ("get, 12 s", "GET /takes/12000", b"", SMALL, True),
)
"""Name, request line, body, the body that must come back, and whether on a kept connection."""

TIMED = 0
"""The kind whose times are told."""

TURNS = (0, 1, 2, 0, 3, 0, 4, 1, 2, 0, 1, 2, 0, 1, 4, 0, 2, 1, 0, 5)
"""Which kind is due, by the number of a request: one in twenty takes a second."""

LONG_EVERY = 200
"""One request in so many is of the last kind, and outlives much of what happens to its pod."""


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.requests = 0

    def is_usable(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing()

    async def exchange(self, head: str, body: bytes) -> tuple[int, bytes, bool]:
        """Status, body, and whether the connection may be kept."""
        self.requests += 1
        self.writer.write(head.encode() + body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        if fields.get("transfer-encoding") == "chunked":
            answer = await self.chunks()
        else:
            answer = await self.reader.readexactly(int(fields["content-length"]))
        return int(lines[0].split(" ")[1]), answer, fields.get("connection") != "close"

    async def chunks(self) -> bytes:
        pieces = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            pieces.append((await self.reader.readexactly(size + 2))[:-2])
        await self.reader.readexactly(2)
        return b"".join(pieces)


class Load:
    """What is kept: idle connections, times in milliseconds of one kind, and every failure with its cause."""

    def __init__(self, host: str, port: int, name: str) -> None:
        self.host, self.port, self.name = host, port, name
        self.idle: list[Connection] = []
        self.answered = self.opened = self.told_to_close = 0
        self.times_ms: list[float] = []
        self.failures: list[dict[str, object]] = []
        self.began = time.monotonic()

    async def connection(self, kept: bool) -> Connection:
        while kept and self.idle:
            connection = self.idle.pop()
            if connection.is_usable():
                return connection
            connection.writer.close()
        self.opened += 1
        return Connection(*await asyncio.open_connection(self.host, self.port))

    async def call(self, kind: int, due: float) -> None:
        name, line, body, expected, kept = KINDS[kind]
        connection = None
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                connection = await self.connection(kept)
                close = "" if kept else "Connection: close\r\n"
                head = f"{line} HTTP/1.1\r\nHost: {self.name}\r\n{close}Content-Length: {len(body)}\r\n\r\n"
                status, answer, reusable = await connection.exchange(head, body)
            if status != 200 or answer != expected:
                raise ConnectionError(f"status {status}, {len(answer)} bytes: {answer[:200]!r}")
        except (OSError, EOFError, ValueError, KeyError, TimeoutError) as error:
            self.failures.append(
                {
                    "second": round(due - self.began, 2),
                    "after_ms": round((time.monotonic() - due) * 1000),
                    "kind": name,
                    "requests_on_connection": connection.requests if connection else 0,
                    "cause": f"{type(error).__name__}: {error}",
                }
            )
            if connection:
                connection.writer.close()
            return
        self.answered += 1
        if kind == TIMED:
            self.times_ms.append((time.monotonic() - due) * 1000)
        if kept and reusable:
            self.idle.append(connection)
        else:
            self.told_to_close += kept
            connection.writer.close()

    async def run(self, rate: float, stopped: asyncio.Event) -> None:
        calls: set[asyncio.Task[None]] = set()
        number = 0
        while not stopped.is_set():
            due = self.began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            kind = TURNS[number % len(TURNS)] if number % LONG_EVERY else len(KINDS) - 1
            task = asyncio.create_task(self.call(kind, due))
            calls.add(task)
            task.add_done_callback(calls.discard)
            number += 1
        await asyncio.gather(*calls)

    def told(self) -> dict[str, object]:
        times = sorted(self.times_ms)
        return {
            "answered": self.answered,
            "failed": len(self.failures),
            "failures": self.failures,
            "connections": self.opened,
            "told_to_close": self.told_to_close,
            "seconds": round(time.monotonic() - self.began, 1),
            "p50_ms": round(times[len(times) // 2], 1) if times else None,
            "p99_ms": round(times[len(times) * 99 // 100], 1) if times else None,
        }


async def main(host: str, port: str, rate: str, name: str = "") -> None:
    load = Load(host, int(port), name or host)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    calling = asyncio.create_task(load.run(float(rate), stopped))
    await loop.run_in_executor(None, sys.stdin.readline)
    stopped.set()
    await calling
    print(json.dumps(load.told()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
