"""`wildloop import folder`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from importers.detectors import load_detector
from importers.sources.folder import import_folder
from pipeline.cli.imports.common import import_options, run_import


@click.command("folder")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--detector",
    "spec",
    default="megadetector",
    show_default=True,
    metavar="SPEC",
    help="megadetector[:MODEL] (needs wildloop[megadetector]), onnx:FILE (YOLOX or a YOLO export), "
    "torchvision:NAME[:CHECKPOINT], or whole-frame if each photograph is a crop already.",
)
@click.option(
    "--frames-per-second",
    type=click.FloatRange(0.0, min_open=True),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Frames that are sampled of each second of a video (needs wildloop[video]).",
)
@import_options
def folder_command(folder: Path, spec: str, frames_per_second: float, **options: Any) -> None:
    """Import every photograph and video below DIR. A detector finds the animals."""
    run_import(
        lambda workspace, chosen: import_folder(
            workspace,
            folder,
            load_detector(spec),
            frames_per_second=frames_per_second,
            options=chosen,
            progress=True,
        ),
        **options,
    )
