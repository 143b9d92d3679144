"""`wildloop import megadetector`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.imports.options import finish, images_option, import_options, read


@click.command("megadetector")
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS.json")
@images_option
@click.option(
    "--classifications/--no-classifications",
    default=False,
    help="Adopt the best classification of each box as a weak label, which any person's outvotes. "
    "[default: no]",
)
@click.option(
    "--classification-threshold",
    type=click.FloatRange(0.0, 1.0),
    default=0.0,
    show_default=True,
    help="Least confidence of a classification that is adopted.",
)
@click.option(
    "--drop-repeats/--keep-repeats",
    default=False,
    help="Leave out boxes that stand still across a camera's photographs: at least 20 others of its "
    "location overlap by 0.9, with a confidence over 0.1 and at most 0.2 of the frame. [default: keep]",
)
@click.option(
    "--repeats-report",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Write such boxes to a table: location, box, how many, an example. They are dropped only with "
    "--drop-repeats.",
)
@import_options
def megadetector_command(
    results: Path,
    images: str,
    classifications: bool,
    classification_threshold: float,
    drop_repeats: bool,
    repeats_report: Path | None,
    **options: Any,
) -> None:
    """Import the photographs of a MegaDetector results file (format 1.1 to 1.6), with its boxes."""
    from importers.sources.megadetector import import_results
    from pipeline.workspace import open_workspace

    report = import_results(
        open_workspace(),
        results,
        images,
        options=read(**options),
        classifications=classifications,
        classification_threshold=classification_threshold,
        drop_repeats=drop_repeats,
        repeats_report=repeats_report,
        progress=True,
    )
    finish(report)
