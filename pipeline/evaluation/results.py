"""How well embedders keep the species of held-out crops apart: a row for each embedder and part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.evaluation.partition import Part, Partition, clusters
from pipeline.evaluation.probe import LABELS, judged_rows, probe
from pipeline.evaluation.retrieval import NEIGHBOURS, Retrieval, Rows, retrieval
from pipeline.statistics import bootstrap_means

RETRIEVED = ("recall_at_1", "map_at_r", f"knn_{NEIGHBOURS}")
COLUMNS = (  # of evaluation.csv
    *("embedder", "spec", "dimension", "held_out", "split_by", "queries", "judged"),
    *RETRIEVED,
    *(f"probe_{labels}" for labels in LABELS),
    *(f"{name}_{limit}" for name in RETRIEVED for limit in ("low", "high")),
    *("interval_by", "interval_over", "species_learned"),
)

Vectors = npt.NDArray[np.float16]


@dataclass(frozen=True, kw_only=True)
class EvaluationRow:
    """The metrics of one embedder on one part of the crops."""

    embedder: str  # id
    spec: str
    dimension: int
    held_out: str  # locations or species
    retrieval: Retrieval
    limits: list[tuple[float, float] | None]  # the 95% interval of each retrieval metric
    interval_by: str  # what the bootstrap draws: location or sequence
    interval_over: int  # how many there are of these
    probes: list[float | None]  # accuracy with each number of LABELS
    judged: int  # crops that the probes are judged on
    species_learned: int | None  # held-out species that the embedder was trained on; None: not known

    @property
    def metrics(self) -> list[float | None]:
        """The retrieval metrics, in the order of RETRIEVED."""
        return [self.retrieval.recall_at_1, self.retrieval.map_at_r, self.retrieval.knn]


def evaluation_rows(
    embedder: str, spec: str, vectors: Vectors, learned: Sequence[str] | None, parts: Partition
) -> Iterator[EvaluationRow]:
    """Evaluate an embedder's vectors (N, D) of the partition's N crops, on each part.

    `learned` are the species that the embedder was trained on; None if that is not known.
    """
    for held_out, part in (("locations", parts.places), ("species", parts.few)):
        if part is None:
            continue
        found = retrieval(_rows(vectors, parts, part.queries), _rows(vectors, parts, part.gallery))
        answered = part.queries[found.query_rows]
        groups, by = clusters([parts.locations[row] for row in answered], parts.sequences[answered])
        limits = bootstrap_means(found.values, groups)
        species_learned = None
        if learned is not None and part is parts.few:
            names = {name.casefold() for name in learned}
            species_learned = sum(parts.names[number].casefold() in names for number in parts.few_species)
        yield EvaluationRow(
            embedder=embedder,
            spec=spec,
            dimension=vectors.shape[1],
            held_out=held_out,
            retrieval=found,
            limits=[None] * len(RETRIEVED) if limits is None else list(zip(*limits, strict=True)),
            interval_by=by,
            interval_over=len(np.unique(groups)),
            probes=[_probe(vectors, parts, part, labels) for labels in LABELS],
            judged=len(judged_rows(parts.species, part.learned, part.tested)),
            species_learned=species_learned,
        )


def csv_cells(row: EvaluationRow, split_by: str) -> Iterator[str | int]:
    """The row under COLUMNS; a metric that is None gives an empty cell."""
    yield from (row.embedder, row.spec, row.dimension, row.held_out, split_by)
    yield from (row.retrieval.queries, row.judged)
    yield from map(_exact, (*row.metrics, *row.probes))
    for limits in row.limits:
        yield from map(_exact, limits or (None, None))
    yield from (row.interval_by, row.interval_over)
    yield "" if row.species_learned is None else row.species_learned


def _rows(vectors: Vectors, parts: Partition, chosen: npt.NDArray[np.intp]) -> Rows:
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


def _exact(metric: float | None) -> str:
    return "" if metric is None else f"{metric:.6f}"
