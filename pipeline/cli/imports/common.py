"""What every import command shares: its options, and how it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from importers.detectors import Detector, load_detector
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions
from pipeline.cli.follow_up import follow_option, follow_up, hint_without_project
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened_or_created
from pipeline.records import Role
from pipeline.render.importing import import_report
from pipeline.workspace import Workspace

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--threshold",
        type=click.FloatRange(0.0, 1.0),
        default=0.2,
        show_default=True,
        help="Minimum confidence of a detection. Use 0.2 for MegaDetector v5, 0.3 for its v1000 models.",
    ),
    click.option(
        "--keep",
        multiple=True,
        default=("animal",),
        show_default=True,
        metavar="CATEGORY",
        help="Detector category to keep: animal, person or vehicle. Can be given several times.",
    ),
    click.option(
        "--crop-size",
        type=click.IntRange(16, 4096),
        default=448,
        show_default=True,
        metavar="PIXELS",
        help="Maximum side of a stored crop. Smaller crops are not enlarged.",
    ),
    click.option(
        "--context",
        type=click.FloatRange(1.0, 10.0),
        default=1.69,
        show_default=True,
        help="Side of the crop divided by the longer side of its box.",
    ),
    click.option(
        "--location-pattern",
        metavar="REGEX",
        help="Regular expression with a group named location, searched in the file name below the folder, "
        "as in '(?P<location>CAM[0-9]+)'. Without it, the location is the first folder that was not made by "
        "a camera (DCIM, 100MEDIA, ...).",
    ),
    click.option(
        "--gap",
        type=click.FloatRange(0.0),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="Photographs from one location form a sequence if they are at most this far apart.",
    ),
    click.option(
        "--exif-time/--no-exif-time",
        default=True,
        help="Read the time from EXIF, as cameras write it. [default: yes]",
    ),
    click.option(
        "--role",
        type=click.Choice(["target", "pretraining"]),
        default="target",
        show_default=True,
        help="Pool: target is labelled in Label Studio, pretraining trains embedders.",
    ),
    click.option(
        "--rows-only",
        is_flag=True,
        help="Record photographs, boxes and labels without reading any photograph. The same import without "
        "this option cuts the crops later.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        help="Number of threads that read and cut. [default: one for each core]",
    ),
    follow_option,
    json_option,
)


def import_options(command: Command) -> Command:
    """The options of every import, which the command passes on to `run_import`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def images_option(command: Command) -> Command:
    """`--images DIR`, which the command receives as `images: str`, and `--strip-prefix`."""
    return click.option(
        "--images",
        required=True,
        metavar="DIR",
        help="Folder of the photographs, or a URL that fsspec reads (s3://bucket/folder).",
    )(strip_prefix_option(command))


def strip_prefix_option(command: Command) -> Command:
    """`--strip-prefix PREFIX` of sources that name photographs, passed on to `run_import`."""
    return click.option(
        "--strip-prefix",
        metavar="PREFIX",
        help="What the source's file names have in front of the name below DIR, such as 'D:\\Photos' or "
        "'../../data'. It is taken off first; slashes and backslashes are the same. Absolute names below DIR "
        "need none.",
    )(command)


def detector_option(command: Command) -> Command:
    """`--detector SPEC` of sources that may come without boxes, received as `detector: str | None`."""
    return click.option(
        "--detector",
        metavar="SPEC",
        help="Detector for photographs without boxes: megadetector[:MODEL], onnx:FILE, "
        "torchvision:NAME[:CHECKPOINT] or whole-frame. Without it, only the labels of these photographs are "
        "recorded.",
    )(command)


def optional_detector(spec: str | None) -> Detector | None:
    """The detector that `--detector` names, if it is given."""
    return None if spec is None else load_detector(spec)


def run_import(
    run: Callable[[Workspace, ImportOptions], ImportReport],
    *,
    keep: tuple[str, ...],
    crop_size: int,
    role: str,
    follow: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Open the workspace, run the import with the options of `import_options`, and print its report.

    Then the crops become a queue, unless the import is of the other pool or left that out. Exits with
    status 1 if no photograph of the source is in the database.
    """
    kept = frozenset(name.lower() for name in keep)
    workspace = opened_or_created()
    report = run(workspace, ImportOptions(keep=kept, crop_side=crop_size, role=Role(role), **options))
    emit(report, import_report(report), as_json=as_json)
    if report.nothing_imported:
        raise click.exceptions.Exit(1)
    if follow and role == Role.TARGET and not options["rows_only"]:
        follow_up(workspace, trigger="import", as_json=as_json)
        hint_without_project(workspace, as_json=as_json)
