"""`wildloop import camtrap-dp`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.imports.options import detector_option, finish, import_options, read


@click.command("camtrap-dp")
@click.argument("package", type=click.Path(path_type=Path), metavar="DIR_OR_ZIP")
@click.option(
    "--images",
    metavar="DIR",
    help="The folder, or a URL that fsspec reads (s3://bucket/folder), below which the photographs lie: by "
    "their path in the package, else by their file name. Without it they lie in the package, or at the "
    "address that it gives.",
)
@detector_option
@import_options
def camtrap_dp_command(package: Path, images: str | None, detector: str | None, **options: Any) -> None:
    """Import a Camtrap DP 1.0 package: deployments with coordinates, photographs, and what was observed on
    photographs and events. A zip is read where it lies."""
    from importers.detectors import load_detector
    from importers.sources.camtrap_dp import import_camtrap_dp
    from pipeline.workspace import open_workspace

    report = import_camtrap_dp(
        open_workspace(),
        package,
        images,
        load_detector(detector) if detector else None,
        options=read(**options),
        progress=True,
    )
    finish(report)
