"""A CSV that Timelapse imports: one row a photograph or video, with the species on it.

Species beyond the first have columns of their own with a number: Species2, Count2, ... Sex, LifeStage,
Behavior and Comments are there if anybody said them. Timelapse reads the columns that its template has
fields for.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pipeline.exporters.attributes import BEHAVIOR, COMMENTS, LIFE_STAGE, SEX
from pipeline.exporters.shown import Shown, files, note_unanswered, shown_on
from pipeline.exporters.source import ExportReport, ExportSource, LabelledImage
from pipeline.files.atomic import atomic_file
from pipeline.records import EMPTY, OBSERVATION_TYPE, ImageRecord, Taxon

COLUMNS = ("RootFolder", "File", "RelativePath", "DateTime", "DeleteFlag")
OF_SPECIES = ("Species", "ScientificName", "Count", "ClassificationMethod", "Probability")
# Columns of species that people described, and what Camtrap DP calls them.
OF_ANIMALS = {"Sex": SEX, "LifeStage": LIFE_STAGE, "Behavior": BEHAVIOR, "Comments": COMMENTS}
BLANK, UNKNOWN = "blank", "unknown"  # species of photographs that are empty, or that people are unsure of
_DIGITS = 5  # of a probability


def write(out: Path, source: ExportSource) -> ExportReport:
    """Write `source` to the file `out`, atomically. Raises FileError if the disk refuses.

    Photographs that failed are left out and counted: Timelapse has a row for each file that it can show.
    """
    report = ExportReport(path=str(out))
    most, described = 1, set[str]()
    for frames in files(_usable(source, report)):
        shown = shown_on(frames)
        most = max(most, len(shown))
        described.update(name for each in shown for name in each.details)
    of_animals = {column: name for column, name in OF_ANIMALS.items() if name in described}
    columns = (*OF_SPECIES, *of_animals)
    numbers = ["", *(str(number) for number in range(2, most + 1))]
    with (
        atomic_file(out) as draft,
        draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
    ):
        table = csv.writer(file)
        table.writerow([*COLUMNS, *(name + number for number in numbers for name in columns)])
        for frames in files(_usable(source)):
            shown = shown_on(frames)
            cells = [
                cell
                for each in shown
                for cell in (
                    *_cells(each, source.taxa),
                    *(each.details.get(name, "") for name in of_animals.values()),
                )
            ]
            padding = [""] * (len(numbers) * len(columns) - len(cells))
            table.writerow([*_place(frames[0].image), *cells, *padding])
            for photograph in frames:
                report.count(photograph)
            note_unanswered(frames, shown, report)
    return report


def _usable(source: ExportSource, report: ExportReport | None = None) -> Iterator[LabelledImage]:
    """The photographs that did not fail; `report` counts the others."""
    for photograph in source.photographs():
        if photograph.image.failure is None:
            yield photograph
        elif report is not None:
            report.note("photographs that failed, left out")


def _place(image: ImageRecord) -> list[str]:
    """The first columns: where the file is below the root folder, and when it was made."""
    name = PurePosixPath(image.video or image.file_name)
    above = image.path.removesuffix(f"/{image.file_name}")
    root = above.rpartition("/")[2] if above != image.path else ""
    folder = "\\".join(name.parent.parts)
    time = "" if image.datetime is None else image.datetime.isoformat(sep=" ", timespec="seconds")
    return [root, name.name, folder, time, "false"]


def _cells(shown: Shown, taxa: Mapping[str, Taxon]) -> list[str]:
    """The columns of one species."""
    word = shown.category or shown.details.get(OBSERVATION_TYPE, UNKNOWN)
    taxon = taxa.get(word)
    return [
        BLANK if word == EMPTY else word,
        (taxon.scientific_name or "") if taxon is not None else "",
        str(shown.count) if shown.count else "",
        "machine" if shown.is_machine else "human",
        "" if shown.probability is None or not shown.is_machine else f"{shown.probability:.{_DIGITS}g}",
    ]
