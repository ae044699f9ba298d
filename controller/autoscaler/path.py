"""Path: whether activators answer for a revision, by their own word (contract.reports)."""

from __future__ import annotations

from .intake import Intake


class AcknowledgedPath:
    """For activators of ours: each acknowledges which revisions go through it."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._wanted: set[str] = set()
        self._awaited: set[str] = set()

    def wants(self, revision: str, is_wanted: bool) -> None:
        """The revision should go through activators only, or need not any more."""
        if is_wanted != (revision in self._wanted):
            self._wanted.symmetric_difference_update((revision,))
            self._awaited.add(revision) if is_wanted else self._awaited.discard(revision)
            self._intake.set_path(frozenset(self._wanted))

    def confirmed(self) -> list[str]:
        """Revisions that are acknowledged since this was last asked: those that wait, not all."""
        found = [revision for revision in self._awaited if self._intake.is_in_path(revision)]
        self._awaited.difference_update(found)
        return found

    def is_confirmed(self, revision: str) -> bool:
        """Every activator has acknowledged it."""
        return self._intake.is_in_path(revision)

    def is_acknowledged(self, revision: str) -> bool:
        """The same: a word of theirs is certain, where a probe is not."""
        return self._intake.is_in_path(revision)
