"""Explain: asks the controllers why a service is as it is, and prints their answer."""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
import typer

from controller.cli.options import AsOutput, Namespace, Output, StateDir, home_of
from controller.cli.problem import reported
from controller.cli.session import session
from controller.local.explain import Explanation, RevisionExplanation
from controller.local.home import Home

PATH = "/penstock/explain"


@reported
def explain(
    service: Annotated[str, typer.Argument(help="Service.", show_default=False)],
    namespace: Namespace = "default",
    state_dir: StateDir = None,
    output: AsOutput = Output.TEXT,
) -> None:
    """Say why a service is as it is: scale, path, time limits, failures, and what to do."""
    body = asyncio.run(_asked(home_of(state_dir), namespace, service))
    print(body.decode() if output == Output.JSON else shown(msgspec.json.decode(body, type=Explanation)))


def shown(found: Explanation) -> str:
    """For people."""
    made = [f"{found.service}  {found.url}", f"  it is {found.ready}"]
    for one in found.revisions:
        made += ["", *_revision(one)]
    if found.failures:
        made += ["", "What failed last", *_indented(found.failures)]
    if found.advice:
        made += ["", "What to do", *_indented(found.advice)]
    return "\n".join(made)


async def _asked(home: Home, namespace: str, name: str) -> bytes:
    async with session(home) as opened:
        await opened.service(namespace, name)
        return await opened.client.fetch(f"{PATH}/{namespace}/{name}")


def _revision(one: RevisionExplanation) -> list[str]:
    tags = f", tag {', '.join(one.tags)}" if one.tags else ""
    made = [
        f"Revision {one.name}: {one.percent} % of the requests{tags}",
        f"  scale     {one.pods_ready} ready, {one.pods_starting} starting, {one.pods_wanted} wanted",
        f"  why       {one.scale}",
    ]
    made += [f"            {each.ago_s:.1f} s ago: {each.pods}: {each.reason}" for each in one.decisions[1:]]
    made.append(f"  path      {' -> '.join(one.path)}")
    made += [f"  limit     {name}: {text}" for name, text in one.timeouts.items()]
    made.append(f"  at once   {one.concurrency}")
    return made


def _indented(texts: list[str]) -> list[str]:
    return [f"  {line}" for text in texts for line in text.splitlines()]
