"""`wildloop import wildlife-insights`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.wildlife_insights import import_wildlife_insights
from pipeline.cli.imports.common import detector_option, import_options, optional_detector, run_import


@click.command("wildlife-insights")
@click.argument("download", type=click.Path(path_type=Path), metavar="DIR_OR_ZIP")
@click.option(
    "--images",
    metavar="DIR",
    help="Folder of the photographs, or a URL that fsspec reads (gs://bucket/folder). They are found by the "
    "end of their address, else by file name. [default: the addresses in the download]",
)
@detector_option
@import_options
def wildlife_insights_command(
    download: Path, images: str | None, detector: str | None, **options: Any
) -> None:
    """Import a download from Wildlife Insights: deployments, photographs, and what is on them.

    What people identified are labels; what Computer Vision identified are weak labels, which every label by
    people overrides. A zip is read without unpacking it.
    """
    run_import(
        lambda workspace, chosen: import_wildlife_insights(
            workspace,
            download,
            images,
            optional_detector(detector),
            options=chosen,
            progress=True,
        ),
        **options,
    )
