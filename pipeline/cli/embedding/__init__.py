"""`wildloop embedding`"""

from __future__ import annotations

import click

from pipeline.cli.lazy import LazyCommand, LazyGroup

COMMANDS = {
    "train": LazyCommand("pipeline.cli.embedding.train:train", "Train an embedder on labelled crops."),
    "finetune": LazyCommand(
        "pipeline.cli.embedding.finetune:finetune", "Train a project's embedder further, on its labels."
    ),
    "evaluate": LazyCommand(
        "pipeline.cli.embedding.evaluate:evaluate", "Compare embedders on a labelled dataset."
    ),
    "list": LazyCommand("pipeline.cli.embedding.list:list_", "List the trained embedders."),
    "use": LazyCommand("pipeline.cli.embedding.use:use", "Switch a project to another embedder."),
    "export": LazyCommand("pipeline.cli.embedding.export:export", "Export an embedder as an ONNX file."),
}


@click.group(cls=LazyGroup, lazy_commands=COMMANDS)
def embedding() -> None:
    """Train, compare and switch embedders."""
