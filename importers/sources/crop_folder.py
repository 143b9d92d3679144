"""Photographs that are crops already: folders by class, a classification set with its JSON, or a flat folder.

Every crop is one detection that fills the frame; its class is the label of that box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from importers.detectors import DetectedBox, WholeFrame
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage, interpreted
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

    `files` are COCO files whose file names are below `root`. Without any, train.json and test.json in
    `root` are read if they exist; else every photograph is imported, and the first folder below `root` is
    its class. Crops have a location only from a COCO file or options.location_pattern. Raises SourceError,
    before anything is written, if there is no crop or a file cannot be used.
    """
    options = options or ImportOptions()
    # The one box of a crop is kept, whatever is kept of detectors.
    options = replace(options, keep=frozenset(WholeFrame.categories), threshold=0.0)
    locate = locator(options.location_pattern, no_location)  # the folders are classes
    folder = ImageRoot(root, strip_prefix=options.strip_prefix)
    report = ImportReport(source=str(folder))
    files = list(files)
    if not files and not folder.is_url:
        files = [path for path in (Path(folder.path_of(name)) for name in SETS) if path.is_file()]
    if files:
        sources = [source for file in files for source in coco.check([file.expanduser()], report)]
        total = sum(source.images for source in sources)
        source_images = _listed(sources, folder, report)
    else:
        total = sum(1 for _ in folder.photographs(workspace.data_dir, report))
        source_images = _by_class(folder, workspace.data_dir)
    if total == 0:
        raise SourceError(
            f"there is no crop in {report.source}",
            remedy=f"crops end in {', '.join(sorted(PHOTO_SUFFIXES))}",
        )
    if not labels:
        source_images = (replace(source_image, labels=()) for source_image in source_images)
    return Ingestor(workspace, None, locate, options, report).run(
        map(_crop, source_images), total, progress=progress
    )


def _by_class(folder: ImageRoot, data_dir: Path) -> Iterator[SourceImage]:
    """Every photograph, labelled by the first folder of its name."""
    source = source_name(folder)
    for name in folder.photographs(data_dir, ImportReport(source=source)):
        class_name, slash, _ = name.partition("/")
        labels = (SourceLabel(category=as_text(class_name), source=source),) if slash else ()
        yield SourceImage(file_name=name, path=folder.path_of(name), labels=labels)


def _listed(sources: Sequence[coco.Source], folder: ImageRoot, report: ImportReport) -> Iterator[SourceImage]:
    """The images of every COCO file, labelled by their only class; each file name once."""
    source = source_name(folder)
    seen: set[str] = set()
    for file in sources:
        for source_image in coco.source_images([file], folder, report, reads=False):
            if source_image.file_name in seen:
                report.list_again(as_text(source_image.file_name))
                continue
            if len(sources) > 1:
                seen.add(source_image.file_name)
            given = [*source_image.labels, *(label for box in _boxes(source_image) for label in box.labels)]
            labels = {label.category: replace(label, source=source) for label in given if label.category}
            if len(labels) > 1:
                report.notes[Note.SEVERAL_CLASSES] += 1
            yield replace(source_image, labels=tuple(labels.values()) if len(labels) == 1 else ())


def _boxes(source_image: SourceImage) -> tuple[DetectedBox, ...]:
    return source_image.detections.boxes if source_image.detections is not None else ()


def _crop(source_image: SourceImage) -> SourceImage:
    """The photograph with the whole frame as its one box, which has the labels."""
    of_box = (interpreted(replace(label, level=Level.BOX)) for label in source_image.labels)
    labels = tuple(label for label in of_box if label is not None and category_name(label.category or ""))
    box = DetectedBox(box=WHOLE_FRAME, confidence=1.0, category=WholeFrame.categories[0], labels=labels)
    return replace(source_image, labels=(), detections=SourceDetections(detector=WholeFrame.id, boxes=(box,)))


def source_name(folder: ImageRoot) -> str:
    """The provenance of the labels of a folder."""
    return f"crops:{as_text(folder.name)}"
