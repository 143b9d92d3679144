"""The `wildloop` command. Each subcommand lives in a module of its own, loaded when it is asked for.

Modules here import only click and the standard library at their top: `--help` stays quick.
"""

from __future__ import annotations

import importlib
import sys

import click

from pipeline import __version__
from pipeline.errors import WildloopError

COMMANDS: dict[str, str] = {  # name: module:attribute
    "import": "pipeline.cli.imports:import_group",
    "embed": "pipeline.cli.embed:embed",
    "serve": "pipeline.cli.serve:serve",
    "project": "pipeline.cli.project:project",
    "publish": "pipeline.cli.publish:publish",
    "push": "pipeline.cli.publish:push",
    "worker": "pipeline.cli.worker:worker",
    "sync": "pipeline.cli.sync:sync",
    "train": "pipeline.cli.train:train",
    "models": "pipeline.cli.models:models",
    "activate": "pipeline.cli.models:activate",
    "status": "pipeline.cli.status:status",
    "doctor": "pipeline.cli.doctor:doctor",
    "demo": "pipeline.cli.demo:demo",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are named."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wildloop")
def wildloop() -> None:
    """Active learning for camera-trap species labelling, inside Label Studio."""


def main() -> None:
    """Run the command; what the user can mend ends with one line and status 1, not a traceback."""
    try:
        wildloop()
    except WildloopError as exc:
        click.echo(f"wildloop: {exc}", err=True)
        sys.exit(1)
