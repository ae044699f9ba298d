"""stream: a watch as an answer that does not end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from controller.local.api import answers, tables
from controller.local.api.kinds import Kind
from controller.local.api.selectors import Selection
from controller.local.api.status import ApiError
from controller.local.api.store import ADDED, Entry, decode, encode
from controller.local.api.watch import Event, Hub, Watcher, bookmark, line

Object = dict[str, Any]

BOOKMARK_S = 60.0
_LONGEST_S = (1800, 3600)
"""A watch without a time of its own ends after one between these, so that not all begin again at once."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """version  None: begin with the present objects. bookmarks  tell from time to time how far the watch is."""

    version: int | None = None
    initial: bool = False
    bookmarks: bool = False
    timeout_s: float | None = None


class WatchResponse(Response):
    """Lines of JSON, one for each change, until the time is up, the client leaves or the server ends."""

    def __init__(
        self, hub: Hub, kind: Kind, selection: Selection, options: WatchOptions, form: answers.Form,
        present: Iterable[Entry], now: int,
    ) -> None:  # fmt: skip
        super().__init__(media_type=answers.JSON)
        del self.headers["content-length"]
        self._hub = hub
        self._kind = kind
        self._form = form
        self._options = options
        self._present = list(present)
        self._now = now
        self._selection = selection
        self._has_heads = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        start = self._now if self._options.version is None else self._options.version
        try:
            watcher = self._hub.begin(self._kind.resource, self._selection, start)
        except ApiError as wrong:
            said = line("ERROR", encode(wrong.status()))
            await send({"type": "http.response.body", "body": said})
            return
        leaving = asyncio.create_task(_left(receive, watcher))
        try:
            # An empty first part sends the head at once: a client waits for it before it does anything else.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            async for body in self._lines(watcher):
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            leaving.cancel()
            self._hub.finish(watcher)

    async def _lines(self, watcher: Watcher) -> AsyncIterator[bytes]:
        if self._present:
            yield b"".join(self._shown(ADDED, entry.body) for entry in self._present)
            self._present = []
        if self._options.initial and self._options.bookmarks:
            yield self._bookmark(self._now, initial_ended=True)
        clock = asyncio.get_running_loop().time
        ends = clock() + (self._options.timeout_s or random.uniform(*_LONGEST_S))
        seen = self._now
        while not watcher.is_lost and (left := ends - clock()) > 0:
            events = await watcher.take(min(left, BOOKMARK_S))
            if events:
                seen = events[-1][1].version
                yield b"".join(self._line(type_, event) for type_, event in events)
            elif self._options.bookmarks and not watcher.is_lost:
                seen = max(seen, self._hub.version)
                yield self._bookmark(seen)

    def _line(self, type_: str, event: Event) -> bytes:
        if self._form.name == answers.PLAIN:
            return event.line(type_)
        return self._shown(type_, event.body_for(type_))

    def _shown(self, type_: str, body: bytes) -> bytes:
        if self._form.name == answers.PLAIN:
            return line(type_, body)
        found = decode(body)
        if self._form.name == answers.PARTIAL:
            return line(type_, encode(tables.partial(found)))
        version = found["metadata"].get("resourceVersion", "")
        table = tables.table(
            self._kind, iter([found]), self._form.include, version, with_heads=not self._has_heads,
        )  # fmt: skip
        self._has_heads = True
        return line(type_, encode(table))

    def _bookmark(self, version: int, *, initial_ended: bool = False) -> bytes:
        if self._form.name == answers.TABLE:
            table = tables.table(self._kind, iter([]), self._form.include, str(version), with_heads=False)
            mark = bookmark(self._kind.kind, self._kind.api_version, version, initial_ended=initial_ended)
            part = decode(mark)["object"]
            return line("BOOKMARK", encode({**table, "rows": [{"cells": [], "object": part}]}))
        if self._form.name == answers.PARTIAL:
            return bookmark(answers.PARTIAL, "meta.k8s.io/v1", version, initial_ended=initial_ended)
        return bookmark(self._kind.kind, self._kind.api_version, version, initial_ended=initial_ended)


async def _left(receive: Receive, watcher: Watcher) -> None:
    """Ends the watch when its client goes."""
    while (await receive())["type"] != "http.disconnect":
        pass
    watcher.end()
