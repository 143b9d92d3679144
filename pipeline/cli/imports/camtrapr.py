"""`wildloop import camtrapr`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.camtrapr import import_camtrapr
from pipeline.cli.imports.common import (
    detector_option,
    images_option,
    import_options,
    optional_detector,
    run_import,
)


@click.command("camtrapr")
@click.argument("table", type=click.Path(path_type=Path), metavar="FILE.csv")
@images_option
@detector_option
@import_options
def camtrapr_command(table: Path, images: str, detector: str | None, **options: Any) -> None:
    """Import the photographs of a record table of camtrapR, with the species that people saw.

    The station is the location. Photographs are found below --images by the end of Directory and FileName,
    else by FileName in a folder of the station.
    """
    run_import(
        lambda workspace, chosen: import_camtrapr(
            workspace,
            table,
            images,
            optional_detector(detector),
            options=chosen,
            progress=True,
        ),
        **options,
    )
