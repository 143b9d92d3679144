"""The figures of compared embedders, as the table of the terminal and as rows of evaluation.csv."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.partition import Part, Partition, clusters
from pipeline.evaluation.probe import LABELS, judged_rows, probe
from pipeline.evaluation.retrieval import NEIGHBOURS, Retrieval, Rows, retrieval
from pipeline.simulation.summary import aligned
from pipeline.statistics import bootstrap_means

RETRIEVED = ("recall_at_1", "map_at_r", f"knn_{NEIGHBOURS}")
COLUMNS = (
    *("embedder", "spec", "dimension", "held_out", "split_by", "queries", "judged"),
    *RETRIEVED,
    *(f"probe_{labels}" for labels in LABELS),
    *(f"{name}_{limit}" for name in RETRIEVED for limit in ("low", "high")),
    *("interval_by", "interval_over", "species_learned"),
)

Vectors = npt.NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one embedder on one part."""

    embedder: str
    spec: str
    dimension: int
    held_out: str  # locations or species
    found: Retrieval
    limits: list[tuple[float, float] | None]  # of the 95% interval of each figure that is retrieved
    interval_by: str  # location or sequence
    interval_over: int  # how many of these
    probes: list[float | None]  # at LABELS
    judged: int  # crops that the probes are judged on
    species_learned: int | None  # of the held-out ones; None where the embedder does not say

    @property
    def figures(self) -> list[float | None]:
        """Those that are retrieved."""
        return [self.found.recall_at_1, self.found.map_at_r, self.found.knn]


def rows(
    embedder: str, spec: str, vectors: Vectors, learned: Sequence[str] | None, parts: Partition
) -> Iterator[Row]:
    """What the vectors (N, D) of the partition's crops tell; `learned` are species the embedder knows."""
    for held_out, part in (("locations", parts.places), ("species", parts.few)):
        if part is None:
            continue
        found = retrieval(_taken(vectors, parts, part.queries), _taken(vectors, parts, part.gallery))
        asked = part.queries[found.query_rows]
        groups, by = clusters([parts.locations[one] for one in asked], parts.sequences[asked])
        limits = bootstrap_means(found.values, groups)
        known = None
        if learned is not None and part is parts.few:
            names = {name.casefold() for name in learned}
            known = sum(parts.names[one].casefold() in names for one in parts.few_species)
        yield Row(
            embedder=embedder,
            spec=spec,
            dimension=vectors.shape[1],
            held_out=held_out,
            found=found,
            limits=[None] * len(RETRIEVED) if limits is None else list(zip(*limits, strict=True)),
            interval_by=by,
            interval_over=len(np.unique(groups)),
            probes=[_probe(vectors, parts, part, labels) for labels in LABELS],
            judged=len(judged_rows(parts.species, part.learned, part.tested)),
            species_learned=known,
        )


def table(rows: Sequence[Row], parts: Partition) -> Iterator[str]:
    """All rows, a section for each part, and what has to be said of them."""
    header = ["embedder", "recall@1", "mAP@R", f"k-NN|k = {NEIGHBOURS}"]
    header += [f"probe|{labels:,}" for labels in LABELS]
    sections = list(dict.fromkeys(row.held_out for row in rows))
    ordered = sorted(rows, key=lambda row: sections.index(row.held_out))
    first, second, *lines = aligned(header, [_cells(row) for row in ordered])
    yield from (first, second)
    for section in sections:
        its = [(row, line) for row, line in zip(ordered, lines, strict=True) if row.held_out == section]
        yield from ("", _heading(its[0][0]), *(line for _, line in its))
    if starred := [row for row in rows if row.species_learned]:
        yield ""
        for row in starred:
            count = f"{row.species_learned} of the {len(parts.few_species)} held-out species"
            yield f"* {row.embedder} has learned {count}: of them its figures are no fair test"


def cells(row: Row, split_by: str) -> Iterator[str | int]:
    """A row of evaluation.csv, under COLUMNS; nothing where there is no figure."""
    yield from (row.embedder, row.spec, row.dimension, row.held_out, split_by, row.found.queries, row.judged)
    yield from (_exact(one) for one in (*row.figures, *row.probes))
    for limits in row.limits:
        yield from map(_exact, limits or (None, None))
    yield from (row.interval_by, row.interval_over)
    yield "" if row.species_learned is None else row.species_learned


def _taken(vectors: Vectors, parts: Partition, chosen: npt.NDArray[np.intp]) -> Rows:
    return Rows(vectors=vectors[chosen], species=parts.species[chosen], sequences=parts.sequences[chosen])


def _probe(vectors: Vectors, parts: Partition, part: Part, labels: int) -> float | None:
    return probe(
        vectors,
        parts.species,
        parts.sequences,
        parts.locations,
        learned=part.learned,
        tested=part.tested,
        labels=labels,
    )


def _heading(row: Row) -> str:
    """The same for every embedder of a section."""
    over = f"{row.interval_over} {row.interval_by}{'s' if row.interval_over != 1 else ''}"
    spread = f"95% interval over {over}" if row.limits[0] else "no interval"
    probes = f"probes on {LABELS[0]:,} to {LABELS[-1]:,} labels, judged on {row.judged:,} crops"
    return f"held-out {row.held_out}: {row.found.queries:,} queries, {spread}; {probes}"


def _cells(row: Row) -> list[str]:
    pairs = zip(row.figures, row.limits, strict=True)
    name = row.embedder + " *" * bool(row.species_learned)
    return [name, *(_text(*pair) for pair in pairs), *(_text(one, None) for one in row.probes)]


def _text(figure: float | None, limits: tuple[float, float] | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:.3f}" + (f" ({limits[0]:.2f}-{limits[1]:.2f})" if limits else "")


def _exact(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.6f}"
