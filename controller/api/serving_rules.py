"""ServingRules: what objects of serving may be (SC 3.7 to 3.9)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from controller.api import meta
from controller.api.autoscaling_rules import annotation_problems, concurrency_problems
from controller.api.context import Context
from controller.api.difference import difference
from controller.api.errors import (
    FieldError,
    bad_key,
    disallowed,
    generic,
    invalid,
    none_of,
    out_of_bounds,
    quoted,
    several_of,
    shown,
    under,
)
from controller.api.metadata_rules import (
    ANNOTATIONS,
    autoscaling_problems,
    listed,
    name_problems,
    networking_problems,
    owner_label_problems,
    prefix_problems,
    seconds_problems,
    sidecar_problems,
    signature_problems,
)
from controller.api.pod_rules import pod_problems
from controller.api.serving import Configuration, PodTemplate, Revision, RevisionTemplate, Route, Service, TrafficTarget
from controller.api.serving_defaults import has_same_spec
from controller.api.values import label_1035_problems, qualified_name_problems

WHOLE = 100


def service_problems(service: Service, context: Context) -> list[FieldError]:
    """All that is wrong with it, by field path; a status may always be written (SC-091)."""
    if context.is_status_update:
        return []
    old = context.old if isinstance(context.old, Service) else None
    problems = [
        *name_problems(service.metadata),
        *autoscaling_problems(service.metadata.annotations),
        *seconds_problems(service.metadata.annotations, meta.ROLLOUT_DURATION_SPELLINGS, "rollout-duration"),
        *under("spec.template", template_problems(service.spec.template, service.metadata, context)),
        *under("spec.traffic", traffic_problems(service.spec.traffic, is_of_service=True)),
    ]
    if context.is_update and old is not None:
        problems += signature_problems(service, old, has_same_spec(service, old))
        problems += under("spec.template", rename_problems(service.spec.template, old.spec.template))
    return problems


def configuration_problems(configuration: Configuration, context: Context) -> list[FieldError]:
    """All that is wrong with it, by field path; a status may always be written."""
    if context.is_status_update:
        return []
    metadata, old = configuration.metadata, context.old if isinstance(context.old, Configuration) else None
    problems = [
        *name_problems(metadata),
        *autoscaling_problems(metadata.annotations),
        *owner_label_problems(metadata, meta.SERVICE_LABEL, "Service"),
        *under("spec.template", template_problems(configuration.spec.template, metadata, context)),
    ]
    if context.is_update and old is not None:
        if not metadata.owner_references:
            problems += signature_problems(configuration, old, has_same_spec(configuration, old))
        problems += under("spec.template", rename_problems(configuration.spec.template, old.spec.template))
    return problems


def revision_problems(revision: Revision, context: Context) -> list[FieldError]:
    """All that is wrong with it, by field path; its spec never changes (SC-040)."""
    metadata = revision.metadata
    problems = [
        *name_problems(metadata),
        *under(ANNOTATIONS, annotation_problems(metadata.annotations, context)),
        *owner_label_problems(metadata, meta.CONFIGURATION_LABEL, "Configuration"),
    ]
    if context.is_update and isinstance(context.old, Revision):
        if changes := difference(context.old.spec, revision.spec):
            problems.append(generic("Immutable fields changed (-old +new)", "spec", details=changes))
        return problems
    return [*problems, *under("spec", spec_problems(revision, context))]


def route_problems(route: Route, context: Context) -> list[FieldError]:
    """All that is wrong with it, by field path."""
    if context.is_status_update:
        return []
    metadata, old = route.metadata, context.old if isinstance(context.old, Route) else None
    problems = [
        *name_problems(metadata),
        *autoscaling_problems(metadata.annotations),
        *seconds_problems(metadata.annotations, meta.ROLLOUT_DURATION_SPELLINGS, "rollout-duration"),
        *owner_label_problems(metadata, meta.SERVICE_LABEL, "Service"),
        *under("spec.traffic", traffic_problems(route.spec.traffic, is_of_service=False)),
    ]
    if context.is_update and old is not None and not metadata.owner_references:
        problems += signature_problems(route, old, has_same_spec(route, old))
    return problems


def template_problems(template: RevisionTemplate, parent: meta.ObjectMeta, context: Context) -> Iterator[FieldError]:
    """What is wrong with a template, below it.

    parent   metadata of the object that has it
    """
    annotations = template.metadata.annotations
    yield from under("spec", spec_problems(template, context))
    yield from under(ANNOTATIONS, annotation_problems(annotations, context))
    yield from _template_name(template.metadata, parent)
    yield from sidecar_problems(annotations)
    yield from seconds_problems(annotations, meta.PROGRESS_DEADLINE_SPELLINGS, "progress-deadline")
    yield from networking_problems(annotations)


def _template_name(metadata: meta.ObjectMeta, parent: meta.ObjectMeta) -> Iterator[FieldError]:
    """A name of one's own begins with its parent's (SC-034, SC-039)."""
    name, path = metadata.name, "metadata.name"
    if metadata.generate_name and (said := prefix_problems(metadata.generate_name)):
        yield invalid(f"not a DNS 1035 label prefix: {listed(said)}", "metadata.generateName")
    if not name:
        return
    prefix = f"{parent.name}-"
    if said := label_1035_problems(name):
        yield invalid(f"not a DNS 1035 label: {listed(said)}", path)
    elif not parent.name and parent.generate_name:
        yield disallowed(path)
    elif not name.startswith(prefix):
        yield invalid(f"{quoted(name)} must have prefix {quoted(prefix)}", path)


def rename_problems(template: RevisionTemplate, old: RevisionTemplate) -> Iterator[FieldError]:
    """A template with an explicit name changes only together with its name (SC-035)."""
    name = template.metadata.name
    if not name or name != old.metadata.name:
        return
    if changes := difference(msgspec.to_builtins(old), msgspec.to_builtins(template)):
        said = "Saw the following changes without a name change (-old +new)"
        yield generic(said, "metadata.name", details=changes)


def spec_problems(revision: PodTemplate, context: Context) -> Iterator[FieldError]:
    """What is wrong with a revision's spec, below it."""
    spec, longest = revision.spec, context.settings.defaults.max_revision_timeout_s
    yield from pod_problems(spec, context)
    timeout = spec.get("timeoutSeconds") or 0
    if not 0 <= timeout <= longest:
        yield out_of_bounds(timeout, 0, longest, "timeoutSeconds")
    yield from concurrency_problems(spec.get("containerConcurrency"), context, "containerConcurrency")


