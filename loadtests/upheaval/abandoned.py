"""Abandoned."""

from __future__ import annotations

from loadtests.settings import Settings
from loadtests.upheaval.machine import Machine


async def abandoned(machine: Machine, settings: Settings) -> None:
    """Callers that give up after 50 ms."""
