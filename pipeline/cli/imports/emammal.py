"""`wildloop import emammal`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.imports.options import detector_option, finish, import_options, read


@click.command("emammal")
@click.argument("sources", type=click.Path(path_type=Path), metavar="DIR_OR_ZIP...", nargs=-1, required=True)
@click.option(
    "--unpack-to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where zips are unpacked. [default: beside each zip]",
)
@detector_option
@import_options
def emammal_command(
    sources: tuple[Path, ...], unpack_to: Path | None, detector: str | None, **options: Any
) -> None:
    """Import deployments of eMammal: zips, or folders that hold zips and unpacked deployments.

    Every deployment has its deployment_manifest.xml, which names the site (the location), the sequences
    and their species. A half-unpacked folder is finished; a broken zip or manifest costs that deployment.
    """
    from importers.detectors import load_detector
    from importers.sources.emammal import import_emammal
    from pipeline.workspace import open_workspace

    report = import_emammal(
        open_workspace(),
        sources,
        load_detector(detector) if detector else None,
        unpack_to=unpack_to,
        options=read(**options),
        progress=True,
    )
    finish(report)
