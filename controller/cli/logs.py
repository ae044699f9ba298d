"""Logs: what the pods of a service print, as they print it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated

import msgspec
import typer

from controller.api.core import Pod
from controller.api.meta import SERVICE_LABEL
from controller.cli.options import AsOutput, Namespace, Output, StateDir, home_of
from controller.cli.problem import Problem, reported
from controller.cli.session import Session, session
from controller.local.home import Home
from dataplane.kube.errors import KubeError
from dataplane.kube.resource import PODS
from dataplane.kube.watch import Changed, Deleted, watch

APP = "user-container"


@reported
def logs(
    name: Annotated[str, typer.Argument(help="Service.", show_default=False)],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on, also with pods that are new.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="Only so many lines of each pod.")] = None,
    container: Annotated[str, typer.Option("--container", "-c", help="Such as queue-proxy; usually the app.")] = "",
    namespace: Namespace = "default",
    state_dir: StateDir = None,
    output: AsOutput = Output.TEXT,
) -> None:
    """Show what the pods of a service print."""
    query = {"container": container} if container else {}
    if tail is not None:
        query["tailLines"] = str(tail)
    reader = Reader(namespace, name, query, output)
    asyncio.run(reader.follow(home_of(state_dir)) if follow else reader.once(home_of(state_dir)))


class Reader:
    """Prints lines, each with its pod where there are several."""

    def __init__(self, namespace: str, name: str, query: dict[str, str], output: Output) -> None:
        self._namespace = namespace
        self._name = name
        self._query = query
        self._output = output
        self._labels = f"{SERVICE_LABEL}={name}"

    async def once(self, home: Home) -> None:
        async with session(home) as opened:
            await opened.service(self._namespace, self._name)
            pods, _ = await opened.client.list(PODS, Pod, self._namespace, labels=self._labels)
            if not pods and self._output == Output.TEXT:
                fix = f"a request makes one; penstock logs -f {self._name} waits for it"
                raise Problem(f"{self._name} has no pod now: it is at zero", fix)
            for pod in sorted(pods, key=lambda one: one.name):
                await self._read(opened, pod.name, self._query)

    async def follow(self, home: Home) -> None:
        """Until interrupted, or the API server has gone."""
        async with session(home) as opened, asyncio.TaskGroup() as group:
            await opened.service(self._namespace, self._name)
            known: set[str] = set()
            async for event in watch(opened.client, PODS, Pod, self._namespace, labels=self._labels):
                if isinstance(event, Deleted):
                    known.discard(event.item.name)
                    continue
                for pod in [event.item] if isinstance(event, Changed) else event.items:
                    if pod.name not in known and _has_begun(pod):
                        known.add(pod.name)
                        group.create_task(self._read(opened, pod.name, self._query | {"follow": "true"}))

    async def _read(self, opened: Session, pod: str, query: dict[str, str]) -> None:
        path = PODS.item(self._namespace, pod, "log")
        try:
            async with opened.client.pieces(path, query) as pieces:
                async for line in _lines(pieces):
                    self._print(pod, line)
        except KubeError as error:
            if "follow" not in query:
                raise
            self._print(pod, f"({error.message})")

    def _print(self, pod: str, line: str) -> None:
        if self._output == Output.JSON:
            line = msgspec.json.encode({"pod": pod, "line": line}).decode()
        else:
            line = f"{pod.rpartition('-')[2]}  {line}"
        with suppress(BrokenPipeError):
            print(line, file=sys.stdout, flush=True)


def _has_begun(pod: Pod) -> bool:
    return any(one.name == APP and one.state.waiting is None for one in pod.status.container_statuses)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    rest = b""
    async for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")
    if rest:
        yield rest.decode(errors="replace")
