"""Which species a crop probably shows: what the screen offers first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Floats
from pipeline.records import ProjectRecord
from pipeline.steps.learning.predict import load_head
from pipeline.store import choices, embeddings, models, oracle
from pipeline.workspace import Workspace

OFFERED = 5  # species that a screen offers first

Likeliest = tuple[tuple[str, float | None], ...]  # (word, probability), likeliest first


@dataclass(frozen=True, kw_only=True, eq=False)
class LikeliestSpecies:
    """The likeliest species of crops, by the current version; by frequency where it cannot tell."""

    version: str | None  # None before the first head
    frequent: Sequence[str]  # words of the project, most labels first
    words: Sequence[str | None]  # (C,) the choice of each class of the head; None: not offered first
    probabilities: Mapping[str, Floats]  # (C,) by detection id

    def of(self, detection_ids: Sequence[str]) -> Likeliest:
        """The likeliest species of these crops, which show the same: their mean probabilities decide."""
        known = [self.probabilities[crop] for crop in detection_ids if crop in self.probabilities]
        if not known:
            return tuple((word, None) for word in self.frequent[:OFFERED])
        mean = np.mean(known, axis=0)
        first = [place for place in np.argsort(-mean, kind="stable") if self.words[place] is not None]
        return tuple((str(self.words[place]), float(mean[place])) for place in first[:OFFERED])


def read_likeliest(
    workspace: Workspace, project: ProjectRecord, detection_ids: Sequence[str], always: Sequence[int]
) -> LikeliestSpecies:
    """What the project's current version says of these crops.

    `always` are categories that have a place of their own on every screen, such as `empty`. Raises
    ModelError if the version's files are damaged.
    """
    with workspace.database.read() as conn:
        offered = choices.offered(conn, project.id)
        counts = oracle.label_counts(conn)
        current = models.current(conn, project.id)
        vectors = (
            {}
            if current is None or current.path is None
            else embeddings.vectors(conn, current.embedder, detection_ids)
        )
    species = {number: word for number, word in offered.items() if number not in always}
    frequent = sorted(species, key=lambda number: -counts.get(number, 0))  # stable: else as in the list
    words: list[str | None] = []
    probabilities: dict[str, Floats] = {}
    if vectors and current is not None:
        head = load_head(workspace, current)
        words = [species.get(category) for category in head.classes]
        rows = head.probabilities(np.stack(list(vectors.values())))
        probabilities = dict(zip(vectors, rows, strict=True))
    return LikeliestSpecies(
        version=None if current is None else current.version,
        frequent=[species[number] for number in frequent],
        words=words,
        probabilities=probabilities,
    )
