"""`wildloop import crops`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.crop_folder import import_crops
from pipeline.cli.imports.common import import_options, run_import, strip_prefix_option


@click.command("crops")
@click.argument("folder", metavar="DIR")
@click.option(
    "--labels/--no-labels",
    default=True,
    help="Whether classes become labels, with this folder as their source. [default: --labels]",
)
@click.option(
    "--coco",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE.json",
    help="COCO file that lists crops below DIR, with classes, locations and sequences. Can be given several "
    "times. [default: train.json and test.json in DIR, if they exist]",
)
@strip_prefix_option
@import_options
def crops_command(folder: str, labels: bool, files: tuple[Path, ...], **options: Any) -> None:
    """Import crops as they are.

    DIR has one folder for each class, or a COCO file, or no classes at all: the first folder below DIR is
    the class, and crops in DIR itself have none. DIR can be a URL that fsspec reads. Every crop is kept;
    --keep and --threshold do not apply.
    """
    run_import(
        lambda workspace, chosen: import_crops(
            workspace,
            folder,
            files,
            labels=labels,
            options=chosen,
            progress=True,
        ),
        **options,
    )
