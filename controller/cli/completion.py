"""Completion: the script that a shell needs to complete `penstock`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

PROGRAM = "penstock"


class Shell(StrEnum):
    """Those that typer knows."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="Which shell.")] = Shell.BASH) -> None:
    """Print a script for your shell: source <(penstock completion bash)."""
    from typer._completion_shared import get_completion_script

    print(get_completion_script(prog_name=PROGRAM, complete_var=f"_{PROGRAM.upper()}_COMPLETE", shell=shell.value))
