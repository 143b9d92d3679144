"""What exports and datasets report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.exporters.source import Basis, ExportReport
from pipeline.render.text import count, indented, lines, paragraphs, table, tally
from pipeline.steps.datasets.dataset import SPLITS, DatasetReport

if TYPE_CHECKING:
    from pipeline.steps.datasets.export import StoreExport

SHOWN = 5  # broken crops named one by one

_BASES = {
    Basis.PEOPLE: "detections labelled by people",
    Basis.SOURCE: "detections labelled by their source",
    Basis.MODEL: "detections named by the model version",
    Basis.WEAK: "detections with a weak label",
    Basis.NONE: "detections unclassified",
}


def export_report(report: ExportReport) -> str:
    """What a file or package holds, by where the labels come from."""
    return lines(
        f"{report.path}: {count(report.photographs, 'photographs')}, "
        f"{count(report.detections, 'detections')}",
        indented(
            tally(
                [
                    *((report.answers.get(basis, 0), phrase) for basis, phrase in _BASES.items()),
                    *((number, note) for note, number in report.notes.items()),
                ]
            )
        ),
    )


def export_basis(source: StoreExport) -> str:
    """Which predictions of the current version an export uses."""
    if source.accepted is None:
        return (
            f"predictions of {source.model_version} count from a probability of 0.9; `wildloop accept` finds "
            "the probability that keeps a precision"
        )
    return (
        f"predictions of {source.model_version} count as accepted: precision "
        f"{source.accepted.precision:.0%} at {source.accepted.confidence:.0%} confidence"
    )


def dataset_report(report: DatasetReport) -> str:
    """Classes by split, what was left out, and what to beware of."""
    rows = [(name, [report.crops[name, split] for split in SPLITS]) for name in report.classes]
    rows += [
        ("all crops", [report.total(split) for split in SPLITS]),
        ("locations", [report.places[split] for split in SPLITS]),
    ]
    total = sum(map(report.total, SPLITS))
    return paragraphs(
        f"{report.path}: {count(total, 'crops')}, {report.copied:,} of them copied now",
        indented(
            table(
                ("class", *SPLITS),
                [(name, *(f"{number:,}" for number in numbers)) for name, numbers in rows],
                "lrr",
            )
        ),
        indented(
            lines(
                tally(
                    [
                        (report.several_species, "photographs of several species left out"),
                        (report.low_confidence, "labelled boxes left out: their confidence is too low"),
                        (
                            report.missing,
                            "crops missing: import their photographs again, without --rows-only",
                        ),
                        (len(report.broken), "crops unreadable: remove these files and import again"),
                        (report.unlisted, "other photographs in the folder, listed in neither file"),
                    ]
                ),
                indented(lines(*(f"{path}: {why}" for path, why in report.broken[:SHOWN]))),
            )
        ),
        lines(*(f"warning: {name} is in {split} only" for name, split in report.one_sided)),
    )
