"""Session: a connection to the API server of the `penstock up` that runs here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from controller.api.meta import CONFIGURATION_GENERATION_LABEL, SERVICE_LABEL
from controller.api.serving import Revision, Service
from controller.children import resource_of
from controller.cli.problem import NOT_RUNNING, Problem, nearest
from controller.local.access import client_config
from controller.local.home import Home, Running
from controller.local.leftovers import Leftovers
from dataplane.kube.client import Client
from dataplane.kube.errors import NotFound

SERVICES, REVISIONS = resource_of(Service), resource_of(Revision)
MANAGER = "penstock"
"""Owner of what `deploy` writes; traffic has another one, so that neither takes the other's fields away."""


@dataclass(frozen=True, slots=True)
class Session:
    """One command's."""

    client: Client
    running: Running

    async def service(self, namespace: str, name: str) -> Service:
        """Raises Problem with the nearest names."""
        try:
            return await self.client.read(SERVICES, namespace, name, Service)
        except NotFound:
            found, _ = await self.client.list(SERVICES, Service)
        here = [one.name for one in found if one.namespace == namespace]
        elsewhere = [one.namespace for one in found if one.name == name]
        fix = f"it is in namespace {' and '.join(sorted(elsewhere))}: add -n" if elsewhere else nearest(name, here)
        raise Problem(
            f'service "{name}" is not there (namespace {namespace})', fix or "penstock deploy FOLDER makes one"
        )

    async def revisions(self, service: Service) -> list[Revision]:
        """Newest first."""
        labels = f"{SERVICE_LABEL}={service.name}"
        found, _ = await self.client.list(REVISIONS, Revision, service.namespace, labels=labels)
        return sorted(found, key=generation, reverse=True)


def generation(revision: Revision) -> int:
    """Which change of the service made it."""
    said = revision.metadata.labels.get(CONFIGURATION_GENERATION_LABEL, "")
    return int(said) if said.isdecimal() else 0


@asynccontextmanager
async def session(home: Home, manager: str = MANAGER) -> AsyncIterator[Session]:
    """Raises Problem when nothing runs here."""
    running = home.running()
    if running is None:
        if not home.is_locked() and (left := Leftovers.find(home)):
            raise Problem(left.told, "go on with them: penstock up; or end them: penstock down")
        state = "is starting or ending; wait a moment" if home.is_locked() else f"does not run (state in {home.state})"
        raise Problem(f"penstock {state}", NOT_RUNNING)
    async with Client(client_config(running.api, home.token()), manager) as client:
        yield Session(client, running)
