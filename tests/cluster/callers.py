"""Callers: requests at a fixed rate on kept connections, each failure counted by its cause; nothing is tried again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

REQUEST = b"GET /work/5 HTTP/1.1\r\nHost: hello.penstock-test.example\r\n\r\n"
REQUESTS_PER_CONNECTION = 200
ANSWER_S = 30.0

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter, int]


class Callers:
    """Calls from `start` to `end`, in a thread of its own."""

    def __init__(self, address: str, port: int, per_second: int) -> None:
        self.address, self.port, self.per_second = address, port, per_second
        self.answered: Counter[int] = Counter()
        self.failed: Counter[str] = Counter()
        self.idle: list[Line] = []
        self.ending = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.call()))

    def start(self) -> None:
        self.thread.start()

    def end(self) -> None:
        """Waits for what is under way."""
        self.ending.set()
        self.thread.join()

    async def call(self) -> None:
        under_way = set()
        started, sent = time.monotonic(), 0
        while not self.ending.is_set():
            due = int((time.monotonic() - started) * self.per_second)
            while sent < due:
                task = asyncio.create_task(self.one())
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                sent += 1
            await asyncio.sleep(1 / self.per_second)
        await asyncio.gather(*under_way)
        for _, writer, _ in self.idle:
            writer.close()

    async def one(self) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                status = await self.exchange()
        except (OSError, asyncio.IncompleteReadError, ValueError, IndexError) as error:
            self.failed[f"{type(error).__name__}: {error}"] += 1
        else:
            self.answered[status] += 1
            if status != 200:
                self.failed[f"status {status}"] += 1

    async def exchange(self) -> int:
        """The status of one request, its body read."""
        if self.idle:
            reader, writer, count = self.idle.pop()
        else:
            reader, writer = await asyncio.open_connection(self.address, self.port)
            count = 0
        is_kept = False
        try:
            writer.write(REQUEST)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            lines = head.split(b"\r\n")
            fields = dict(line.split(b": ", 1) for line in lines[1:] if line)
            await reader.readexactly(int(fields[b"content-length"]))
            is_kept = fields.get(b"connection") != b"close" and count < REQUESTS_PER_CONNECTION
            return int(lines[0].split()[1])
        except KeyError as error:
            raise ValueError(f"no {error} in the answer {head!r}") from None
        finally:
            if is_kept:
                self.idle.append((reader, writer, count + 1))
            else:
                writer.close()
