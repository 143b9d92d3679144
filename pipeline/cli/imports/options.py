"""What every import can be told, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from importers.ingest.report import ImportReport
    from importers.ingest.source_image import ImportOptions

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
        "--role",
        type=click.Choice(["target", "pretraining"]),
        default="target",
        show_default=True,
        help="The pool: target is labelled in Label Studio, pretraining trains embedders.",
    ),
    click.option(
        "--rows-only",
        is_flag=True,
        help="Record photographs, boxes and labels without reading a photograph; the same import without "
        "this cuts the crops later.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        help="Threads that read and cut. [default: one a core]",
    ),
)


def import_options(command: Command) -> Command:
    """The options of every import, which `read` turns into ImportOptions."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def images_option(command: Command) -> Command:
    """`--images DIR`, which the command receives as `images: str`."""
    return click.option(
        "--images",
        required=True,
        metavar="DIR",
        help="The folder, or a URL that fsspec reads (s3://bucket/folder), below which the photographs lie.",
    )(command)


def detector_option(command: Command) -> Command:
    """`--detector SPEC` of sources that may come without boxes, received as `detector: str | None`."""
    return click.option(
        "--detector",
        metavar="SPEC",
        help="Looks at the photographs that come without boxes: megadetector[:MODEL], onnx:FILE, "
        "torchvision:NAME[:CHECKPOINT], whole-frame. Without it these are recorded with their labels alone.",
    )(command)


def read(*, keep: tuple[str, ...], crop_size: int, role: str, **others: Any) -> ImportOptions:
    """The options of `import_options` as the importers take them."""
    from importers.ingest.source_image import ImportOptions
    from pipeline.records import Role

    kept = frozenset(name.lower() for name in keep)
    return ImportOptions(keep=kept, crop_side=crop_size, role=Role(role), **others)


def finish(report: ImportReport) -> None:
    """Print the report; status 1 where no photograph of the source is in the store."""
    click.echo(str(report))
    if report.nothing_imported:
        raise click.exceptions.Exit(1)
