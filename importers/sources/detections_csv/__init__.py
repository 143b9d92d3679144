"""Detections as CSV, in the ancestor's layouts; see `importers.sources.detections_csv.rows` for these.

Read twice: the first time checks the whole file and keeps its boxes as numbers, the second names the
photographs. So boxes of one photograph may stand anywhere in the file, and no name is kept.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from importers.detectors.detector import DetectedBox
from importers.ingest.ingestor import Ingestor
from importers.ingest.report import ImportReport
from importers.ingest.source_image import ImportOptions, SourceDetections, SourceImage
from importers.reading.bad_record import BadRecord
from importers.reading.image_root import OUTSIDE, ImageRoot, is_outside
from importers.reading.paths import as_text
from importers.sources.detections_csv.rows import KINDS, AxisOrder, Layout, Shapes, read_layout
from pipeline.errors import SourceError
from pipeline.records import Box
from pipeline.workspace import Workspace

_SIDES = 4


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """The boxes of a checked file, those of a photograph together."""

    first: NDArray[np.bool_]  # of each row: whether it is taken, and the first that names its photograph
    photograph: NDArray[np.int64]  # of each row: a number; -1 where the row is refused
    start: NDArray[np.int64]  # by that number: where its boxes begin; they end where the next begin
    corners: NDArray[np.float64]  # (N, 4): x1, y1, x2, y2
    confidence: NDArray[np.float64]
    kind: NDArray[np.int8]  # an index of KINDS


def import_detections(
    workspace: Workspace,
    detections_csv: Path,
    images: str | Path,
    *,
    axis_order: AxisOrder = "yxyx",
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs that the file names, with its boxes, from below `images`.

    `axis_order` is that of columns whose names do not tell it. A broken row is refused and counted.
    Raises SourceError, before anything is written, where the file is none of the layouts.
    """
    options = options or ImportOptions()
    root = ImageRoot(images)
    report = ImportReport(source=as_text(str(detections_csv)))
    layout = read_layout(detections_csv, axis_order)
    known = layout.kinds
    if options.keep.isdisjoint(known):
        raise SourceError(
            f"{report.source} has boxes of {', '.join(known)}; "
            f"nothing of it is kept by {', '.join(sorted(options.keep))}",
            remedy="keep one of its categories",
        )
    boxes = check(layout, report)
    locate = root.locator(options.location_pattern)
    return Ingestor(workspace, None, locate, options, report).run(
        entries(layout, boxes, root), len(boxes.start) - 1, progress=progress
    )


def check(layout: Layout, report: ImportReport) -> Boxes:
    """Read the whole file; what is wrong with its rows is counted in `report`. Raises SourceError."""
    hashes, taken = array("q"), bytearray()
    rows, numbers, kinds = array("q"), array("d"), array("b")
    shapes = Shapes()
    for row, (line, fields) in enumerate(layout.rows()):
        try:
            found = layout.boxes(fields, shapes)
        except BadRecord as exc:
            report.refuse(_where(line, layout.name(fields)), exc.kind, exc.what)
            hashes.append(0)
            taken.append(0)
            continue
        hashes.append(hash(layout.name(fields).replace("\\", "/")))
        taken.append(1)
        for *values, kind_ in found:
            rows.append(row)
            numbers.extend(values)
            kinds.append(kind_)
    if not taken:
        raise SourceError(f"{layout.path} has no row", remedy="is it the right file?")
    for hint, count in shapes.hints(layout):
        report.notes[hint] += count
    used = np.frombuffer(taken, dtype=np.bool_)
    _, first, of_row = np.unique(
        np.frombuffer(hashes, np.int64)[used], return_index=True, return_inverse=True
    )
    photograph = np.full(len(used), -1, dtype=np.int64)
    photograph[used] = of_row
    is_first = np.zeros(len(used), dtype=np.bool_)
    is_first[np.flatnonzero(used)[first]] = True
    of_box = photograph[np.frombuffer(rows, np.int64)]
    order = np.argsort(of_box, kind="stable")
    table = np.frombuffer(numbers, np.float64).reshape(-1, _SIDES + 1)[order]
    return Boxes(
        first=is_first,
        photograph=photograph,
        start=np.searchsorted(of_box[order], np.arange(len(first) + 1)),
        corners=table[:, :_SIDES],
        confidence=table[:, _SIDES],
        kind=np.frombuffer(kinds, np.int8)[order],
    )


def entries(layout: Layout, boxes: Boxes, root: ImageRoot) -> Iterator[SourceImage]:
    """An entry for each photograph of a checked file, where it is named first."""
    detector = as_text(f"detections-csv:{layout.path.stem}")
    for (_, fields), is_first, number in zip(layout.rows(), boxes.first, boxes.photograph, strict=False):
        if not is_first:
            continue
        name = root.name_of(layout.name(fields))
        path = root.path_of(name)
        if is_outside(name):
            yield SourceImage(file_name=layout.name(fields), path=path, failure=OUTSIDE)
            continue
        own = slice(boxes.start[number], boxes.start[number + 1])
        found = tuple(
            DetectedBox(box=Box(x1=x1, y1=y1, x2=x2, y2=y2), confidence=confidence, category=KINDS[kind])
            for (x1, y1, x2, y2), confidence, kind in zip(
                boxes.corners[own].tolist(), boxes.confidence[own].tolist(), boxes.kind[own], strict=True
            )
        )
        yield SourceImage(
            file_name=name, path=path, ready=SourceDetections(detector=detector, findings=found)
        )


def _where(line: int, name: str) -> str:
    return f"line {line} ({as_text(name)})" if name else f"line {line}"
