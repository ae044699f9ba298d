"""Traffic: moves requests between revisions: at once, in steps, or back."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import msgspec
import typer

from controller.api.conditions import READY, find
from controller.api.serving import API_VERSION, Service, TrafficTarget
from controller.cli.options import AsOutput, Namespace, Output, StateDir, Timeout, home_of, seconds
from controller.cli.problem import Problem, reported
from controller.cli.progress import Progress
from controller.cli.session import SERVICES, Session, session
from controller.cli.shares import (
    LATEST,
    WHOLE,
    canary_of,
    revision_of,
    rollback_to,
    shares_of,
    split,
    steps_of,
    tags_of,
    targets,
)
from controller.cli.waiting import until_ready
from controller.local.home import Home

MANAGER = "penstock-traffic"
"""Owner of `spec.traffic`, so that a `deploy` leaves it as it is."""

Object = dict[str, Any]


@reported
def traffic(
    name: Annotated[str, typer.Argument(help="Service.", show_default=False)],
    more: Annotated[list[str] | None, typer.Argument(help="More of --to.", show_default=False)] = None,
    to: Annotated[
        list[str] | None, typer.Option("--to", help="REVISION=PERCENT; a number, or @latest, will do.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option("--tag", help="REVISION=TAG: a host of its own.")] = None,
    canary: Annotated[str, typer.Option("--canary", help="Percents of the newest revision, such as 10,50,100.")] = "",
    step: Annotated[str, typer.Option("--step", help="Between two steps of a canary.")] = "30s",
    rollback: Annotated[bool, typer.Option("--rollback", help="Everything to the revision before.")] = False,
    namespace: Namespace = "default",
    timeout: Timeout = "120s",
    state_dir: StateDir = None,
    output: AsOutput = Output.TEXT,
) -> None:
    """Say which revision gets which share of the requests."""
    wishes = [bool(to or tag), bool(canary), rollback]
    if sum(wishes) != 1:
        raise Problem("say exactly one of --to or --tag, --canary, --rollback", f"see: penstock describe {name}")
    home, patience_s, pause_s = home_of(state_dir), seconds("--timeout", timeout), seconds("--step", step)
    with Progress(quiet=output == Output.JSON) as progress:
        shift = Shift(progress, patience_s)
        if canary:
            made = asyncio.run(shift.canary(home, namespace, name, steps_of(canary), pause_s))
        elif rollback:
            made = asyncio.run(shift.rollback(home, namespace, name))
        else:
            made = asyncio.run(shift.to(home, namespace, name, [*(to or ()), *(more or ())], tag or []))
    if output == Output.JSON:
        print(msgspec.json.encode(made.status.traffic).decode())
    else:
        print("\n".join(lines(made.status.traffic)))


class Shift:
    """One command's changes."""

    def __init__(self, progress: Progress, patience_s: float) -> None:
        self._progress = progress
        self._patience_s = patience_s

    async def to(self, home: Home, namespace: str, name: str, said: list[str], tagged: list[str]) -> Service:
        """Shares and tags as they are said; what is not said stays."""
        async with session(home, MANAGER) as opened:
            service = await opened.service(namespace, name)
            known = [one.name for one in await opened.revisions(service)]
            shares = split(said, name, known) if said else _spec_shares(service)
            tags = tags_of(service.spec.traffic)
            for one in tagged:
                revision, _, word = one.rpartition("=")
                if not revision or not word:
                    raise Problem(f'--tag: "{one}" is no REVISION=TAG')
                tags[word] = revision_of(revision, name, known)
            return await self._apply(opened, service, targets(shares, tags))

    async def rollback(self, home: Home, namespace: str, name: str) -> Service:
        async with session(home, MANAGER) as opened:
            service = await opened.service(namespace, name)
            before = rollback_to(shares_of(service.status.traffic), await _ready(opened, service))
            return await self._apply(opened, service, targets({before: WHOLE}, tags_of(service.spec.traffic)))

    async def canary(self, home: Home, namespace: str, name: str, steps: list[int], pause_s: float) -> Service:
        """Raises Problem when the service stops being ready; everything is then back where it was."""
        async with session(home, MANAGER) as opened:
            service = await opened.service(namespace, name)
            ready = await _ready(opened, service)
            stable, new = canary_of(shares_of(service.status.traffic), ready)
            tags = tags_of(service.spec.traffic)
            for number, percent in enumerate(steps):
                shares = {new: percent} | ({stable: WHOLE - percent} if percent < WHOLE else {})
                self._progress.say(f"{percent} % to {new}")
                try:
                    service = await self._apply(opened, service, targets(shares, tags))
                    if number < len(steps) - 1:
                        await asyncio.sleep(pause_s)
                        service = await until_ready(opened, await opened.service(namespace, name), self._progress, 5)
                except Problem as problem:
                    self._progress.say(f"back to {stable}")
                    await self._apply(opened, service, targets({stable: WHOLE}, tags))
                    raise Problem(f"{problem.text}; all requests go to {stable} again", problem.fix) from problem
            return service

    async def _apply(self, opened: Session, service: Service, wanted: list[Object]) -> Service:
        made = await apply_traffic(opened, service, wanted)
        return await until_ready(opened, made, self._progress, self._patience_s)


async def apply_traffic(opened: Session, service: Service, wanted: list[Object]) -> Service:
    body = {
        "apiVersion": API_VERSION,
        "kind": "Service",
        "metadata": {"name": service.name, "namespace": service.namespace},
        "spec": {"traffic": wanted},
    }
    return await opened.client.apply(SERVICES, service.namespace, service.name, body, Service)


async def pin(home: Home, service: Service) -> None:
    """Requests stay with the revisions that have them now, whatever is deployed next."""
    shares = shares_of(service.status.traffic)
    if not shares:
        raise Problem(f"--no-traffic: no revision of {service.name} has requests yet", "deploy it without")
    async with session(home, MANAGER) as opened:
        await apply_traffic(opened, service, targets(shares, tags_of(service.spec.traffic)))


def lines(traffic: tuple[TrafficTarget, ...]) -> list[str]:
    """One for each share and tag."""
    return [
        f"{one.percent or 0:3d} %  {one.revision_name}"
        + (" (latest)" if one.latest_revision else "")
        + (f"  tag {one.tag}: {one.url}" if one.tag else "")
        for one in traffic
    ]


async def _ready(opened: Session, service: Service) -> list[str]:
    """Revisions that can serve, newest first."""
    found = [(one.name, find(one.status.conditions, READY)) for one in await opened.revisions(service)]
    return [name for name, ready in found if ready is not None and ready.is_true]


def _spec_shares(service: Service) -> dict[str, int]:
    found = {one.revision_name or LATEST: one.percent for one in service.spec.traffic if one.percent}
    return found or {LATEST: WHOLE}
