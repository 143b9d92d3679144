"""`wildloop import megadetector`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.megadetector import import_results
from pipeline.cli.imports.common import images_option, import_options, run_import


@click.command("megadetector")
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS.json")
@images_option
@click.option(
    "--classifications/--no-classifications",
    default=False,
    help="Keep the best classification of each box as a weak label, which every label by people overrides. "
    "[default: no]",
)
@click.option(
    "--classification-threshold",
    type=click.FloatRange(0.0, 1.0),
    default=0.0,
    show_default=True,
    help="Minimum confidence of a classification.",
)
@click.option(
    "--drop-repeats/--keep-repeats",
    default=False,
    help="Leave out repeat detections: boxes that cover at most 0.2 of the frame, have a confidence above "
    "0.1, and overlap by 0.9 with at least 20 others of the same location. [default: keep]",
)
@click.option(
    "--repeats-report",
    type=click.Path(path_type=Path),
    metavar="FILE.csv",
    help="Write repeat detections to a table: location, box, number, an example. It drops none.",
)
@click.option(
    "--frames-per-second",
    type=click.FloatRange(0.0, min_open=True),
    metavar="N",
    help="Most frames that are used of each second of a video. [default: all that MegaDetector looked at]",
)
@import_options
def megadetector_command(
    results: Path,
    images: str,
    classifications: bool,
    classification_threshold: float,
    drop_repeats: bool,
    repeats_report: Path | None,
    frames_per_second: float | None,
    **options: Any,
) -> None:
    """Import the photographs of a MegaDetector results file (format 1.0 to 1.6), with its boxes.

    Videos come as sequences of their frames, which lie in folders named after the videos
    (clip.mp4/frame000030.jpg), or are sampled from the videos themselves (needs wildloop[video]).
    """
    run_import(
        lambda workspace, chosen: import_results(
            workspace,
            results,
            images,
            options=chosen,
            classifications=classifications,
            classification_threshold=classification_threshold,
            drop_repeats=drop_repeats,
            repeats_report=repeats_report,
            frames_per_second=frames_per_second,
            progress=True,
        ),
        **options,
    )
