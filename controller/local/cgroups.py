"""Cgroup: limits of CPU and memory for one container, where the machine lets us set them (v2, else v1).

Where it does not, containers run without limits; that is said once.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.api.values import quantity

Object = dict[str, Any]

log = logging.getLogger("penstock.node")

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000
"""Within which a share of CPU time is given out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """None: none."""

    cpu: float | None
    """In cores."""
    memory_bytes: int | None

    @classmethod
    def of(cls, container: Object) -> Limits | None:
        """What a container may use at most; None when nothing is said."""
        said = container.get("resources", {}).get("limits", {})
        cpu, memory = said.get("cpu"), said.get("memory")
        if cpu is None and memory is None:
            return None
        return cls(
            None if cpu is None else float(quantity(str(cpu))), None if memory is None else int(quantity(str(memory)))
        )


class Cgroups:
    """The place of one node among all cgroups. `said` is whether the line about missing rights was written."""

    def __init__(self, name: str, root: Path = ROOT) -> None:
        self._name = name
        self._root = root
        self._is_v2 = (root / "cgroup.controllers").exists()
        self._said = False

    def of(self, container: str) -> Cgroup | None:
        """The group of a container, made; None where that is not allowed."""
        if self._is_v2:
            folders = {"": self._root / self._name / container}
        else:
            folders = {kind: self._root / kind / self._name / container for kind in ("cpu", "memory")}
        try:
            if self._is_v2:
                self._root.joinpath(self._name).mkdir(exist_ok=True)
                for folder in (self._root, self._root / self._name):
                    (folder / "cgroup.subtree_control").write_text("+cpu +memory")
            for folder in folders.values():
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._say(error)
            return None
        return Cgroup(folders, self._say)

    def _say(self, error: OSError) -> None:
        if not self._said:
            self._said = True
            log.warning("limits of CPU and memory are not kept: %s", error)


class Cgroup:
    """One container's. folders: by controller; the empty name stands for all of them (v2)."""

    def __init__(self, folders: dict[str, Path], say: Any) -> None:
        self._folders = folders
        self._say = say

    def hold(self, pid: int, limits: Limits) -> None:
        """Sets the limits, and puts a process under them."""
        try:
            for kind, folder in self._folders.items():
                for name, value in _settings(kind, limits):
                    (folder / name).write_text(value)
                (folder / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            self._say(error)

    def end(self) -> bool:
        """Removes the group; whether somebody in it was killed for memory."""
        killed = False
        for kind, folder in self._folders.items():
            if kind in ("", "memory"):
                killed = _oom_count(folder / ("memory.oom_control" if kind else "memory.events")) > 0
            with suppress(OSError):
                folder.rmdir()
        return killed


def _settings(kind: str, limits: Limits) -> list[tuple[str, str]]:
    found = []
    quota_us = None if limits.cpu is None else max(1000, int(limits.cpu * PERIOD_US))
    if quota_us is not None and kind == "":
        found.append(("cpu.max", f"{quota_us} {PERIOD_US}"))
    if quota_us is not None and kind == "cpu":
        found += [("cpu.cfs_period_us", str(PERIOD_US)), ("cpu.cfs_quota_us", str(quota_us))]
    if limits.memory_bytes is not None and kind in ("", "memory"):
        found.append(("memory.limit_in_bytes" if kind else "memory.max", str(limits.memory_bytes)))
    return found


def _oom_count(file: Path) -> int:
    with suppress(OSError):
        for line in file.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0
