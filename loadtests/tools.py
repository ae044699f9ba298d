"""Tools: builds the small C and Go programs that the load tests need."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE / "build"
VENV_BIN = HERE.parent / ".venv" / "bin"

C_SOURCES = {
    "origin": HERE / "origin" / "origin.c",
    "caller": HERE / "compare" / "caller.c",
    "floor": HERE / "compare" / "floor.c",
}
GO_SOURCES = {
    "goproxy": HERE / "compare" / "goproxy",
    "app": HERE / "origin" / "app",
    "race": HERE / "endure" / "race",
    "abandon": HERE / "endure" / "abandon",
}


class ToolError(Exception):
    """A program that the load tests need is missing or does not build."""


def program(name: str) -> str:
    """Path of an installed program; what pip brought goes before what the system has.

    Raises  ToolError when it is not on PATH, naming it.
    """
    found = shutil.which(name, path=f"{VENV_BIN}:{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if found is None:
        raise ToolError(f"{name} is not installed; the targets of make install what they need, or do it by hand")
    return found


def tool(name: str) -> Path:
    """Path of one of our own tools, built when its source is newer than it is.

    Raises  ToolError with the compiler's words when it does not build.
    """
    built = BUILD / name
    sources = [C_SOURCES[name]] if name in C_SOURCES else sorted(GO_SOURCES[name].iterdir())
    if built.exists() and all(source.stat().st_mtime <= built.stat().st_mtime for source in sources):
        return built
    BUILD.mkdir(exist_ok=True)
    if name not in C_SOURCES:
        go_build(GO_SOURCES[name], built)
        return built
    command = [program("gcc"), "-O2", "-Wall", "-Wextra", "-o", str(built), str(sources[0])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ToolError(f"{name} does not build: {done.stderr.strip()}")
    return built


def go_build(sources: Path, built: Path, package: str = ".", **variables: str) -> None:
    """Builds a program in Go; it bears no mark of the checkout, so that no git is asked.

    Raises  ToolError with the compiler's words when it does not build.
    """
    command = [program("go"), "build", "-buildvcs=false", "-trimpath", "-o", str(built), package]
    done = subprocess.run(command, capture_output=True, text=True, cwd=sources, env=os.environ | variables)
    if done.returncode:
        raise ToolError(f"{sources.name} does not build: {done.stderr.strip()}")
