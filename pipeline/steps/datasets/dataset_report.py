"""A classification dataset as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.steps.datasets.dataset import SPLITS, DatasetReport

EXAMPLES = 5  # broken crops listed one by one


def lines(report: DatasetReport) -> Iterator[str]:
    """The table of classes by split, what was left out, and what to beware of."""
    rows = [
        ("class", *SPLITS),
        *((name, *(str(report.crops[name, split]) for split in SPLITS)) for name in report.classes),
        ("all crops", *(str(report.total(split)) for split in SPLITS)),
        ("locations", *(str(report.places[split]) for split in SPLITS)),
    ]
    width = max(len(name) for name, *_ in rows)
    notes = (
        (report.several_species, "photographs of several species left out"),
        (report.low_confidence, "labelled boxes left out: their confidence is not above --confidence"),
        (report.missing, "crops are missing: import their photographs again, without --rows-only"),
        (len(report.broken), "crops cannot be read: remove these files and import again"),
        (report.unlisted, "other photographs in the folder, which neither file lists"),
    )
    yield f"{report.path}: {sum(map(report.total, SPLITS))} crops, {report.copied} of them copied now"
    for name, *counts in rows:
        yield "  ".join([f"  {name:{width}}", *(f"{count:>8}" for count in counts)])
    yield from (f"  {number} {note}" for number, note in notes if number)
    yield from (f"    {path}: {why}" for path, why in report.broken[:EXAMPLES])
    yield from (f"  warning: {name} is in {split} only" for name, split in report.one_sided)
