"""kubeapi_client: talks to an API server for one case, and writes down what it answers in a form that compares."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx

Object = dict[str, Any]

JSON_PATCH, MERGE, STRATEGIC, APPLY = (
    "application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)  # fmt: skip

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_ADDRESS = re.compile(r"\b(10\.65|127\.2[45]\d)\.\d+\.\d+\b")
_MADE = re.compile(r"(made-)[a-z0-9]{5}\b")


class Answer:
    """One answer: status, body, warnings."""

    def __init__(self, status: int, body: Any, warnings: list[str]) -> None:
        self.status = status
        self.body = body
        self.warnings = warnings

    @property
    def version(self) -> str:
        version: str = self.body["metadata"]["resourceVersion"]
        return version

    @property
    def uid(self) -> str:
        uid: str = self.body["metadata"]["uid"]
        return uid


class Case:
    """A namespace of its own on one server, and the transcript of what was said."""

    def __init__(self, http: httpx.Client, namespace: str) -> None:
        self.http = http
        self.namespace = namespace
        self.transcript: list[Any] = []
        self.excuse = ""
        self._uids: dict[str, str] = {}

    def at(self, plural: str, name: str = "", sub: str = "") -> str:
        """The address of `configmaps`, `apps/deployments`, `cases.penstock.dev/widgets`, …"""
        group, _, plural = plural.rpartition("/")
        root = f"/apis/{group}/v1" if group else "/api/v1"
        return "/".join(filter(None, [f"{root}/namespaces/{self.namespace}/{plural}", name, sub]))

    def call(
        self, method: str, path: str, body: Any = None, *, media: str = "application/json", accept: str = "",
        quiet: bool = False, **query: str,
    ) -> Answer:  # fmt: skip
        """One request. quiet  its answer does not count: the two servers may differ here."""
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": media} if content is not None else {}
        if accept:
            headers["Accept"] = accept
        found = self.http.request(method, path, content=content, headers=headers, params=query)
        try:
            said = found.json()
        except ValueError:
            said = found.text
        answer = Answer(found.status_code, said, found.headers.get_list("warning"))
        if not quiet:
            self.note(method, answer.status, said, *answer.warnings)
        return answer

    def note(self, *said: Any) -> None:
        self.transcript.append(self.plain(list(said)))

    def cannot(self, why: str) -> None:
        """This server cannot answer the question where it runs; there is nothing to compare."""
        self.excuse = why

    def get(self, plural: str, name: str = "", sub: str = "", **more: Any) -> Answer:
        return self.call("GET", self.at(plural, name, sub), **more)

    def create(self, plural: str, body: Any, **more: Any) -> Answer:
        return self.call("POST", self.at(plural), body, **more)

    def put(self, plural: str, name: str, body: Any, sub: str = "", **more: Any) -> Answer:
        return self.call("PUT", self.at(plural, name, sub), body, **more)

    def patch(self, plural: str, name: str, body: Any, media: str = MERGE, sub: str = "", **more: Any) -> Answer:
        return self.call("PATCH", self.at(plural, name, sub), body, media=media, **more)

    def apply(self, plural: str, name: str, body: Any, manager: str = "one", **more: Any) -> Answer:
        return self.patch(plural, name, body, APPLY, fieldManager=manager, **more)

    def delete(self, plural: str, name: str = "", body: Any = None, **more: Any) -> Answer:
        return self.call("DELETE", self.at(plural, name), body, **more)

    def watch(self, plural: str, count: int, *, accept: str = "", **query: str) -> list[Object]:
        """The first events of a watch, which must come within a few seconds."""
        return self.watch_until(plural, lambda events: len(events) >= count, accept=accept, **query)

    def watch_until(
        self, plural: str, enough: Callable[[list[Object]], bool], *, accept: str = "", **query: str
    ) -> list[Object]:
        params = {"watch": "true", "timeoutSeconds": "20", **query}
        headers = {"Accept": accept} if accept else {}
        events: list[Object] = []
        with self.http.stream("GET", self.at(plural), params=params, headers=headers, timeout=25) as stream:
            status = stream.status_code
            if status != 200:
                stream.read()
                self.note("WATCH", status, stream.json())
                return []
            for text in stream.iter_lines():
                if text:
                    events.append(json.loads(text))
                if enough(events):
                    break
        self.note("WATCH", status, events)
        return events

    def until_gone(self, plural: str, name: str) -> None:
        """Waits for the end of an object that others finish."""
        found = self.get(plural, name, quiet=True)
        if found.status == 404:
            return
        version = found.version
        params = {"watch": "true", "timeoutSeconds": "60", "fieldSelector": f"metadata.name={name}"}
        params["resourceVersion"] = version
        with self.http.stream("GET", self.at(plural), params=params, timeout=65) as stream:
            for text in stream.iter_lines():
                if text and json.loads(text)["type"] == "DELETED":
                    return
        raise AssertionError(f"{plural} {name} stays")

    def plain(self, value: Any, key: str = "") -> Any:
        """A value without what differs from run to run: times, uids, versions, addresses."""
        if isinstance(value, dict):
            return {
                self.plain(name): self.plain(each, name)
                for name, each in sorted(value.items())
                if name not in _LEFT_OUT
            }
        if isinstance(value, list):
            items = [self.plain(each) for each in value]
            return sorted(items, key=json.dumps) if key in _UNORDERED else items
        if isinstance(value, str):
            if key == "resourceVersion":
                return "VERSION" if value else ""
            value = _UID.sub(lambda match: self._uids.setdefault(match[0], f"UID-{len(self._uids)}"), value)
            value = _MADE.sub(r"\1XXXXX", value)
            return _ADDRESS.sub("ADDRESS", _TIME.sub("TIME", value))
        return value


_LEFT_OUT = frozenset(["storageVersionHash", "tolerations", "priority", "preemptionPolicy"])
"""A hash of no meaning, and what the scheduler's admission adds to pods: one machine schedules nothing."""

_UNORDERED = frozenset(["managedFields", "verbs", "subresources"])
