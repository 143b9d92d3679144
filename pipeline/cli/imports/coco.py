"""`wildloop import coco`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.coco import import_coco
from pipeline.cli.imports.common import (
    detector_option,
    images_option,
    import_options,
    optional_detector,
    run_import,
)


@click.command("coco")
@click.argument("files", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
@images_option
@detector_option
@import_options
def coco_command(files: tuple[Path, ...], images: str, detector: str | None, **options: Any) -> None:
    """Import the photographs of COCO Camera Traps files, with their boxes and labels.

    If there are several files, ids, sequences and locations get a prefix (ds000_, ds001_, ...) and
    categories merge by name, as in `wildloop combine-json`.
    """
    run_import(
        lambda workspace, chosen: import_coco(
            workspace,
            files,
            images,
            optional_detector(detector),
            options=chosen,
            progress=True,
        ),
        **options,
    )
