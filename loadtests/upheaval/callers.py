"""Callers: clients with kept connections who ask on and on, and count what becomes of each request.

A request is repeated only when a reused connection was closed before the first
byte of an answer. Everything else that is no 200 has failed, with its cause.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import datetime

import httptools

ADDRESS = "127.0.0.1"
PATIENCE_S = 60.0
"""Longer than anything that is meant to be waited for."""
SHOWN_MAX = 20
CAUSES_MAX = 1_000
"""Failures that are kept with their time."""


class Refused(Exception):
    """No answer; the text is the cause."""


class Unanswered(Refused):
    """The connection was closed before the first byte of an answer."""


class Answer(asyncio.Protocol):
    """One connection, one answer at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.status = 0
        self.body = b""
        self.fields: dict[bytes, bytes] = {}
        self.is_closed = False
        self._begun = False
        self._done: asyncio.Future[None] | None = None
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def ask(self, request: bytes) -> None:
        """Sends, and returns when the answer is whole. Raises Refused, TimeoutError."""
        assert self.transport is not None
        self._done = asyncio.get_running_loop().create_future()
        self._begun, self.body, self.fields = False, b"", {}
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(request)
        async with asyncio.timeout(PATIENCE_S):
            await self._done

    def data_received(self, data: bytes) -> None:
        self._begun = True
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(Refused(f"no HTTP: {error}"))

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if not self._parser.should_keep_alive():
            self.close()
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_closed = True
        why = f"connection closed{f': {exc}' if exc else ''}"
        self._fail(Refused(f"{why} in the middle of an answer") if self._begun else Unanswered(why))

    def close(self) -> None:
        self.is_closed = True
        if self.transport is not None:
            self.transport.close()

    def _fail(self, error: Refused) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_exception(error)


@dataclass
class Counts:
    """What became of the requests."""

    answered: int = 0
    repeated: int = 0
    running: int = 0
    longest_s: float = 0.0
    causes: Counter[str] = field(default_factory=Counter)
    failures: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=CAUSES_MAX))
    """When, of the monotonic clock, and why."""

    @property
    def failed(self) -> int:
        return self.causes.total()

    def fail(self, cause: str) -> None:
        self.causes[cause] += 1
        self.failures.append((time.monotonic(), cause))
        if self.failed <= SHOWN_MAX:
            print(f"    {datetime.now():%H:%M:%S.%f}  {cause}", flush=True)


class Callers:
    """Those of one service. `level` of them ask now; the others have closed their connections."""

    def __init__(self, port: int, host: str, path: str, counts: Counts) -> None:
        self._port = port
        self._request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._counts = counts
        self._tasks: list[asyncio.Task[None]] = []
        self._leaving: list[asyncio.Event] = []
        self._host = host

    def level(self, count: int) -> None:
        """So many from now on; the others finish their request first."""
        while len(self._leaving) > count:
            self._leaving.pop().set()
        while len(self._leaving) < count:
            leave = asyncio.Event()
            self._leaving.append(leave)
            self._tasks = [task for task in self._tasks if not task.done()]
            self._tasks.append(asyncio.create_task(self._ask_on(leave)))

    async def end(self) -> None:
        """Nobody asks any more."""
        self.level(0)
        await asyncio.gather(*self._tasks)

    async def _ask_on(self, leave: asyncio.Event) -> None:
        connection: Answer | None = None
        while not leave.is_set():
            began_s = time.monotonic()
            self._counts.running += 1
            try:
                connection = await self._once(connection)
            except (Refused, OSError, TimeoutError) as error:
                connection = None
                self._counts.fail(f"{self._host}: {type(error).__name__} {error}")
                await asyncio.sleep(0.01)
            finally:
                self._counts.running -= 1
                self._counts.longest_s = max(self._counts.longest_s, time.monotonic() - began_s)
        if connection is not None:
            connection.close()

    async def _once(self, connection: Answer | None) -> Answer:
        """One request, on that connection when it is still open. Raises Refused, OSError, TimeoutError."""
        if connection is not None and not connection.is_closed:
            try:
                return await self._judged(connection)
            except Unanswered:
                self._counts.repeated += 1
        loop = asyncio.get_running_loop()
        _, fresh = await loop.create_connection(Answer, ADDRESS, self._port)
        return await self._judged(fresh)

    async def _judged(self, connection: Answer) -> Answer:
        try:
            await connection.ask(self._request)
        except TimeoutError:
            connection.close()
            raise Refused(f"no answer within {PATIENCE_S:g} s") from None
        if connection.status != 200:
            self._counts.fail(f"{self._host}: {connection.status} {connection.body.decode(errors='replace').strip()}")
        else:
            self._counts.answered += 1
        return connection
