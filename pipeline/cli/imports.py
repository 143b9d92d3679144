"""`wildloop import`: photographs into the store, each detection with its crop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from importers.entries import ImportOptions
    from importers.report import ImportReport

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--threshold",
        type=click.FloatRange(0.0, 1.0),
        default=0.2,
        show_default=True,
        help="Least confidence of a detection. 0.2 suits MegaDetector v5, 0.3 its v1000 models.",
    ),
    click.option(
        "--keep",
        multiple=True,
        default=("animal",),
        show_default=True,
        metavar="CATEGORY",
        help="Category of the detector to keep: animal, person, vehicle. May be given several times.",
    ),
    click.option(
        "--crop-size",
        type=click.IntRange(16, 4096),
        default=448,
        show_default=True,
        metavar="PIXELS",
        help="Largest side of a stored crop; smaller ones are never enlarged.",
    ),
    click.option(
        "--context",
        type=click.FloatRange(1.0, 10.0),
        default=1.69,
        show_default=True,
        help="Side of a crop over the longer side of its box.",
    ),
    click.option(
        "--gap",
        type=click.FloatRange(0.0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="Photographs of one location no further apart are one sequence.",
    ),
    click.option(
        "--location-pattern",
        metavar="REGEX",
        help="Regular expression with a group named location, searched in the file name below the folder, "
        "as in '(?P<location>CAM[0-9]+)'. Without it the location is the first folder that no camera made "
        "(DCIM, 100MEDIA, ... are passed over).",
    ),
    click.option(
        "--exif-time/--no-exif-time",
        default=True,
        help="Take the time from EXIF, as cameras write it. [default]",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        help="Threads that read and cut. [default: one a core]",
    ),
)


def _import_options(command: Command) -> Command:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("import")
def import_group() -> None:
    """Take photographs in: find the animals, cut their crops.

    An import may be stopped at any time and run again: it goes on where it was, reads nothing twice
    that has not changed, and tries again what failed.
    """


@import_group.command("folder")
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
@_import_options
def folder_command(folder: Path, spec: str, **options: Any) -> None:
    """Import every photograph below DIR, with a detector looking at each."""
    from importers.detectors import load_detector
    from importers.folder import import_folder
    from pipeline.wiring import open_house

    house = open_house()
    report = import_folder(
        house.database,
        house.settings.data_dir,
        folder,
        load_detector(spec),
        options=_read(**options),
        progress=True,
    )
    _finish(report)


@import_group.command("megadetector")
@click.argument("results", type=click.Path(path_type=Path), metavar="RESULTS.json")
@click.option(
    "--images",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder that MegaDetector ran on: file names in the results are below it.",
)
@_import_options
def megadetector_command(results: Path, images: Path, **options: Any) -> None:
    """Import the photographs of a MegaDetector results file (format 1.1 to 1.6), with its boxes."""
    from importers.megadetector import import_results
    from pipeline.wiring import open_house

    house = open_house()
    report = import_results(
        house.database, house.settings.data_dir, results, images, options=_read(**options), progress=True
    )
    _finish(report)


def _read(*, keep: tuple[str, ...], crop_size: int, **others: Any) -> ImportOptions:
    from importers.entries import ImportOptions

    return ImportOptions(keep=frozenset(name.lower() for name in keep), crop_side=crop_size, **others)


def _finish(report: ImportReport) -> None:
    click.echo(str(report))
    if report.nothing_imported:
        raise click.exceptions.Exit(1)
