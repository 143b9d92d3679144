"""`wildloop import crops`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.imports.options import finish, import_options, read


@click.command("crops")
@click.argument("folder", metavar="DIR")
@click.option(
    "--labels/--no-labels",
    default=True,
    help="Whether classes become labels, with this folder as their source. [default: --labels]",
)
@click.option(
    "--json",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="COCO file that lists the crops below DIR, with classes, locations and sequences. May be given "
    "several times. [default: train.json and test.json in DIR, where they are there]",
)
@import_options
def crops_command(folder: str, labels: bool, files: tuple[Path, ...], **options: Any) -> None:
    """Import crops as they are: DIR has a folder for each class, or a JSON file, or no classes at all.

    DIR may be a URL that fsspec reads. The first folder below DIR is the class; crops that lie in DIR
    itself have none. Every crop is kept, whatever --keep and --threshold say.
    """
    from importers.sources.crop_folder import import_crops
    from pipeline.workspace import open_workspace

    report = import_crops(
        open_workspace(),
        folder,
        files,
        labels=labels,
        options=read(**options),
        progress=True,
    )
    finish(report)
