"""Metric: the object that says what is collected of a revision's load, and how that goes (SC 1.2)."""

from __future__ import annotations

import time

import msgspec

from controller.api.autoscaling import METRIC_CONDITIONS, Metric, MetricSpec, PodAutoscaler
from controller.api.conditions import READY, Conditions
from controller.api.meta import namesake, timestamp
from controller.api.serving import Status
from controller.api.values import NS_PER_S
from controller.children import ensure, resource_of, write_status
from dataplane.kube.client import Client

from .policy import RevisionPolicy
from .scrapes import COLLECTED, NO_ENDPOINTS

METRICS = resource_of(Metric)

NOT_SCRAPED = (COLLECTED, "")
"""Activators report: there is nothing that could fail here."""


class MetricWriter:
    """Keeps the objects as they should be. What was written is remembered, and written again after a restart."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._written: dict[str, Metric] = {}

    def forget(self, name: str) -> None:
        """The revision has gone; its owner takes the object with it."""
        self._written.pop(name, None)

    async def write(self, item: PodAutoscaler, wanted: RevisionPolicy, target: str, outcome: tuple[str, str]) -> None:
        """target: the service whose pods are asked; empty where activators see every request."""
        name = f"{item.namespace}/{item.name}"
        before = self._written.get(name)
        live = await ensure(self._client, METRICS, _metric(item, wanted, target), before)
        status = before.status if before is not None else Status()
        conditions = Conditions(METRIC_CONDITIONS, status.conditions, timestamp(time.time()))
        _mark(conditions, *outcome)
        changed = msgspec.structs.replace(
            status, observed_generation=live.metadata.generation, conditions=conditions.result()
        )
        await write_status(self._client, METRICS, live, changed, status)
        self._written[name] = msgspec.structs.replace(live, status=changed)


def _mark(conditions: Conditions, reason: str, message: str) -> None:
    if reason == COLLECTED:
        conditions.mark_true(READY)
    elif reason == NO_ENDPOINTS:
        conditions.mark_unknown(READY, reason, message)
    else:
        conditions.mark_false(READY, reason, message)


def _metric(item: PodAutoscaler, wanted: RevisionPolicy, target: str) -> Metric:
    return Metric(
        metadata=namesake(item),
        spec=MetricSpec(
            stable_window=round(wanted.policy.stable_s * NS_PER_S),
            panic_window=round(wanted.panic_s * NS_PER_S),
            scrape_target=target,
        ),
    )
