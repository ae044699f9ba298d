"""Configuration: a Revision for each state of the template, and which of them is the newest that is ready (SC 3.4)."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgspec

from controller.api.conditions import FALSE, READY, Conditions, find, is_failed, is_ready
from controller.api.meta import is_controlled_by, timestamp
from controller.api.serving import CONFIGURATION_CONDITIONS, Configuration, ConfigurationStatus, Revision
from controller.children import defaulted, resource_of, settle
from controller.config.settings import Settings
from controller.kube.cache import Key
from controller.kube.events import Recorder
from controller.observe import OWNER, Observed
from dataplane.kube.client import Client
from dataplane.kube.errors import AlreadyExists, Invalid

from .make import revision as make

REVISION_FAILED = "RevisionFailed"

REVISIONS = resource_of(Revision)


class ConfigurationReconciler:
    """Works on one Configuration."""

    def __init__(self, client: Client, observed: Observed, settings: Callable[[], Settings], events: Recorder) -> None:
        self._client = client
        self._observed = observed
        self._settings = settings
        self._events = events

    async def __call__(self, key: Key) -> float | None:
        stored = self._observed.configurations.get(*key)
        if stored is None or stored.is_deleted:
            return None
        configuration = defaulted(stored, self._settings())

        async def work(conditions: Conditions) -> ConfigurationStatus:
            return await self._work(configuration, conditions)

        return await settle(self._client, self._events, configuration, CONFIGURATION_CONDITIONS, work)

    async def _work(self, configuration: Configuration, conditions: Conditions) -> ConfigurationStatus:
        before = configuration.status
        revisions = self._observed.revisions.by(OWNER, configuration.metadata.uid)
        current = await self._current(configuration, revisions, conditions)
        if current is None:
            return before
        newest = latest_ready(configuration, [*(one for one in revisions if one.key != current.key), current])
        mark(current, newest, conditions)
        self._tell(configuration, current, newest, conditions)
        return msgspec.structs.replace(
            before, latest_created_revision_name=current.name, latest_ready_revision_name=newest
        )

    def _tell(self, configuration: Configuration, current: Revision, newest: str, conditions: Conditions) -> None:
        """Events, each for a change of the status (SC-047)."""
        before = configuration.status
        was = find(before.conditions, READY)
        if conditions.is_status(READY, FALSE) and (was is None or not was.is_false):
            failed = find(current.status.conditions, READY)
            reason = "LatestReadyFailed" if before.latest_ready_revision_name == current.name else "LatestCreatedFailed"
            message = failed.message if failed is not None else ""
            self._events.warning(configuration, reason, f'Latest revision "{current.name}" has failed: {message}')
        if newest == before.latest_ready_revision_name:
            return
        if not before.latest_ready_revision_name:
            self._events.normal(configuration, "ConfigurationReady", "Configuration becomes ready")
        self._events.normal(configuration, "LatestReadyUpdate", f'LatestReadyRevisionName updated to "{newest}"')

    async def _current(
        self, configuration: Configuration, revisions: list[Revision], conditions: Conditions
    ) -> Revision | None:
        """The Revision of this generation, made when it is missing; None when it cannot be made."""
        found = find_current(configuration, revisions)
        if found is not None:
            return found
        wanted = make.revision(configuration, timestamp(time.time()))
        try:
            made = await self._client.create(REVISIONS, wanted.namespace, wanted, Revision)
        except AlreadyExists as error:
            taken = await self._client.read(REVISIONS, wanted.namespace, wanted.name, Revision)
            if is_reusable(configuration, taken):
                return taken
            _creation_failed(conditions, error.message)
        except Invalid as error:
            _creation_failed(conditions, error.message)
            self._events.warning(configuration, "CreationFailed", f'Failed to create Revision "{wanted.name}": {error}')
        else:
            self._events.normal(configuration, "Created", f'Created Revision "{made.name}"')
            return made
        return None


def find_current(configuration: Configuration, revisions: list[Revision]) -> Revision | None:
    """By the template's name where it has one, else by the generation."""
    name = configuration.spec.template.metadata.name
    if name:
        named = next((one for one in revisions if one.name == name), None)
        return named if named is not None and is_reusable(configuration, named) else None
    generation = configuration.metadata.generation
    return next((one for one in revisions if make.generation(one) == generation), None)


def is_reusable(configuration: Configuration, named: Revision) -> bool:
    """Ours, and of this generation or at least of the same spec: a rollback by name."""
    if not is_controlled_by(named.metadata, configuration):
        return False
    return make.generation(named) == configuration.metadata.generation or named.spec == configuration.spec.template.spec


def latest_ready(configuration: Configuration, revisions: list[Revision]) -> str:
    """The newest that is ready, of those from the one before on; never an older one but by its name."""
    named = configuration.spec.template.metadata.name
    before = configuration.status.latest_ready_revision_name
    ready = [one for one in revisions if _is_ready(one)]
    if named and any(one.name == named for one in ready):
        return named
    oldest = next((make.generation(one) for one in revisions if one.name == before), 0)
    candidates = [one for one in ready if oldest <= make.generation(one) <= configuration.metadata.generation]
    return max(candidates, key=make.generation).name if candidates else before


def mark(current: Revision, newest: str, conditions: Conditions) -> None:
    """Ready follows the Revision that was made last."""
    if is_failed(current.metadata.generation, current.status.observed_generation, current.status.conditions):
        failed = find(current.status.conditions, READY)
        message = failed.message if failed is not None else ""
        conditions.mark_false(READY, REVISION_FAILED, f'Revision "{current.name}" failed with message: {message}.')
    elif newest == current.name:
        conditions.mark_true(READY)
    else:
        conditions.mark_unknown(READY)


def _is_ready(one: Revision) -> bool:
    return is_ready(one.metadata.generation, one.status.observed_generation, one.status.conditions)


def _creation_failed(conditions: Conditions, message: str) -> None:
    conditions.mark_false(READY, REVISION_FAILED, f"Revision creation failed with message: {message}.")
