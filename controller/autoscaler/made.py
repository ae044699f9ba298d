"""Made: a decision with all that went into it, so that it can be explained, and made again."""

from __future__ import annotations

from collections import deque

import msgspec

from .decide import Decision, Load, Memory, Policy, decide
from .predict import Aim, Need, Trail, predict

KEPT = 50
"""Decisions of one revision that are remembered: those that changed something."""


class KnativeQuestion(msgspec.Struct, frozen=True, tag_field="algorithm", tag="knative"):
    """What upstream's algorithm was asked."""

    policy: Policy
    load: Load
    memory: Memory

    def answer(self, now_s: float) -> tuple[Decision, Memory]:
        """The same question has the same answer, always."""
        return decide(self.policy, self.load, self.memory, now_s)


class PredictiveQuestion(msgspec.Struct, frozen=True, tag_field="algorithm", tag="predictive"):
    """What our own algorithm was asked."""

    aim: Aim
    need: Need
    trail: Trail

    def answer(self, now_s: float) -> tuple[Decision, Trail]:
        """The same question has the same answer, always."""
        return predict(self.aim, self.need, self.trail, now_s)


class Made(msgspec.Struct, frozen=True):
    """One decision."""

    at_s: float
    """Unix seconds."""
    question: KnativeQuestion | PredictiveQuestion
    decision: Decision

    def again(self) -> Decision:
        """The decision, made once more."""
        return self.question.answer(self.at_s)[0]


class History:
    """The decisions of one revision that changed something, and the last one of all."""

    def __init__(self, kept: int = KEPT) -> None:
        self._changes: deque[Made] = deque(maxlen=kept)
        self.last: Made | None = None

    def add(self, made: Made) -> None:
        """Keeps it; while nothing changes only the last one."""
        before = self._changes[-1].decision if self._changes else None
        if before is None or (before.pods, before.excess >= 0) != (made.decision.pods, made.decision.excess >= 0):
            self._changes.append(made)
        self.last = made

    def all(self) -> list[Made]:
        """Oldest first; the last one of all is at the end, also where it changed nothing."""
        kept = list(self._changes)
        return kept if self.last is None or kept[-1] is self.last else [*kept, self.last]
