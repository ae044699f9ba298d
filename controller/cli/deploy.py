"""Deploy: a folder becomes a local image, and an ordinary Service that names it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from controller.api.meta import Resource
from controller.api.serving import API_VERSION, Service
from controller.cli.options import AsOutput, Namespace, Output, StateDir, Timeout, home_of, seconds
from controller.cli.problem import Problem, reported
from controller.cli.program import Program, program
from controller.cli.progress import Progress
from controller.cli.session import REVISIONS, SERVICES, Session, session
from controller.cli.traffic import pin
from controller.cli.waiting import until_ready
from controller.local.home import Home
from controller.local.images import Images
from controller.local.tree import ImageError
from dataplane.kube.errors import NotFound
from dataplane.kube.resource import DEPLOYMENTS, PODS

MIN_SCALE, MAX_SCALE = "autoscaling.knative.dev/min-scale", "autoscaling.knative.dev/max-scale"

Object = dict[str, Any]


@reported
def deploy(
    folder: Annotated[Path, typer.Argument(help="A folder, or a Python file.", show_default=False)],
    name: Annotated[str, typer.Option("--name", help="Of the service; usually the folder's.")] = "",
    command: Annotated[str, typer.Option("--command", help="What starts the app; it listens on $PORT.")] = "",
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="K=V; may be repeated.")] = None,
    annotation: Annotated[list[str] | None, typer.Option("--annotation", help="K=V, of the revision.")] = None,
    concurrency: Annotated[int | None, typer.Option("--concurrency", help="Requests that a pod runs at once.")] = None,
    min_scale: Annotated[int | None, typer.Option("--min-scale", help="Pods that always run.")] = None,
    max_scale: Annotated[int | None, typer.Option("--max-scale", help="Pods at most; 0: no limit.")] = None,
    no_traffic: Annotated[bool, typer.Option("--no-traffic", help="Requests go on to the revision of before.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return when the API server has it.")] = False,
    namespace: Namespace = "default",
    timeout: Timeout = "120s",
    state_dir: StateDir = None,
    output: AsOutput = Output.TEXT,
) -> None:
    """Run a folder, or a Python file, as a service."""
    home = home_of(state_dir)
    wanted = program(folder, name, command)
    patience_s = 0.0 if no_wait else seconds("--timeout", timeout)
    annotations = pairs("--annotation", annotation)
    annotations |= {
        key: str(value) for key, value in ((MIN_SCALE, min_scale), (MAX_SCALE, max_scale)) if value is not None
    }
    spec: Object = {"env": [{"name": key, "value": value} for key, value in pairs("--env", env).items()]}
    document = service(wanted.name, namespace, spec, annotations, concurrency)
    with Progress(quiet=output == Output.JSON) as progress:
        made = asyncio.run(_deploy(home, wanted, document, progress, patience_s, keep_traffic=no_traffic))
        took_s = progress.took_s
    _tell(made, output, took_s, is_waited=not no_wait)


def service(
    name: str, namespace: str, container: Object, annotations: dict[str, str], concurrency: int | None
) -> Object:
    """The Service as it is applied; the image is filled in later."""
    template: Object = {"spec": {"containers": [{key: value for key, value in container.items() if value}]}}
    if annotations:
        template["metadata"] = {"annotations": annotations}
    if concurrency is not None:
        template["spec"]["containerConcurrency"] = concurrency
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": API_VERSION, "kind": "Service", "metadata": metadata, "spec": {"template": template}}


def pairs(option: str, said: Sequence[str] | None) -> dict[str, str]:
    """Raises Problem that names the option and every value that is no pair."""
    wrong = [one for one in said or () if "=" not in one or one.startswith("=")]
    if wrong:
        raise Problem(f"{option}: {', '.join(map(repr, wrong))} is no K=V")
    return {key: value for key, _, value in (one.partition("=") for one in said or ())}


async def _deploy(
    home: Home, wanted: Program, document: Object, progress: Progress, patience_s: float, *, keep_traffic: bool
) -> Service:
    async with session(home) as opened:
        progress.say(f"reading {wanted.folder}")
        try:
            image = await asyncio.to_thread(Images(home.images).put, wanted.name, wanted.folder, wanted.command)
        except ImageError as error:
            raise Problem(str(error)) from error
        document["spec"]["template"]["spec"]["containers"][0]["image"] = image
        namespace = document["metadata"]["namespace"]
        if keep_traffic:
            await _keep_traffic(home, opened, namespace, wanted.name)
        progress.say("applying the service")
        made = await opened.client.apply(SERVICES, namespace, wanted.name, document, Service)
        if patience_s:
            made = await until_ready(opened, made, progress, patience_s)
        await asyncio.to_thread(Images(home.images).collect, await _named(opened))
        return made


class _Specified(Resource, frozen=True, kw_only=True):
    """Whatever may name an image."""

    spec: Object = msgspec.field(default_factory=dict)


async def _named(opened: Session) -> set[str]:
    """Every image that somebody names: a rollback needs those of old revisions."""
    found: set[str] = set()
    for resource in (SERVICES, REVISIONS, DEPLOYMENTS, PODS):
        listed, _ = await opened.client.list(resource, _Specified)
        for one in listed:
            template = one.spec.get("template", {}).get("spec", one.spec)
            found.update(container.get("image", "") for container in template.get("containers", ()))
    return found


async def _keep_traffic(home: Home, opened: Session, namespace: str, name: str) -> None:
    try:
        before = await opened.client.read(SERVICES, namespace, name, Service)
    except NotFound:
        raise Problem(f"--no-traffic: service {name} is not there yet, so nobody else can have it") from None
    await pin(home, before)


def _tell(made: Service, output: Output, took_s: float, *, is_waited: bool) -> None:
    if output == Output.JSON:
        print(msgspec.json.encode(made).decode())
        return
    if not is_waited:
        print(f"{made.name} is applied; see: penstock describe {made.name} -n {made.namespace}")
        return
    print(f"{made.name} is ready after {took_s:.1f} s, revision {made.status.latest_ready_revision_name}")
    print(made.status.url)
    hint = resolver_hint(made.status.url)
    if hint:
        print(hint)


def resolver_hint(url: str) -> str:
    """How to reach a host that this machine's resolver does not know; empty when it does."""
    host, _, port = url.partition("://")[2].partition("/")[0].partition(":")
    try:
        socket.getaddrinfo(host, port or "80")
    except (OSError, UnicodeError):
        return f"(your resolver does not know {host}: curl --resolve {host}:{port or 80}:127.0.0.1 {url})"
    return ""
