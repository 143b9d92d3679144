"""`wildloop embedding`: embedders trained, compared and put to use."""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyGroup

COMMANDS = {  # name: module:attribute
    "evaluate": "pipeline.cli.embedding.evaluate:evaluate",
}


@click.group(cls=LazyGroup, commands_at=COMMANDS)
def embedding() -> None:
    """Train embedders on labelled crops, compare them, and change whose vectors a project works with."""
