"""`wildloop import speciesnet`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.sources.speciesnet import import_speciesnet
from pipeline.cli.imports.common import images_option, import_options, run_import


@click.command("speciesnet")
@click.argument("predictions", type=click.Path(path_type=Path), metavar="FILE.json")
@images_option
@import_options
def speciesnet_command(predictions: Path, images: str, **options: Any) -> None:
    """Import the photographs of a SpeciesNet results file, with its boxes and its answers.

    Answers are weak labels, which every label by people overrides. Their scientific names are kept. Where
    SpeciesNet is sure of a family or genus alone, that is the label.
    """
    run_import(
        lambda workspace, chosen: import_speciesnet(
            workspace,
            predictions,
            images,
            options=chosen,
            progress=True,
        ),
        **options,
    )
