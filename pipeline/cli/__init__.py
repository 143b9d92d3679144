"""The `wildloop` command. Each subcommand lives in a module of its own, loaded when it is asked for.

Modules here import only click and the standard library at their top: `--help` stays quick.
"""

from __future__ import annotations

import sys

import click

from pipeline import __version__
from pipeline.cli.lazy import LazyGroup
from pipeline.errors import WildloopError

COMMANDS: dict[str, str] = {  # name: module:attribute
    "import": "pipeline.cli.imports:import_group",
    "combine-json": "pipeline.cli.combine:combine_json",
    "embed": "pipeline.cli.embed:embed",
    "embedding": "pipeline.cli.embedding:embedding",
    "serve": "pipeline.cli.serve:serve",
    "project": "pipeline.cli.project:project",
    "publish": "pipeline.cli.publish:publish",
    "push": "pipeline.cli.publish:push",
    "worker": "pipeline.cli.worker:worker",
    "sync": "pipeline.cli.sync:sync",
    "train": "pipeline.cli.train:train",
    "audit": "pipeline.cli.audit:audit",
    "accept": "pipeline.cli.accept:accept",
    "models": "pipeline.cli.models:models",
    "activate": "pipeline.cli.models:activate",
    "review": "pipeline.cli.review:review",
    "dataset": "pipeline.cli.dataset:dataset",
    "export": "pipeline.cli.export:export",
    "simulate": "pipeline.cli.simulate:simulate",
    "status": "pipeline.cli.status:status",
    "doctor": "pipeline.cli.doctor:doctor",
    "demo": "pipeline.cli.demo:demo",
}


@click.group(cls=LazyGroup, commands_at=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
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
