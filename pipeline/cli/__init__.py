"""The `wildloop` command. Each subcommand is a module, imported when it is called.

Such a module imports at its top what every run of the command needs; torch and whatever else takes seconds
to import comes in inside the command, so that `wildloop COMMAND --help` stays quick.
"""

from __future__ import annotations

import sys

import click

from pipeline import __version__
from pipeline.cli.lazy import LazyCommand, LazyGroup
from pipeline.errors import WildloopError

IMPORT, LABEL, LEARN = "Import", "Label", "Learn"
EMBEDDERS, RESULTS, SERVERS = "Embedders", "Results", "Servers"

COMMANDS: dict[str, LazyCommand] = {
    "import": LazyCommand(
        "pipeline.cli.imports:import_group",
        "Import photographs, with boxes and labels if they have any.",
        IMPORT,
    ),
    "combine-json": LazyCommand(
        "pipeline.cli.combine:combine_json", "Combine several COCO Camera Traps files into one.", IMPORT
    ),
    "embed": LazyCommand("pipeline.cli.embed:embed", "Compute the embedding of every new crop.", IMPORT),
    "project": LazyCommand("pipeline.cli.project:project", "Create or change a Label Studio project.", LABEL),
    "publish": LazyCommand("pipeline.cli.publish:publish", "Top up the tasks in Label Studio.", LABEL),
    "sync": LazyCommand("pipeline.cli.sync:sync", "Fetch annotations that webhooks missed.", LABEL),
    "board": LazyCommand("pipeline.cli.board:board", "Ask people about crops that are alike.", LABEL),
    "withdraw": LazyCommand("pipeline.cli.withdraw:withdraw", "Take annotations back.", LABEL),
    "review": LazyCommand("pipeline.cli.review:review", "List labels that are expected to be wrong.", LABEL),
    "agreement": LazyCommand("pipeline.cli.agreement:agreement", "Tell how far annotators agree.", LABEL),
    "train": LazyCommand("pipeline.cli.train:train", "Train a model version and refresh the queue.", LEARN),
    "models": LazyCommand("pipeline.cli.models:models", "List the model versions.", LEARN),
    "activate": LazyCommand("pipeline.cli.models:activate", "Switch to another model version.", LEARN),
    "audit": LazyCommand("pipeline.cli.audit:audit", "Estimate how good the current version is.", LEARN),
    "accept": LazyCommand(
        "pipeline.cli.accept:accept", "Accept predictions as labels, under a guarantee.", LEARN
    ),
    "simulate": LazyCommand(
        "pipeline.cli.simulate:simulate", "Compare query strategies on labelled crops.", LEARN
    ),
    "embedding": LazyCommand(
        "pipeline.cli.embedding:embedding", "Train, evaluate and switch embedders.", EMBEDDERS
    ),
    "status": LazyCommand("pipeline.cli.status:status", "Show the progress of every project.", RESULTS),
    "export": LazyCommand("pipeline.cli.export:export", "Export labels and predictions.", RESULTS),
    "dataset": LazyCommand("pipeline.cli.dataset:dataset", "Make a classification dataset.", RESULTS),
    "label-studio": LazyCommand(
        "pipeline.cli.label_studio:label_studio",
        "Run Label Studio here, with the ML backend and a worker.",
        SERVERS,
    ),
    "serve": LazyCommand("pipeline.cli.serve:serve", "Run the ML backend for Label Studio.", SERVERS),
    "worker": LazyCommand(
        "pipeline.cli.worker:worker", "Embed, publish, train and sync in the background.", SERVERS
    ),
    "doctor": LazyCommand(
        "pipeline.cli.doctor:doctor", "Check the installation, Label Studio and every project.", SERVERS
    ),
    "demo": LazyCommand("pipeline.cli.demo:demo", "Run everything on this machine, to try it out.", SERVERS),
}

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="wildloop")
def wildloop() -> None:
    """Active learning for camera-trap species labelling in Label Studio."""


def main() -> None:
    """Run the command; an error that the user can fix ends with one line and status 1, not a traceback."""
    try:
        wildloop()
    except WildloopError as exc:
        click.echo(f"wildloop: {exc}", err=True)
        sys.exit(1)
