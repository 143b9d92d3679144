"""SpeciesNet results files: JSON with `predictions`, one element a photograph.

A file is read as a stream twice: first it is checked, before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage, detections_of
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.paths import as_text
from importers.sources.speciesnet.answers import Reader
from importers.sources.speciesnet.file import Results, check, predictions, provenance, version_of
from pipeline.errors import SourceError
from pipeline.records import ANIMAL, PERSON, VEHICLE, SourceLabel
from pipeline.store import taxa
from pipeline.workspace import Workspace

_KINDS = frozenset({ANIMAL, PERSON, VEHICLE})


def import_speciesnet(
    workspace: Workspace,
    predictions_json: Path,
    images: str | Path,
    *,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs that a SpeciesNet file lists, with its boxes, from below `images`.

    Its answers become weak labels: of boxes, or in the old format of the photograph's most confident box.
    Photographs whose detector failed, that are missing or outside `images` are recorded as failures. Bad
    values are left out one by one. Raises SourceError, before anything is written, if the file is not a
    results file.
    """
    options = options or ImportOptions()
    root = ImageRoot(images, strip_prefix=options.strip_prefix)
    locate = root.locator(options.location_pattern)
    report = ImportReport(source=as_text(str(predictions_json)))
    if not options.keep & _KINDS:
        raise SourceError(
            f"SpeciesNet finds {', '.join(sorted(_KINDS))}, "
            f"but only {', '.join(sorted(options.keep))} is kept",
            remedy="keep one of its categories",
        )
    results = check(predictions_json, root)
    report.note_odd_values(predictions_json)
    with workspace.database.write() as conn:
        taxa.save(conn, results.taxa)
    return Ingestor(workspace, None, locate, options, report).run(
        source_images(results, root, report, threshold=options.threshold),
        results.photographs,
        progress=progress,
    )


def source_images(
    results: Results, root: ImageRoot, report: ImportReport, *, threshold: float = 0.0
) -> Iterator[SourceImage]:
    """The photograph of every prediction; `threshold` is the least confidence of boxes that are kept."""
    reader = Reader(report, threshold)
    for where, source_name, name, element in predictions(results, root, report):
        path = root.path_of(name)
        if is_outside(name):
            yield SourceImage(file_name=source_name, path=path, failure=OUTSIDE)
            continue
        failures = _failures(element)
        if "GEOLOCATION" in failures:
            report.notes[Note.GEOLOCATION_FAILED] += 1
        if "DETECTOR" in failures:
            yield SourceImage(file_name=name, path=path, failure=("detector", "SpeciesNet's detector failed"))
            continue
        is_classified = "CLASSIFIER" not in failures
        if not is_classified:
            report.notes[Note.CLASSIFIER_FAILED] += 1
        version = version_of(element)
        by = f"SpeciesNet {version}".strip()
        label = SourceLabel(category=None, source=provenance(results.path, version), weak=True, annotator=by)
        seen = reader.seen(element, label, where, is_classified=is_classified)
        detector = f"results:speciesnet {version}".strip()
        yield SourceImage(
            file_name=name,
            path=path,
            source_name=source_name,
            detections=detections_of(detector, seen.boxes, seen.unread, threshold),
            labels=seen.labels,
        )


def _failures(element: Any) -> frozenset[str]:
    """The parts of SpeciesNet that failed on a photograph, in capitals."""
    given = element.get("failures")
    parts = given if isinstance(given, list) else [given]
    return frozenset(part.upper() for part in parts if isinstance(part, str))
