"""An evaluation as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.evaluation.partition import Partition
from pipeline.evaluation.probe import LABELS
from pipeline.evaluation.results import EvaluationRow
from pipeline.evaluation.retrieval import NEIGHBOURS
from pipeline.simulation.summary import aligned
from pipeline.steps.embedding.evaluate import EvaluationResult

SHOWN = 5  # broken crops listed one by one


def lines(result: EvaluationResult) -> Iterator[str]:
    """The whole report: the table, what limits it, and the files written."""
    yield _title(result)
    yield ""
    yield from table(result.rows, result.parts)
    if result.parts.few is None:
        yield ""
        yield f"{len(result.parts.names)} species are too few to hold some out"
    if result.unavailable:
        yield ""
        yield from result.unavailable
    if result.unfair:
        yield ""
        yield f"{', '.join(result.unfair)} may have learned from the test part: trained otherwise than by"
        yield "`wildloop embedding train --dataset` on a folder with both train.json and test.json"
    if result.broken:
        yield ""
        yield f"{len(result.broken)} crops could not be read and are left out:"
        yield from (f"  {name}: {why}" for name, why in list(result.broken.items())[:SHOWN])
    if result.files:
        yield ""
        yield from map(str, result.files)


def table(rows: Sequence[EvaluationRow], parts: Partition) -> Iterator[str]:
    """All rows, a section for each part, and a warning for embedders trained on held-out species."""
    header = ["embedder", "recall@1", "mAP@R", f"k-NN|k = {NEIGHBOURS}"]
    header += [f"probe|{labels:,}" for labels in LABELS]
    sections = list(dict.fromkeys(row.held_out for row in rows))
    ordered = sorted(rows, key=lambda row: sections.index(row.held_out))
    first, second, *cells = aligned(header, [_cells(row) for row in ordered])
    yield from (first, second)
    for section in sections:
        own = [(row, line) for row, line in zip(ordered, cells, strict=True) if row.held_out == section]
        yield from ("", _section(own[0][0]), *(line for _, line in own))
    if starred := [row for row in rows if row.species_learned]:
        yield ""
        for row in starred:
            count = f"{row.species_learned} of the {len(parts.few_species)} held-out species"
            yield f"* {row.embedder} has learned {count}: for these, its figures are no fair test"


def _title(result: EvaluationResult) -> str:
    parts = result.parts
    few = f"; {len(parts.few_species)} species held out" if parts.few else ""
    rest = f"; {result.left_out} images without one species left out" if result.left_out else ""
    return (
        f"{result.dataset}: {len(parts.species)} crops of {len(parts.names)} species, "
        f"{len(parts.places.queries)} in the test part (by {parts.by}){few}{rest}"
    )


def _section(row: EvaluationRow) -> str:
    """The heading of a section, the same for all of its rows."""
    over = f"{row.interval_over} {row.interval_by}{'s' if row.interval_over != 1 else ''}"
    spread = f"95% interval over {over}" if row.limits[0] else "no interval"
    probes = f"probes on {LABELS[0]:,} to {LABELS[-1]:,} labels, judged on {row.judged:,} crops"
    return f"held-out {row.held_out}: {row.retrieval.queries:,} queries, {spread}; {probes}"


def _cells(row: EvaluationRow) -> list[str]:
    pairs = zip(row.metrics, row.limits, strict=True)
    name = row.embedder + " *" * bool(row.species_learned)
    return [name, *(_text(*pair) for pair in pairs), *(_text(accuracy, None) for accuracy in row.probes)]


def _text(metric: float | None, limits: tuple[float, float] | None) -> str:
    if metric is None:
        return "-"
    return f"{metric:.3f}" + (f" ({limits[0]:.2f}-{limits[1]:.2f})" if limits else "")
