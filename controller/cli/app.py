"""App: the commands of `penstock`."""

from __future__ import annotations

import sys

import typer

from controller.cli import completion, deploy, explain, logs, machine, services, simulate, traffic

app = typer.Typer(
    name="penstock",
    help="Services that scale from zero and back, on one machine.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, command in (
    ("up", machine.up),
    ("down", machine.down),
    ("reset", machine.reset),
    ("deploy", deploy.deploy),
    ("list", services.list_services),
    ("describe", services.describe),
    ("logs", logs.logs),
    ("traffic", traffic.traffic),
    ("explain", explain.explain),
    ("delete", services.delete),
    ("simulate", simulate.simulate),
    ("completion", completion.completion),
):
    app.command(name)(command)


def main() -> int:
    """The exit status: 0, 1 for what cannot be done, 2 for a command that is not understood."""
    app(prog_name="penstock")
    return 0


if __name__ == "__main__":
    sys.exit(main())
