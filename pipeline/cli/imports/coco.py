"""`wildloop import coco`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.imports.options import detector_option, finish, images_option, import_options, read


@click.command("coco")
@click.argument("files", type=click.Path(path_type=Path), metavar="FILE...", nargs=-1, required=True)
@images_option
@detector_option
@import_options
def coco_command(files: tuple[Path, ...], images: str, detector: str | None, **options: Any) -> None:
    """Import the photographs of COCO Camera Traps files, with their boxes and labels.

    Of several files the ids, sequences and locations get a prefix (ds000_, ds001_, ...), and categories
    merge by name, as `wildloop combine-json` would write them.
    """
    from importers.detectors import load_detector
    from importers.sources.coco import import_coco
    from pipeline.workspace import open_workspace

    report = import_coco(
        open_workspace(),
        files,
        images,
        load_detector(detector) if detector else None,
        options=read(**options),
        progress=True,
    )
    finish(report)
