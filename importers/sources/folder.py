"""A folder of photographs and videos, in natural order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from importers.detectors import Detector
from importers.ingest import videos
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.ingest.videos import FRAMES_PER_SECOND, VideoSampler
from importers.reading.locations import by_folder, locator
from importers.reading.paths import PHOTO_SUFFIXES, VIDEO_SUFFIXES, as_text, suffix_of
from importers.reading.walk import WalkCounts, walk
from pipeline.errors import PhotoError, SourceError
from pipeline.workspace import Workspace

SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES


def import_folder(
    workspace: Workspace,
    root: Path,
    detector: Detector,
    *,
    frames_per_second: float = FRAMES_PER_SECOND,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import every photograph below `root`, and so many frames of each second of every video.

    `detector` finds the boxes. A second import reads only new, changed and failed files. Raises SourceError
    if `root` is not a folder, cannot be read or has no photograph.
    """
    options = options or ImportOptions()
    root = root.expanduser().resolve()
    if not root.is_dir():
        raise SourceError(f"{as_text(str(root))} is not a folder", remedy="name a folder of photographs")
    locate = locator(options.location_pattern, by_folder(root))
    report = ImportReport(source=as_text(str(root)))
    total = sum(1 for _ in walk(root, workspace.data_dir, report, suffixes=SUFFIXES))  # for the progress bar
    if total == 0:
        raise SourceError(
            f"there is no photograph in {report.source}{_skipped(report)}",
            remedy=f"photographs end in {', '.join(sorted(PHOTO_SUFFIXES))}",
        )
    sampler = VideoSampler(workspace.data_dir, options, report)
    source_images = _source_images(root, workspace.data_dir, sampler, frames_per_second, report)
    return Ingestor(workspace, detector, locate, options, report).run(source_images, total, progress=progress)


def _source_images(
    root: Path, data_dir: Path, sampler: VideoSampler, frames_per_second: float, report: ImportReport
) -> Iterator[SourceImage]:
    for name in walk(root, data_dir, WalkCounts(), suffixes=SUFFIXES):
        path = os.path.join(root, name)  # noqa: PTH118 - Path is ten times slower
        if suffix_of(name) in PHOTO_SUFFIXES:
            yield SourceImage(file_name=name, path=path)
            continue
        try:
            yield from videos.photographs(name, path, sampler.by_rate(path, frames_per_second))
            report.notes[Note.VIDEOS] += 1
        except PhotoError as exc:
            yield videos.failed(name, path, exc.detail)


def _skipped(report: ImportReport) -> str:
    parts = [f"{number} {kind}" for kind, number in report.skipped.most_common(5)]
    if report.hidden:
        parts.append(f"{report.hidden} hidden")
    return f", only {', '.join(parts)}" if parts else ""
