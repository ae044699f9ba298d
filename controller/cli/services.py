"""Services: `penstock list`, `describe` and `delete`."""

from __future__ import annotations

import asyncio
import time
from calendar import timegm
from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from controller.api.conditions import READY, Condition, find
from controller.api.core import Pod
from controller.api.meta import REVISION_LABEL, SERVICE_LABEL
from controller.api.serving import Revision, Service
from controller.cli.options import AsOutput, Namespace, Output, StateDir, Timeout, home_of, seconds
from controller.cli.problem import reported
from controller.cli.progress import Progress
from controller.cli.session import SERVICES, session
from controller.cli.traffic import lines
from controller.cli.waiting import until_gone
from controller.local.home import Home
from dataplane.kube.resource import PODS

EVERYWHERE = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of every namespace.")]
Name = Annotated[str, typer.Argument(help="Service.", show_default=False)]


@reported
def list_services(
    namespace: Namespace = "default",
    everywhere: EVERYWHERE = False,
    state_dir: StateDir = None,
    output: AsOutput = Output.TEXT,
) -> None:
    """Show all services."""
    found, pods = asyncio.run(_listed(home_of(state_dir), None if everywhere else namespace))
    if output == Output.JSON:
        print(msgspec.json.encode(found).decode())
        return
    if not found:
        print("there are no services" + ("" if everywhere else f" in namespace {namespace}"))
        return
    rows = [
        [
            *([one.namespace] if everywhere else []), one.name, _ready(one.status.conditions), one.status.url,
            one.status.latest_ready_revision_name, str(_running(pods, one)), age(one.metadata.creation_timestamp),
        ]
        for one in found
    ]  # fmt: skip
    print(table([*(["NAMESPACE"] if everywhere else []), "NAME", "READY", "URL", "REVISION", "PODS", "AGE"], rows))


@reported
def describe(
    name: Name, namespace: Namespace = "default", state_dir: StateDir = None, output: AsOutput = Output.TEXT
) -> None:
    """Show one service: conditions, traffic, revisions, pods."""
    service, revisions, pods = asyncio.run(_described(home_of(state_dir), namespace, name))
    if output == Output.JSON:
        parts = {"service": service, "revisions": revisions, "pods": pods}
        print(msgspec.json.encode(parts).decode())
        return
    print(f"{service.name}  (namespace {service.namespace}, {age(service.metadata.creation_timestamp)} old)")
    print(f"  URL  {service.status.url or 'none yet'}")
    print(_block("Conditions", _conditions(service.status.conditions)))
    print(_block("Traffic", lines(service.status.traffic) or ["none yet"]))
    print(_block("Revisions", [_revision(one, pods) for one in revisions] or ["none yet"]))
    print(_block("Pods", [_pod(one) for one in pods] or ["none: it is at zero"]))


@reported
def delete(
    name: Name,
    namespace: Namespace = "default",
    timeout: Timeout = "60s",
    state_dir: StateDir = None,
    output: AsOutput = Output.TEXT,
) -> None:
    """Delete a service, with all its revisions."""
    patience_s = seconds("--timeout", timeout)
    with Progress(quiet=output == Output.JSON) as progress:
        asyncio.run(_delete(home_of(state_dir), namespace, name, progress, patience_s))
    print(msgspec.json.encode({"deleted": name}).decode() if output == Output.JSON else f"{name} is deleted")


def age(timestamp: str | None) -> str:
    """Since an RFC 3339 time, in the largest unit of which there are two."""
    if not timestamp:
        return "?"
    seconds_ago = max(0, int(time.time() - timegm(time.strptime(timestamp, "%Y-%m-%dT%H:%M:%SZ"))))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds_ago >= 2 * size:
            return f"{seconds_ago // size}{unit}"
    return f"{seconds_ago}s"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as they have to be, so that programs can read them as well."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in [head, *rows]
    )


async def _listed(home: Home, namespace: str | None) -> tuple[list[Service], list[Pod]]:
    async with session(home) as opened:
        found, _ = await opened.client.list(SERVICES, Service, namespace)
        pods, _ = await opened.client.list(PODS, Pod, namespace, labels=SERVICE_LABEL)
        return sorted(found, key=lambda one: one.key), pods


async def _described(home: Home, namespace: str, name: str) -> tuple[Service, list[Revision], list[Pod]]:
    async with session(home) as opened:
        service = await opened.service(namespace, name)
        pods, _ = await opened.client.list(PODS, Pod, namespace, labels=f"{SERVICE_LABEL}={name}")
        return service, await opened.revisions(service), pods


async def _delete(home: Home, namespace: str, name: str, progress: Progress, patience_s: float) -> None:
    async with session(home) as opened:
        service = await opened.service(namespace, name)
        progress.say(f"deleting {name}: its pods finish what they do")
        uid = service.metadata.uid
        await opened.client.delete(SERVICES, namespace, name, uid=uid, propagation="Foreground")
        await until_gone(opened, SERVICES, service, patience_s)


def _running(pods: list[Pod], service: Service) -> int:
    return sum(
        one.is_ready and one.namespace == service.namespace and one.metadata.labels.get(SERVICE_LABEL) == service.name
        for one in pods
    )


def _ready(conditions: Iterable[Condition]) -> str:
    found = find(conditions, READY)
    if found is None:
        return "Unknown"
    return found.status if found.is_true or not found.reason else f"{found.status} ({found.reason})"


def _conditions(conditions: Iterable[Condition]) -> list[str]:
    made = []
    for one in conditions:
        why = ": ".join(part for part in (one.reason, one.message) if part)
        made.append(f"{one.type:<20} {one.status:<8} {why}".rstrip())
    return made or ["none yet"]


def _revision(revision: Revision, pods: list[Pod]) -> str:
    mine = [one for one in pods if one.metadata.labels.get(REVISION_LABEL) == revision.name]
    ready = sum(one.is_ready for one in mine)
    image = revision.serving_container.get("image", "").partition("@")
    short = f"{image[0]}@{image[2][:19]}" if image[2] else image[0]
    old = age(revision.metadata.creation_timestamp)
    return (
        f"{revision.name}  {_ready(revision.status.conditions)}, {ready} of {len(mine)} pods ready, {old} old, {short}"
    )


def _pod(pod: Pod) -> str:
    restarts = sum(one.restart_count for one in pod.status.container_statuses)
    state = "ready" if pod.is_ready else "ending" if pod.is_deleted else _waiting(pod) or pod.status.phase
    return f"{pod.name}  {state}, {pod.status.pod_ip}, {restarts} restarts"


def _waiting(pod: Pod) -> str:
    return next((one.state.waiting.reason for one in pod.status.container_statuses if one.state.waiting), "")


def _block(title: str, rows: list[str]) -> str:
    return "\n".join([f"  {title}", *(f"    {line}" for row in rows for line in row.splitlines())])
