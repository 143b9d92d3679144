"""The labelled and embedded crops of a project: what its heads learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline import heads
from pipeline.store import audits, candidates, categories, choices, oracle
from pipeline.store.candidates import CropPlace
from pipeline.store.pool import Pool
from pipeline.vocabulary import Meaning, meaning_of

_OF_PEOPLE = (Meaning.HUMAN, Meaning.VEHICLE)


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
    every = _learnable(conn, project_id) if with_audit else training_labels(conn, project_id)
    labels = {crop: every[crop] for crop in sorted(every) if crop in pool.index}
    return TrainingSet(
        pool=pool,
        ids=list(labels),
        labels=labels,
        places=candidates.places(conn, labels),
        names=categories.names(conn),
    )


def training_labels(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """The category of each labelled detection that versions may learn from: all but the audit's."""
    audited = audits.drawn_ids(conn, project_id)
    labels = _learnable(conn, project_id)
    return {crop: category for crop, category in labels.items() if crop not in audited}


def _learnable(conn: sa.Connection, project_id: int) -> dict[str, int]:
    """The labels that a head can learn, by detection: species, and 0 for nothing there.

    People and vehicles are among them if they are choices of the project. Words for no species never are;
    stores of earlier versions have some.
    """
    offered = choices.offered(conn, project_id)
    class_of: dict[int, int] = {}
    for number, name in categories.names(conn).items():
        meaning = meaning_of(name)
        if meaning is Meaning.BLANK:
            class_of[number] = 0
        elif meaning is None or (meaning in _OF_PEOPLE and number in offered):
            class_of[number] = number
    labels = oracle.labels(conn)
    return {crop: class_of[label] for crop, label in labels.items() if label in class_of}
