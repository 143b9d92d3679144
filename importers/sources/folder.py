"""A folder of photographs, in natural order."""

from __future__ import annotations

import os
from pathlib import Path

from importers.detectors import Detector
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading.locations import by_folder, locator
from importers.reading.paths import PHOTO_SUFFIXES, as_text
from importers.reading.walk import WalkCounts, walk
from pipeline.errors import SourceError
from pipeline.workspace import Workspace


def import_folder(
    workspace: Workspace,
    root: Path,
    detector: Detector,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import every photograph below `root`; `detector` finds the boxes.

    A second import reads only new, changed and failed files. Raises SourceError if `root` is not a folder,
    cannot be read or has no photograph.
    """
    options = options or ImportOptions()
    root = root.expanduser().resolve()
    if not root.is_dir():
        raise SourceError(f"{as_text(str(root))} is not a folder", remedy="name a folder of photographs")
    locate = locator(options.location_pattern, by_folder(root))
    report = ImportReport(source=as_text(str(root)))
    total = sum(1 for _ in walk(root, workspace.data_dir, report))  # the progress bar needs it
    if total == 0:
        raise SourceError(
            f"there is no photograph in {report.source}{_skipped(report)}",
            remedy=f"photographs end in {', '.join(sorted(PHOTO_SUFFIXES))}",
        )
    source_images = (
        SourceImage(file_name=name, path=os.path.join(root, name))  # noqa: PTH118 - Path is ten times slower
        for name in walk(root, workspace.data_dir, WalkCounts())
    )
    return Ingestor(workspace, detector, locate, options, report).run(source_images, total, progress=progress)


def _skipped(report: ImportReport) -> str:
    parts = [f"{number} {kind}" for kind, number in report.skipped.most_common(5)]
    if report.hidden:
        parts.append(f"{report.hidden} hidden")
    return f", only {', '.join(parts)}" if parts else ""
