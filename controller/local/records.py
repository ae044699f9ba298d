"""Record: the processes of a pod, as a node leaves them for whoever comes after it.

A pid counts only with the tick at which its process began, so a number that
was given again is nobody's.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .process import birth, signal_group


class ProcessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a pod, as an earlier node left it."""

    pid: int
    born: int
    restarts: int
    since: str


class PodRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a later node has to know of a pod to take it up again."""

    namespace: str
    name: str
    uid: str
    address: str
    port: int
    containers: dict[str, ProcessRecord]

    @property
    def living(self) -> list[int]:
        """Pids of those that run still."""
        return [one.pid for one in self.containers.values() if birth(one.pid) == one.born]


def take(folder: Path) -> dict[tuple[str, str], PodRecord]:
    """All, by namespace and name; files that cannot be read are removed."""
    found = {}
    for path, record in _read(folder):
        if record is None:
            path.unlink(missing_ok=True)
        else:
            found[record.namespace, record.name] = record
    return found


def look(folder: Path) -> list[PodRecord]:
    """Those of pods that run still; changes nothing."""
    return [record for _, record in _read(folder) if record is not None and record.living]


def end(folder: Path, record: PodRecord) -> None:
    """Kills what runs for a pod that nobody wants any more."""
    for pid in record.living:
        signal_group(pid, signal.SIGKILL)
    forget(folder, record)


def forget(folder: Path, record: PodRecord) -> None:
    """The record; not what it names."""
    (folder / f"{record.namespace}_{record.name}.json").unlink(missing_ok=True)


def _read(folder: Path) -> Iterator[tuple[Path, PodRecord | None]]:
    for path in folder.glob("*"):
        try:
            whole = path.suffix == ".json"
            yield path, msgspec.json.decode(path.read_bytes(), type=PodRecord) if whole else None
        except (OSError, msgspec.DecodeError):
            yield path, None
