"""`wildloop import detections-csv`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.detections_csv import import_detections
from importers.sources.detections_csv.rows import AxisOrder
from pipeline.cli.imports.common import images_option, import_options, run_import


@click.command("detections-csv")
@click.argument("detections", type=click.Path(path_type=Path), metavar="FILE.csv")
@images_option
@click.option(
    "--axis-order",
    type=click.Choice(["yxyx", "xyxy"]),
    help="Order of the four numbers of a box: ymin, xmin, ymax, xmax or xmin, ymin, xmax, ymax. Columns "
    "named ymin, xmin, ymax and xmax are read by name. [default: yxyx; required if the boxes look swapped]",
)
@import_options
def detections_csv_command(
    detections: Path, images: str, axis_order: AxisOrder | None, **options: Any
) -> None:
    """Import the photographs of a CSV of detections, with its boxes in fractions of the frame.

    A row is a box (name, score and four numbers, with or without a header), or a photograph (image_path,
    max_confidence and detections: a JSON list of four numbers, confidence and class).
    """
    run_import(
        lambda workspace, chosen: import_detections(
            workspace,
            detections,
            images,
            axis_order=axis_order,
            options=chosen,
            progress=True,
        ),
        **options,
    )
