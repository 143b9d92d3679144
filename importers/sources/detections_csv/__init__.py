"""Detections CSV files, in the layouts of `importers.sources.detections_csv.rows`.

A file is read twice: first it is checked and its boxes are kept as numbers, then the photographs are
named. So the boxes of a photograph can be anywhere in the file, and no name is kept in memory.
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
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage, detections_of
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
    """The boxes of a checked file, sorted by photograph."""

    first: NDArray[np.bool_]  # of each row: whether it is good, and the first of its photograph
    photograph: NDArray[np.int64]  # of each row: its number; -1 if the row is refused
    start: NDArray[np.int64]  # (photographs + 1,): the first box of each photograph, and the end
    corners: NDArray[np.float64]  # (N, 4): x1, y1, x2, y2 in fractions of the frame
    confidence: NDArray[np.float64]  # (N,)
    kind: NDArray[np.int8]  # (N,): indices of KINDS
    doubted: frozenset[int]  # hashes of names that have a refused row


def import_detections(
    workspace: Workspace,
    detections_csv: Path,
    images: str | Path,
    *,
    axis_order: AxisOrder | None = None,
    options: ImportOptions | None = None,
    progress: bool = False,
) -> ImportReport:
    """Import the photographs that the file names, with its boxes, from below `images`.

    `axis_order` applies unless the column names fix the order. If you do not give one, it is yxyx. Bad rows
    are refused one by one. Raises SourceError, before anything is written, if the layout is unknown, or if
    you give no axis order and the boxes look as if their axes were swapped.
    """
    options = options or ImportOptions()
    root = ImageRoot(images, strip_prefix=options.strip_prefix)
    report = ImportReport(source=as_text(str(detections_csv)))
    layout = read_layout(detections_csv, axis_order or "yxyx")
    if options.keep.isdisjoint(layout.kinds):
        raise SourceError(
            f"{report.source} has boxes of {', '.join(layout.kinds)}, "
            f"but only {', '.join(sorted(options.keep))} is kept",
            remedy="keep one of its categories",
        )
    boxes = check(layout, root, report)
    if axis_order is None and Note.MAYBE_XYXY in report.notes:
        raise SourceError(
            f"{report.source}: boxes spread more from top to bottom than across; the axes may be swapped",
            remedy="look at some boxes and give the order of their numbers with --axis-order yxyx or xyxy",
        )
    locate = root.locator(options.location_pattern)
    return Ingestor(workspace, None, locate, options, report).run(
        source_images(layout, boxes, root, threshold=options.threshold),
        len(boxes.start) - 1,
        progress=progress,
    )


def check(layout: Layout, root: ImageRoot, report: ImportReport) -> Boxes:
    """Read the whole file; bad rows are counted in `report`. Raises SourceError.

    `root` tells which names are of one photograph.
    """
    hashes, good = array("q"), bytearray()
    rows, numbers, kinds = array("q"), array("d"), array("b")
    shapes = Shapes()
    doubted: set[int] = set()
    for row, (line, fields) in enumerate(layout.rows()):
        try:
            row_boxes = layout.boxes(fields, shapes)
        except BadRecord as exc:
            report.refuse(_where(line, layout.name(fields)), exc.kind, exc.what)
            doubted.add(hash(root.name_of(layout.name(fields))))
            hashes.append(0)
            good.append(0)
            continue
        hashes.append(hash(root.name_of(layout.name(fields))))
        good.append(1)
        for *values, kind_ in row_boxes:
            rows.append(row)
            numbers.extend(values)
            kinds.append(kind_)
    if not good:
        raise SourceError(f"{layout.path} has no row", remedy="is it the right file?")
    for note, count in shapes.hints(layout):
        report.notes[note] += count
    is_good = np.frombuffer(good, dtype=np.bool_)
    _, first, of_row = np.unique(
        np.frombuffer(hashes, np.int64)[is_good], return_index=True, return_inverse=True
    )
    photograph = np.full(len(is_good), -1, dtype=np.int64)
    photograph[is_good] = of_row
    is_first = np.zeros(len(is_good), dtype=np.bool_)
    is_first[np.flatnonzero(is_good)[first]] = True
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
        doubted=frozenset(doubted),
    )


def source_images(
    layout: Layout, boxes: Boxes, root: ImageRoot, *, threshold: float = 0.0
) -> Iterator[SourceImage]:
    """Every photograph of a checked file with its boxes, in the order of their first rows.

    `threshold` is the least confidence of boxes that are kept.
    """
    detector = as_text(f"detections-csv:{Path(layout.path.name.removesuffix('.gz')).stem}")
    for (_, fields), is_first, number in zip(layout.rows(), boxes.first, boxes.photograph, strict=False):
        if not is_first:
            continue
        name = root.name_of(layout.name(fields))
        path = root.path_of(name)
        if is_outside(name):
            yield SourceImage(file_name=layout.name(fields), path=path, failure=OUTSIDE)
            continue
        rows = slice(boxes.start[number], boxes.start[number + 1])
        detected = tuple(
            DetectedBox(box=Box(x1=x1, y1=y1, x2=x2, y2=y2), confidence=confidence, category=KINDS[kind])
            for (x1, y1, x2, y2), confidence, kind in zip(
                boxes.corners[rows].tolist(), boxes.confidence[rows].tolist(), boxes.kind[rows], strict=True
            )
        )
        yield SourceImage(
            file_name=name,
            path=path,
            source_name=layout.name(fields),
            detections=detections_of(
                detector, detected, 1.0 if hash(name) in boxes.doubted else None, threshold
            ),
        )


def _where(line: int, name: str) -> str:
    return f"line {line} ({as_text(name)})" if name else f"line {line}"
