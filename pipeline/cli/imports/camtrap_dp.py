"""`wildloop import camtrap-dp`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.camtrap_dp import import_camtrap_dp
from pipeline.cli.imports.common import (
    detector_option,
    import_options,
    optional_detector,
    run_import,
    strip_prefix_option,
)


@click.command("camtrap-dp")
@click.argument("package", type=click.Path(path_type=Path), metavar="DIR_OR_ZIP")
@click.option(
    "--images",
    metavar="DIR",
    help="Folder of the photographs, or a URL that fsspec reads (s3://bucket/folder). They are found by "
    "their path in the package, else by file name. [default: the package, or the addresses that it gives]",
)
@strip_prefix_option
@detector_option
@import_options
def camtrap_dp_command(package: Path, images: str | None, detector: str | None, **options: Any) -> None:
    """Import a Camtrap DP 1.0 package: deployments with coordinates, photographs, and observations of
    photographs and events. A zip is read without unpacking it.
    """
    run_import(
        lambda workspace, chosen: import_camtrap_dp(
            workspace,
            package,
            images,
            optional_detector(detector),
            options=chosen,
            progress=True,
        ),
        **options,
    )
