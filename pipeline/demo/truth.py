"""The true label of each crop, from a CSV that comes with the photographs."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import SourceError
from pipeline.records import EMPTY, UNSURE, Box, category_name

LEAST_OVERLAP = 0.4  # intersection over union at which a detection shows what a truth box contains


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Labels of photographs, each with its box, or None if it describes the whole photograph."""

    by_photo: dict[str, list[tuple[Box | None, str]]]

    def label(self, file_name: str, box: Box) -> str | None:
        """The species in `box` of the photograph, or `empty`; None for a photograph without truth.

        A photograph is found by its path relative to the imported folder, or else by its file name.
        """
        labels = self.by_photo.get(file_name) or self.by_photo.get(file_name.rsplit("/", 1)[-1])
        if labels is None:
            return None
        best = max(labels, key=lambda item: 1.0 if item[0] is None else overlap(item[0], box))
        if best[0] is None or overlap(best[0], box) >= LEAST_OVERLAP:
            return best[1]
        return EMPTY

    @property
    def names(self) -> list[str]:
        """Every species that occurs, sorted by name."""
        return sorted({label for labels in self.by_photo.values() for _, label in labels} - {EMPTY, UNSURE})


def read_truth(path: Path) -> Truth:
    """Read a CSV with the columns `file_name`, `label` and, optionally, `x1`, `y1`, `x2`, `y2`.

    Boxes are fractions of the frame. Raises SourceError, which names the line, if the file cannot be read.
    """
    by_photo: dict[str, list[tuple[Box | None, str]]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if not {"file_name", "label"} <= set(reader.fieldnames or ()):
                raise SourceError(
                    f"{path} lacks the columns file_name and label", remedy="name them in its first line"
                )
            for row in reader:
                label = category_name(row["label"] or "")
                if not row["file_name"] or not label:
                    raise SourceError(f"{path}, line {reader.line_num}: file_name or label is empty")
                by_photo[row["file_name"]].append((_box(row, path, reader.line_num), label))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise SourceError(f"{path} cannot be read as a CSV: {exc}") from exc
    return Truth(by_photo=dict(by_photo))


def overlap(box: Box, other: Box) -> float:
    """Intersection over union, 0 to 1."""
    width = min(box.x2, other.x2) - max(box.x1, other.x1)
    height = min(box.y2, other.y2) - max(box.y1, other.y1)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (box.width * box.height + other.width * other.height - common)


def _box(row: dict[str, str | None], path: Path, line: int) -> Box | None:
    corners = [row.get(name) for name in ("x1", "y1", "x2", "y2")]
    if not any(corners):
        return None
    try:
        x1, y1, x2, y2 = (float(corner or "") for corner in corners)
    except ValueError as exc:
        raise SourceError(f"{path}, line {line}: {corners} is not a box of four numbers") from exc
    return Box(x1=x1, y1=y1, x2=x2, y2=y2)
