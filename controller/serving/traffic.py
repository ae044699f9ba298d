"""Traffic: which revisions a Route's targets mean now (SC 3.5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controller.api.conditions import is_failed, is_ready
from controller.api.meta import CONFIGURATION_LABEL, SERVICE_LABEL
from controller.api.serving import Configuration, Revision, Route, TrafficTarget

MISSING_CONFIGURATION, MISSING_REVISION, REVISION_NOT_OWNED = (
    "ConfigurationMissing",
    "RevisionMissing",
    "RevisionNotOwned",
)


@dataclass(frozen=True, slots=True)
class Target:
    """A share for one revision that exists and is ready."""

    tag: str
    revision: Revision
    is_latest: bool
    percent: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a target cannot be served."""

    is_final: bool
    """It will not get better by waiting."""
    reason: str
    message: str


Find = Callable[[str], Revision | None]


@dataclass(frozen=True, slots=True)
class Named:
    """How objects of the Route's namespace are found by name."""

    configuration: Callable[[str], Configuration | None]
    revision: Find


def resolve(route: Route, named: Named) -> tuple[tuple[Target, ...], Trouble | None]:
    """The targets, equal ones merged, or the first trouble: one that is final goes before one that is not."""
    found: list[Target] = []
    troubles: list[Trouble] = []
    for target in route.spec.traffic:
        outcome = _resolve(route, target, named)
        if isinstance(outcome, Trouble):
            troubles.append(outcome)
        else:
            found.append(outcome)
    if troubles:
        return (), next((trouble for trouble in troubles if trouble.is_final), troubles[0])
    return merged(found), None


def merged(targets: list[Target]) -> tuple[Target, ...]:
    """Targets of one tag, revision and kind are one, with the sum of their shares."""
    kept: dict[tuple[str, str, bool], Target] = {}
    for target in targets:
        key = (target.tag, target.revision.name, target.is_latest)
        percent = target.percent + (kept[key].percent if key in kept else 0)
        kept[key] = Target(target.tag, target.revision, target.is_latest, percent)
    return tuple(kept.values())


def groups(targets: tuple[Target, ...]) -> dict[str, tuple[tuple[Revision, int], ...]]:
    """Revisions and shares by tag, the default first: it has all of them, a tag has its own at 100 %."""
    found: dict[str, tuple[tuple[Revision, int], ...]] = {"": _shares(targets)}
    for tag in sorted({target.tag for target in targets if target.tag}):
        own = tuple(target for target in targets if target.tag == tag)
        found[tag] = _shares(own) if len(own) > 1 else ((own[0].revision, 100),)
    return found


def _shares(targets: tuple[Target, ...]) -> tuple[tuple[Revision, int], ...]:
    shares: dict[str, tuple[Revision, int]] = {}
    for target in targets:
        if target.percent > 0:
            before = shares.get(target.revision.name, (target.revision, 0))[1]
            shares[target.revision.name] = (target.revision, before + target.percent)
    return tuple(shares.values())


def _resolve(route: Route, target: TrafficTarget, named: Named) -> Target | Trouble:
    if target.configuration_name:
        outcome = _latest(target.configuration_name, named)
    else:
        outcome = _ready(target.revision_name, named)
    if isinstance(outcome, Trouble):
        return outcome
    foreign = _foreign(route, outcome)
    if foreign is not None:
        return foreign
    return Target(target.tag, outcome, bool(target.configuration_name), target.percent or 0)


def _latest(name: str, named: Named) -> Revision | Trouble:
    configuration = named.configuration(name)
    if configuration is None:
        return _not_found(MISSING_CONFIGURATION, "Configuration", name)
    latest = configuration.status.latest_ready_revision_name
    if latest:
        revision = named.revision(latest)
        return revision if revision is not None else _not_found(MISSING_REVISION, "Revision", latest)
    failed = is_failed(
        configuration.metadata.generation, configuration.status.observed_generation, configuration.status.conditions
    )
    if failed:
        return Trouble(True, MISSING_REVISION, f'Configuration "{name}" does not have any ready Revision.')
    return Trouble(False, MISSING_REVISION, f'Configuration "{name}" is waiting for a Revision to become ready.')


def _ready(name: str, named: Named) -> Revision | Trouble:
    revision = named.revision(name)
    if revision is None:
        return _not_found(MISSING_REVISION, "Revision", name)
    parent = revision.metadata.labels.get(CONFIGURATION_LABEL, "")
    if named.configuration(parent) is None:
        return _not_found(MISSING_CONFIGURATION, "Configuration", parent)
    state = (revision.metadata.generation, revision.status.observed_generation, revision.status.conditions)
    if is_ready(*state):
        return revision
    if is_failed(*state):
        return Trouble(True, MISSING_REVISION, f'Revision "{name}" failed to become ready.')
    return Trouble(False, MISSING_REVISION, f'Revision "{name}" is not yet ready.')


def _not_found(reason: str, kind: str, name: str) -> Trouble:
    return Trouble(True, reason, f'{kind} "{name}" referenced in traffic not found.')


def _foreign(route: Route, revision: Revision) -> Trouble | None:
    """A Service's route may only lead to its own revisions."""
    service = route.metadata.labels.get(SERVICE_LABEL)
    theirs = revision.metadata.labels.get(SERVICE_LABEL, "")
    if not service or theirs == service:
        return None
    whose = f'belongs to Service "{theirs}", not Service "{service}".'
    if not theirs:
        whose = f'does not belong to Service "{service}".'
    return Trouble(True, REVISION_NOT_OWNED, f'Revision "{revision.name}" {whose}')


def status_traffic(targets: tuple[Target, ...], url_of: Callable[[str], str]) -> tuple[TrafficTarget, ...]:
    """What the Route's status says; `url_of` gives the address of a tag."""
    return tuple(
        TrafficTarget(
            tag=target.tag,
            revision_name=target.revision.name,
            percent=target.percent,
            latest_revision=target.is_latest,
            url=url_of(target.tag) if target.tag else "",
        )
        for target in targets
    )
