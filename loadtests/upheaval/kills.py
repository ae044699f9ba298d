"""Kills: any process dies at any moment; only what runs inside it may fail, and the state comes back by itself."""

from __future__ import annotations

from loadtests.settings import Settings
from loadtests.upheaval.machine import Machine


async def kills(machine: Machine, settings: Settings) -> None:
    """kill -9 of any process at random: only requests inside it may fail; after it the state is as declared."""
