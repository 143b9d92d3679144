"""The labelled and embedded crops of a project: what its heads learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline import heads
from pipeline.store import audits, candidates, categories, oracle
from pipeline.store.candidates import CropPlace
from pipeline.store.pool import Pool
from pipeline.vocabulary import Meaning, meaning_of, names_no_species


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """Labelled crops that have an embedding, read at one moment."""

    pool: Pool
    ids: list[str]  # of the detections, ascending
    labels: Mapping[str, int]  # the category of each
    places: Mapping[str, CropPlace]  # of each
    names: Mapping[int, str]  # of every category

    def examples(self) -> heads.Examples:
        """The crops as a head learns them, in the order of `drawn_ids`."""
        return heads.Examples(
            embeddings=self.pool.rows(self.ids),
            labels=[self.labels[crop] for crop in self.ids],
            sequences=[self.places[crop].sequence for crop in self.ids],
            locations=[self.places[crop].location for crop in self.ids],
            names=self.names,
        )


def read_training_set(
    conn: sa.Connection, pool: Pool, project_id: int, *, with_audit: bool = False
) -> TrainingSet:
    """The project's labelled crops that `pool` holds; audit crops only `with_audit`.

    No version may learn from the audit. What is never used to judge a version may include it.
    """
    names = categories.names(conn)
    every = (
        _learnable(oracle.labels(conn, project_id), names)
        if with_audit
        else training_labels(conn, project_id)
    )
    labels = {crop: every[crop] for crop in sorted(every) if crop in pool.index}
    return TrainingSet(
        pool=pool,
        ids=list(labels),
        labels=labels,
        places=candidates.places(conn, labels),
        names=names,
    )


def training_labels(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """The category of each labelled detection that versions may learn from: all but the audit's."""
    audited = audits.drawn_ids(conn, project_id)
    labels = _learnable(oracle.labels(conn, project_id), categories.names(conn))
    return {crop: category for crop, category in labels.items() if crop not in audited}


def _learnable(labels: Mapping[str, int], names: Mapping[int, str]) -> dict[str, int]:
    """The labels that name a species or nothing there, which is 0; stores of earlier versions have others."""
    numbers = {number: 0 if meaning_of(name) is Meaning.BLANK else number for number, name in names.items()}
    unnamed = {number for number, name in names.items() if names_no_species(name)}
    return {crop: numbers[label] for crop, label in labels.items() if label not in unnamed}
