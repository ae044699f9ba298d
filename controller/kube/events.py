"""Events: tells people, by Kubernetes Events, what happened to an object; nothing waits for them.

What is said again is counted in the Event that is there, and at most once in
`REPEAT_S`: an object that fails in a loop must not fill the API server.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

from dataplane.kube.client import Client
from dataplane.kube.errors import KubeError, NotFound
from dataplane.kube.resource import EVENTS

log = logging.getLogger("penstock.events")

NORMAL, WARNING = "Normal", "Warning"

REPEAT_S = 60.0
KEPT_MAX = 4_096
"""Events that are remembered, to be counted when they are said again."""
WAITING_MAX = 1_024
"""Events that wait to be written; more are dropped."""
MESSAGE_MAX = 1_024
"""Characters; the API server's own bound."""
NAME_MAX = 230
"""Characters of the object's name in the Event's: both fit into 253."""


class Meta(Protocol):
    """Which object it is."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def resource_version(self) -> str: ...


class Subject(Protocol):
    """What an Event is about."""

    @property
    def api_version(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def metadata(self) -> Meta: ...


Key = tuple[str, str, str, str]


@dataclass(slots=True)
class _Told:
    """One Event that was written, or waits to be."""

    namespace: str
    name: str
    body: dict[str, Any]
    count: int = 1
    written: int = 0
    again_s: float = 0.0
    """Until then it is only counted."""


class Recorder:
    """Writes the Events of one program."""

    def __init__(self, client: Client, component: str) -> None:
        self._client = client
        self._component = component
        self._told: OrderedDict[Key, _Told] = OrderedDict()
        self._waiting: asyncio.Queue[_Told] = asyncio.Queue(WAITING_MAX)

    def normal(self, subject: Subject, reason: str, message: str) -> None:
        """Something went as it should."""
        self._say(subject, NORMAL, reason, message)

    def warning(self, subject: Subject, reason: str, message: str) -> None:
        """Something did not."""
        self._say(subject, WARNING, reason, message)

    async def run(self) -> None:
        """Writes, until cancelled. An Event that cannot be written is lost."""
        while True:
            told = await self._waiting.get()
            try:
                await self._write(told)
            except KubeError as error:
                log.debug("event %s/%s is lost: %s", told.namespace, told.name, error)

    def _say(self, subject: Subject, severity: str, reason: str, message: str) -> None:
        meta, now_s = subject.metadata, time.time()
        key = (meta.uid, severity, reason, message)
        told = self._told.get(key)
        if told is None:
            told = self._told[key] = _event(subject, severity, reason, message, self._component)
            if len(self._told) > KEPT_MAX:
                self._told.popitem(last=False)
        else:
            self._told.move_to_end(key)
            told.count += 1
            told.body["lastTimestamp"] = _time(now_s)
            if now_s < told.again_s:
                return
        told.again_s = now_s + REPEAT_S
        if self._waiting.full():
            log.warning("too many events: %s of %s/%s is left out", reason, meta.namespace, meta.name)
            return
        self._waiting.put_nowait(told)

    async def _write(self, told: _Told) -> None:
        count = told.count
        if told.written:
            change = {"count": count, "lastTimestamp": told.body["lastTimestamp"]}
            try:
                await self._client.patch(EVENTS, told.namespace, told.name, change, dict[str, Any])
            except NotFound:
                told.written = 0
        if not told.written:
            await self._client.create(EVENTS, told.namespace, {**told.body, "count": count}, dict[str, Any])
        told.written = count


def _event(subject: Subject, severity: str, reason: str, message: str, component: str) -> _Told:
    meta, now = subject.metadata, time.time()
    namespace = meta.namespace or "default"
    name = f"{meta.name[:NAME_MAX]}.{time.time_ns():x}"
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": subject.api_version,
            "kind": subject.kind,
            "name": meta.name,
            "namespace": meta.namespace,
            "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        },
        "type": severity,
        "reason": reason,
        "message": message[:MESSAGE_MAX],
        "source": {"component": component},
        "firstTimestamp": _time(now),
        "lastTimestamp": _time(now),
    }
    return _Told(namespace, name, body)


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
