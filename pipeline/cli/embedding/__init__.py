"""`wildloop embedding`: embedders trained, compared and put to use."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyGroup

COMMANDS = {  # name: module:attribute
    "train": "pipeline.cli.embedding.train:train",
    "evaluate": "pipeline.cli.embedding.evaluate:evaluate",
    "finetune": "pipeline.cli.embedding.finetune:finetune",
    "list": "pipeline.cli.embedding.list:list_",
    "use": "pipeline.cli.embedding.use:use",
    "export": "pipeline.cli.embedding.export:export",
}


@click.group(cls=LazyGroup, commands_at=COMMANDS)
def embedding() -> None:
    """Train embedders on labelled crops, compare them, and change whose vectors a project works with."""
