"""Waiting: until a Service is ready, or has failed, or the time is up; and what it waits for meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from controller.api.conditions import READY, find, is_failed, is_ready
from controller.api.meta import SERVICE_LABEL
from controller.api.serving import REVISION_CONDITIONS, SERVICE_CONDITIONS, Revision, Service
from controller.cli.problem import Problem
from controller.cli.progress import Progress
from controller.cli.session import REVISIONS, SERVICES, Session
from dataplane.kube.resource import Resource
from dataplane.kube.watch import Changed, Deleted, watch

WORDS = {
    "ConfigurationsReady": "the revision",
    "RoutesReady": "the route",
    "ResourcesAvailable": "a pod",
    "ContainerHealthy": "the app to listen",
}


async def until_ready(session: Session, made: Service, progress: Progress, patience_s: float) -> Service:
    """Raises Problem for one that failed, and when the patience is over."""
    last = made
    saying = asyncio.create_task(_say_revision(session, made, progress))
    try:
        async with asyncio.timeout(patience_s):
            fields = f"metadata.name={made.name}"
            async for event in watch(session.client, SERVICES, Service, made.namespace, fields=fields):
                if isinstance(event, Deleted):
                    raise Problem(f"service {made.name} was deleted meanwhile")
                items = [event.item] if isinstance(event, Changed) else event.items
                for item in items:
                    last = item
                    if _is_done(item, made.metadata.generation):
                        return item
                    progress.say(f"waiting for {waits_for(item)}")
    except TimeoutError:
        raise Problem(
            f"{made.name} is not ready after {patience_s:g} s: it waits for {waits_for(last)}",
            f"penstock explain {made.name} -n {made.namespace}; or wait longer: --timeout",
        ) from None
    finally:
        saying.cancel()
        with suppress(asyncio.CancelledError):
            await saying
    raise Problem("the API server ended the watch")


async def until_gone(session: Session, resource: Resource, item: Service, patience_s: float) -> None:
    """Raises Problem when the patience is over."""
    try:
        async with asyncio.timeout(patience_s):
            fields = f"metadata.name={item.name}"
            async for event in watch(session.client, resource, Service, item.namespace, fields=fields):
                if isinstance(event, Deleted) or (not isinstance(event, Changed) and not event.items):
                    return
    except TimeoutError:
        raise Problem(f"{item.name} is still there after {patience_s:g} s; its pods are being drained") from None


def waits_for(service: Service) -> str:
    """What stands in the way, in words."""
    if service.status.observed_generation < service.metadata.generation:
        return "the controllers to see it"
    for kind in SERVICE_CONDITIONS:
        found = find(service.status.conditions, kind)
        if found is None or not found.is_true:
            why = f": {found.message or found.reason}" if found is not None and (found.message or found.reason) else ""
            return WORDS[kind] + why
    return "the last step"


def _is_done(service: Service, generation: int) -> bool:
    """Raises Problem when it has failed for good."""
    seen = service.status.observed_generation
    if service.metadata.generation < generation:
        return False
    if is_failed(service.metadata.generation, seen, service.status.conditions):
        found = find(service.status.conditions, READY)
        why = f"{found.reason}: {found.message}" if found is not None else "without a reason"
        raise Problem(f"{service.name} has failed: {why}", f"penstock explain {service.name} -n {service.namespace}")
    return is_ready(service.metadata.generation, seen, service.status.conditions)


async def _say_revision(session: Session, made: Service, progress: Progress) -> None:
    """The newest revision knows more than the service."""
    labels = f"{SERVICE_LABEL}={made.name}"
    async for event in watch(session.client, REVISIONS, Revision, made.namespace, labels=labels):
        if not isinstance(event, Changed):
            continue
        for kind in REVISION_CONDITIONS:
            found = find(event.item.status.conditions, kind)
            if found is not None and not found.is_true:
                why = f" ({found.message or found.reason})" if found.message or found.reason else ""
                progress.say(f"{event.item.name}: waiting for {WORDS[kind]}{why}")
                break