def traffic_problems(targets: tuple[TrafficTarget, ...], *, is_of_service: bool) -> Iterator[FieldError]:
    """What is wrong with a split, below it (SC-092 to SC-097)."""
    places: dict[str, int] = {}
    for index, target in enumerate(targets):
        yield from under(f"[{index}]", _target_problems(target, is_of_service))
        if not target.tag:
            continue
        if said := label_1035_problems(target.tag):
            yield invalid(f"not a DNS 1035 label: {listed(said)}", f"tag[{index}]")
        if target.tag in places:
            paths = (f"[{index}].tag", f"[{places[target.tag]}].tag")
            yield generic(f"Multiple definitions for {quoted(target.tag)}", *paths)
        places.setdefault(target.tag, index)
    total = sum(target.percent or 0 for target in targets)
    if total != WHOLE:
        yield generic(f"Traffic targets sum to {total}, want {WHOLE}", "")


def _target_problems(target: TrafficTarget, is_of_service: bool) -> Iterator[FieldError]:
    revision, configuration = target.revision_name, target.configuration_name
    if target.latest_revision is not None and target.latest_revision == bool(revision):
        latest = shown(target.latest_revision)
        yield generic(f"may not set revisionName {quoted(revision)} when latestRevision is {latest}", "latestRevision")
    if is_of_service and configuration:
        yield disallowed("configurationName")
    elif revision and configuration:
        yield several_of("revisionName", "configurationName")
    elif not is_of_service and not revision and not configuration:
        yield none_of("revisionName", "configurationName")
    else:
        field = "revisionName" if revision else "configurationName"
        name = revision or configuration
        for said in qualified_name_problems(name) if name else ():
            yield bad_key(name, field, said)
    if target.percent is not None and not 0 <= target.percent <= WHOLE:
        yield out_of_bounds(target.percent, 0, WHOLE, "percent")
    if target.url:
        yield disallowed("url")
