"""`wildloop import folder`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.imports.options import finish, import_options, read


@click.command("folder")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--detector",
    "spec",
    default="megadetector",
    show_default=True,
    metavar="SPEC",
    help="megadetector[:MODEL] (needs wildloop[megadetector]), onnx:FILE (YOLOX or a YOLO export), "
    "torchvision:NAME[:CHECKPOINT], or whole-frame for photographs that are crops already.",
)
@import_options
def folder_command(folder: Path, spec: str, **options: Any) -> None:
    """Import every photograph below DIR, with a detector looking at each."""
    from importers.detectors import load_detector
    from importers.sources.folder import import_folder
    from pipeline.workspace import open_workspace

    report = import_folder(
        open_workspace(),
        folder,
        load_detector(spec),
        options=read(**options),
        progress=True,
    )
    finish(report)
