"""Photographs that are crops already: folders by class, a classification set with its JSON, or a flat folder.

Every crop is one detection that fills it; its class is the label of that box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from importers.detectors import DetectedBox, WholeFrame
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage, understood
from importers.reading.image_root import ImageRoot
from importers.reading.locations import locator, no_location
from importers.reading.paths import PHOTO_SUFFIXES, as_text
from importers.sources import coco
from pipeline.errors import SourceError
from pipeline.records import WHOLE_FRAME, Level, SourceLabel, category_name
from pipeline.workspace import Workspace

SETS = ("train.json", "test.json")  # of a classification set, in the folder of its crops


def import_crops(
    workspace: Workspace,
    root: str | Path,
    files: Sequence[Path] = (),
    *,
    labels: bool = True,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import crops from below `root`, a folder or a URL, each with its class as a label if `labels`.

    `files` are COCO files whose file names are below `root`; without any, train.json and test.json in
    `root` are read where they are there. Else every photograph is taken, and the first folder below
    `root` is its class. Crops have no location but from a file or options.location_pattern. Raises
    SourceError, before anything is written, where there is no crop or a file cannot be taken.
    """
    options = options or ImportOptions()
    # The one box of a crop is kept, whatever is kept of detectors.
    options = replace(options, keep=frozenset(WholeFrame.categories), threshold=0.0)
    locate = locator(options.location_pattern, no_location)
    place = ImageRoot(root)
    report = ImportReport(source=str(place))
    files = list(files)
    if not files and not place.is_url:
        files = [path for path in (Path(place.path_of(name)) for name in SETS) if path.is_file()]
    if files:
        sources = [source for file in files for source in coco.check([file.expanduser()], report)]
        total = sum(source.images for source in sources)
        entries = _of_sets(sources, place, report)
    else:
        total = sum(1 for _ in place.photographs(workspace.data_dir, report))
        entries = _of_folders(place, workspace.data_dir)
    if total == 0:
        raise SourceError(
            f"there is no crop in {report.source}",
            remedy=f"crops end in {', '.join(sorted(PHOTO_SUFFIXES))}",
        )
    crops = map(_crop, entries if labels else (replace(entry, labels=()) for entry in entries))
    return Ingestor(workspace, None, locate, options, report).run(crops, total, progress=progress)


def _of_folders(place: ImageRoot, data_dir: Path) -> Iterator[SourceImage]:
    source = source_name(place)
    for name in place.photographs(data_dir, ImportReport(source=source)):
        folder, slash, _ = name.partition("/")
        labels = (SourceLabel(category=as_text(folder), source=source),) if slash else ()
        yield SourceImage(file_name=name, path=place.path_of(name), labels=labels)


def _of_sets(sources: Sequence[coco.Source], place: ImageRoot, report: ImportReport) -> Iterator[SourceImage]:
    """The images of every file; one that a file before named is left out."""
    source = source_name(place)
    seen: set[str] = set()
    for file in sources:
        for entry in coco.entries([file], place, report):
            if entry.file_name in seen:
                report.duplicates += 1
                report.complain(as_text(entry.file_name), "listed a second time; the first entry is used")
                continue
            if len(sources) > 1:
                seen.add(entry.file_name)
            found = [*entry.labels, *(one for box in _boxes(entry) for one in box.labels)]
            labels = {one.category: replace(one, source=source) for one in found if one.category}
            if len(labels) > 1:
                report.notes["crops of several classes, taken without a label"] += 1
            yield replace(entry, labels=tuple(labels.values()) if len(labels) == 1 else ())


def _boxes(entry: SourceImage) -> tuple[DetectedBox, ...]:
    return entry.ready.findings if entry.ready is not None else ()


def _crop(entry: SourceImage) -> SourceImage:
    """The entry with the whole frame as its one box, which carries the labels."""
    named = (understood(replace(label, level=Level.BOX)) for label in entry.labels)
    labels = tuple(label for label in named if label is not None and category_name(label.category or ""))
    found = DetectedBox(box=WHOLE_FRAME, confidence=1.0, category=WholeFrame.categories[0], labels=labels)
    return replace(entry, labels=(), ready=SourceDetections(detector=WholeFrame.id, findings=(found,)))


def source_name(place: ImageRoot) -> str:
    """The provenance of the labels of this folder."""
    return f"crops:{as_text(place.name)}"
