"""`wildloop import timelapse`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.timelapse import import_timelapse
from pipeline.cli.imports.common import (
    detector_option,
    images_option,
    import_options,
    optional_detector,
    run_import,
)


@click.command("timelapse")
@click.argument("table", type=click.Path(path_type=Path), metavar="FILE.csv")
@images_option
@click.option(
    "--species-field",
    "species_fields",
    multiple=True,
    metavar="NAME",
    help="Field of your template that names the species. A flag or a counter names it by its own name. Can "
    "be given several times. [default: the fields called Species]",
)
@click.option("--count-field", metavar="NAME", help="Field of your template with the number of individuals.")
@detector_option
@import_options
def timelapse_command(
    table: Path,
    images: str,
    species_fields: tuple[str, ...],
    count_field: str | None,
    detector: str | None,
    **options: Any,
) -> None:
    """Import the photographs of a CSV that Timelapse exported, with the species that people saw.

    An empty field is no answer. Photographs marked for deletion are skipped.
    """
    run_import(
        lambda workspace, chosen: import_timelapse(
            workspace,
            table,
            images,
            optional_detector(detector),
            species_fields=species_fields,
            count_field=count_field,
            options=chosen,
            progress=True,
        ),
        **options,
    )
