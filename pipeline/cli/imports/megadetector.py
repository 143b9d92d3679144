"""`wildloop import megadetector`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.imports.options import finish, images_option, import_options, read


@click.command("megadetector")
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS.json")
@images_option
@import_options
def megadetector_command(results: Path, images: str, **options: Any) -> None:
    """Import the photographs of a MegaDetector results file (format 1.1 to 1.6), with its boxes."""
    from importers.megadetector import import_results
    from pipeline.wiring import open_house

    house = open_house()
    report = import_results(
        house.database, house.settings.data_dir, results, images, options=read(**options), progress=True
    )
    finish(report)
