"""Condition: what is true of an object, and how that adds up to Ready (SC 0.1)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

READY = "Ready"
"""The happy condition of every kind here."""

INFO = "Info"
"""Severity of a condition that never counts for Ready; conditions that do have none."""

NEW_GENERATION = "NewObservedGenFailure"
NEW_GENERATION_MESSAGE = "unsuccessfully observed a new generation"


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """One thing that is True, False or Unknown."""

    type: str
    status: str
    severity: str = ""
    last_transition_time: str | None = None
    reason: str = ""
    message: str = ""

    @property
    def is_true(self) -> bool:
        return self.status == TRUE

    @property
    def is_false(self) -> bool:
        return self.status == FALSE

    @property
    def is_unknown(self) -> bool:
        return self.status == UNKNOWN


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    return next((condition for condition in conditions if condition.type == kind), None)


class Conditions:
    """The conditions of one object while it is decided what they should be.

    dependents  the types that make Ready; any other type is stored for information
    before      what the status says now
    now         RFC 3339, the time of everything that changes

    Only what differs at the end carries the new time: a condition that is changed and changed back keeps its old one.
    """

    __slots__ = ("_before", "_current", "_dependents", "_now", "_order")

    def __init__(self, dependents: Iterable[str], before: Iterable[Condition], now: str) -> None:
        self._dependents = tuple(dependents)
        self._before = {condition.type: condition for condition in before}
        self._current = dict(self._before)
        self._order: dict[str, int] = {}
        self._now = now

    def get(self, kind: str) -> Condition | None:
        return self._current.get(kind)

    def is_status(self, kind: str, status: str) -> bool:
        """Whether a condition is there and has this status."""
        found = self._current.get(kind)
        return found is not None and found.status == status

    def initialise(self) -> None:
        """Missing dependents are Unknown, or True where Ready is True already; a missing Ready is Unknown."""
        status = TRUE if self.is_status(READY, TRUE) else UNKNOWN
        for kind in (READY, *self._dependents):
            if kind not in self._current:
                self._set(kind, status)

    def new_generation(self) -> None:
        """Ready is Unknown until somebody says more; seen by users only if the reconcile fails at once (SC 0.2)."""
        self._set(READY, UNKNOWN, NEW_GENERATION, NEW_GENERATION_MESSAGE)

    def mark_true(self, kind: str, reason: str = "", message: str = "") -> None:
        self._set(kind, TRUE, reason, message)
        unhappy = self._newest(FALSE) or self._newest(UNKNOWN)
        if unhappy is not None:
            self._set(READY, unhappy.status, unhappy.reason, unhappy.message)
        elif any(dependent not in self._current for dependent in self._dependents):
            self._set(READY, UNKNOWN)
        elif kind != READY:
            self._set(READY, TRUE)

    def mark_false(self, kind: str, reason: str, message: str) -> None:
        self._set(kind, FALSE, reason, message)
        if kind in self._dependents:
            self._set(READY, FALSE, reason, message)

    def mark_unknown(self, kind: str, reason: str = "", message: str = "") -> None:
        self._set(kind, UNKNOWN, reason, message)
        failed = self._newest(FALSE)
        if failed is None and kind in self._dependents:
            self._set(READY, UNKNOWN, reason, message)
        elif failed is not None and not self.is_status(READY, FALSE):
            self._set(READY, FALSE, failed.reason, failed.message)

    def mark(self, kind: str, like: Condition) -> None:
        """Take over status, reason and message of another object's condition."""
        if like.is_true:
            self.mark_true(kind, like.reason, like.message)
        elif like.is_false:
            self.mark_false(kind, like.reason, like.message)
        else:
            self.mark_unknown(kind, like.reason, like.message)

    def drop(self, kind: str) -> None:
        """Forget a condition that counts only for information."""
        self._current.pop(kind, None)

    def result(self) -> tuple[Condition, ...]:
        """All of them, sorted by type, each with the time of its last change."""
        return tuple(self._dated(self._current[kind]) for kind in sorted(self._current))

    def _dated(self, condition: Condition) -> Condition:
        before = self._before.get(condition.type)
        kept = before.last_transition_time if before is not None else None
        candidate = msgspec.structs.replace(condition, last_transition_time=kept)
        if before is not None and candidate == before:
            return before
        return msgspec.structs.replace(condition, last_transition_time=self._now)

    def _set(self, kind: str, status: str, reason: str = "", message: str = "") -> None:
        severity = "" if kind == READY or kind in self._dependents else INFO
        condition = Condition(type=kind, status=status, severity=severity, reason=reason, message=message)
        if self._is_same(condition):
            return
        self._current[kind] = condition
        self._order[kind] = max(self._order.values(), default=0) + 1

    def _is_same(self, condition: Condition) -> bool:
        current = self._current.get(condition.type)
        if current is None:
            return False
        return condition == msgspec.structs.replace(current, last_transition_time=None)

    def _newest(self, status: str) -> Condition | None:
        """The dependent with this status that changed last; the first by name where two changed at once."""
        found = [self._current[kind] for kind in sorted(self._dependents) if self.is_status(kind, status)]
        return max(found, key=lambda c: (self._order.get(c.type, 0), c.last_transition_time or ""), default=None)


def is_ready(generation: int, observed_generation: int, conditions: Iterable[Condition]) -> bool:
    """Ready is True, and speaks of the spec as it is now."""
    return observed_generation == generation and _happy(conditions) == TRUE


def is_failed(generation: int, observed_generation: int, conditions: Iterable[Condition]) -> bool:
    """Ready is False, and speaks of the spec as it is now."""
    return observed_generation == generation and _happy(conditions) == FALSE


def _happy(conditions: Iterable[Condition]) -> str:
    found = find(conditions, READY)
    return UNKNOWN if found is None else found.status
