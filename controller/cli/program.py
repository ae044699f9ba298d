"""Program: what a user's folder or file is run by, and what it is called."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from controller.cli.problem import Problem

NAME_MAX = 63
ENTRIES = ("main.py", "app.py", "server.py", "__main__.py")
"""Python files that start an app, the first one that is there."""


@dataclass(frozen=True, slots=True)
class Program:
    """A folder, and the command that is run in it."""

    name: str
    folder: Path
    command: tuple[str, ...]


def program(place: Path, name: str, command: str) -> Program:
    """What the user means. Raises Problem that names the argument.

    name     empty: that of the folder or file
    command  as a shell reads it; empty: what the folder says
    """
    if not place.exists():
        raise Problem(f"FOLDER: {place} is not there")
    place = place.resolve()
    folder = place if place.is_dir() else place.parent
    return Program(_name(name, place), folder, _split(command) if command else _found(place))


def _split(command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise Problem(f"--command: {command!r} cannot be read: {error}", "quote it as in a shell") from error
    if not words:
        raise Problem("--command: it is empty", "say what starts the app, or leave it out")
    return words


def _found(place: Path) -> tuple[str, ...]:
    if place.is_file():
        if place.suffix == ".py":
            return ("python3", "-u", place.name)
        raise Problem(
            f"FOLDER: {place.name} is neither a folder nor a Python file", 'say --command "./' + place.name + '"'
        )
    procfile = place / "Procfile"
    if procfile.is_file():
        for line in procfile.read_text(errors="replace").splitlines():
            kind, _, command = line.partition(":")
            if kind.strip() == "web" and command.strip():
                return ("sh", "-c", f"exec {command.strip()}")
    entry = next((entry for entry in ENTRIES if (place / entry).is_file()), None)
    if entry is not None:
        return ("python3", "-u", entry)
    if _has_start(place / "package.json"):
        return ("npm", "start", "--silent")
    raise Problem(
        f"FOLDER: nothing in {place} says what starts the app",
        f'say it: --command "…"; or have one of {", ".join(ENTRIES)}, a Procfile with web:, a package.json with start',
    )


def _has_start(package: Path) -> bool:
    try:
        return bool(json.loads(package.read_text())["scripts"]["start"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _name(said: str, place: Path) -> str:
    """Raises Problem for a name that cannot be part of a host."""
    name = said or re.sub(r"[^a-z0-9]+", "-", (place.stem if place.is_file() else place.name).lower()).strip("-")
    if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z0-9])?", name) or len(name) > NAME_MAX:
        raise Problem(
            f'--name: "{name}" cannot be part of a host name',
            f"use small letters, digits and - between them, {NAME_MAX} at most, a letter first: --name NAME",
        )
    return name
