"""ServingDefaults: what objects of serving have when their author did not say (SC 3.6)."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from controller.api.context import Context
from controller.api.meta import CREATOR, LAST_MODIFIER, ObjectMeta, Resource
from controller.api.pod_defaults import defaulted_spec
from controller.api.serving import Configuration, Revision, RevisionTemplate, Route, Service, TrafficTarget

Owned = TypeVar("Owned", Service, Configuration, Route)


def defaulted_service(service: Service, context: Context) -> Service:
    """All traffic goes to the latest revision unless the author splits it (SC-002)."""
    old = context.old if isinstance(context.old, Service) else None
    template = _template(service.spec.template, service.metadata, old.spec.template if old else None, context)
    traffic = _traffic(service.spec.traffic) or (TrafficTarget(latest_revision=True, percent=100),)
    return _signed(replace(service, spec=replace(service.spec, template=template, traffic=traffic)), context)


def defaulted_configuration(configuration: Configuration, context: Context) -> Configuration:
    """Owned ones are signed by nobody: their owner is."""
    old = context.old if isinstance(context.old, Configuration) else None
    before = old.spec.template if old else None
    template = _template(configuration.spec.template, configuration.metadata, before, context)
    configuration = replace(configuration, spec=replace(configuration.spec, template=template))
    return configuration if configuration.metadata.owner_references else _signed(configuration, context)


def defaulted_revision(revision: Revision, context: Context) -> Revision:
    """On an update nothing: a revision never changes."""
    if context.is_update:
        return revision
    return replace(revision, spec=defaulted_spec(revision.spec, context, revision.metadata))


def defaulted_route(route: Route, context: Context) -> Route:
    """Owned ones are signed by nobody: their owner is."""
    route = replace(route, spec=replace(route.spec, traffic=_traffic(route.spec.traffic)))
    return route if route.metadata.owner_references else _signed(route, context)


def _template(
    template: RevisionTemplate, parent: ObjectMeta, old: RevisionTemplate | None, context: Context
) -> RevisionTemplate:
    """An explicit name that stays must mean the same revision, so new defaults may not change it."""
    name = template.metadata.name
    if context.is_update and old is not None and name and name == old.metadata.name:
        return template
    return replace(template, spec=defaulted_spec(template.spec, context, parent))


def _traffic(targets: tuple[TrafficTarget, ...]) -> tuple[TrafficTarget, ...]:
    return tuple(
        replace(
            target,
            latest_revision=target.latest_revision if target.latest_revision is not None else not target.revision_name,
            percent=target.percent if target.percent is not None else 0,
        )
        for target in targets
    )


def _signed(resource: Owned, context: Context) -> Owned:
    """Who made it, and who changed its spec last (SC-021, SC-022)."""
    if not context.user or context.is_status_update:
        return resource
    keys: tuple[str, ...] = (CREATOR, LAST_MODIFIER)
    if context.is_update:
        if has_same_spec(resource, context.old):
            return resource
        keys = (LAST_MODIFIER,)
    annotations = {**resource.metadata.annotations, **dict.fromkeys(keys, context.user)}
    return replace(resource, metadata=replace(resource.metadata, annotations=annotations))


def has_same_spec(resource: Resource, old: Resource | None) -> bool:
    """Whether an update leaves the spec as it was."""
    return getattr(resource, "spec", None) == getattr(old, "spec", None)
