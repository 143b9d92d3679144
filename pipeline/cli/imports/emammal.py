"""`wildloop import emammal`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.emammal import import_emammal
from pipeline.cli.imports.common import detector_option, import_options, optional_detector, run_import


@click.command("emammal")
@click.argument("sources", type=click.Path(path_type=Path), metavar="DIR_OR_ZIP...", nargs=-1, required=True)
@click.option(
    "--unpack-to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder to unpack zips in. [default: beside each zip]",
)
@detector_option
@import_options
def emammal_command(
    sources: tuple[Path, ...], unpack_to: Path | None, detector: str | None, **options: Any
) -> None:
    """Import deployments from eMammal: zips, or folders that hold zips and unpacked deployments.

    The deployment_manifest.xml of each deployment names the site (the location), the sequences and their
    species. Half-unpacked folders are completed; a deployment with a damaged zip or manifest is skipped.
    """
    run_import(
        lambda workspace, chosen: import_emammal(
            workspace,
            sources,
            optional_detector(detector),
            unpack_to=unpack_to,
            options=chosen,
            progress=True,
        ),
        **options,
    )
