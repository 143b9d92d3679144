"""Figures of nearest neighbours under cosine similarity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.acquisition.geometry import unit

NEIGHBOURS = 5
CELLS = 1 << 22  # similarities held at once: 16 MiB, whatever the number of crops

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Crops, row by row."""

    vectors: npt.NDArray[np.floating]  # (N, D)
    species: Ints  # (N,)
    sequences: Ints  # (N,)

    def __len__(self) -> int:
        return len(self.species)


@dataclass(frozen=True, kw_only=True, eq=False)
class Retrieval:
    """Figures of the queries that can be answered: those whose species another sequence shows."""

    asked: Ints  # (A,) their rows among the queries
    values: npt.NDArray[np.float64]  # (A, 3): recall@1, MAP@R, and whether their neighbours name them

    @property
    def queries(self) -> int:
        """How many they are."""
        return len(self.asked)

    @property
    def recall_at_1(self) -> float | None:
        """Mean over them; None without any, as the others."""
        return self._mean(0)

    @property
    def map_at_r(self) -> float | None:
        """Mean over them."""
        return self._mean(1)

    @property
    def knn(self) -> float | None:
        """The share of them that most of their neighbours name."""
        return self._mean(2)

    def _mean(self, column: int) -> float | None:
        return float(self.values[:, column].mean()) if len(self.asked) else None


def retrieval(queries: Rows, gallery: Rows, *, neighbours: int = NEIGHBOURS, cells: int = CELLS) -> Retrieval:
    """What the gallery answers to the queries; crops of the query's own sequence stay out of it.

    MAP@R is that of Musgrave, Belongie and Lim (A Metric Learning Reality Check, arXiv 2003.08505): of a
    query with R answers of its species in the gallery, the mean over ranks i = 1..R of the precision at i
    where the i-th neighbour is of the species, and of 0 where it is not. Of species that are equally
    frequent among the neighbours, k-NN says the one that comes first. Equally near neighbours stand in
    the order of the gallery.
    """
    asked: list[Ints] = [np.zeros(0, np.intp)]
    values: list[npt.NDArray[np.float64]] = [np.zeros((0, 3))]
    for start, similar, same in _blocks(queries, gallery, cells):
        answers = (same & np.isfinite(similar)).sum(axis=1)
        askable = answers > 0
        if not askable.any():
            continue
        similar, same, answers = similar[askable], same[askable], answers[askable]
        order = _nearest(similar, max(neighbours, int(answers.max())))
        hits = np.take_along_axis(same, order, axis=1)
        there = np.isfinite(np.take_along_axis(similar, order, axis=1))
        votes = _majority(gallery.species[order[:, :neighbours]], there[:, :neighbours], hits)
        asked.append(start + np.flatnonzero(askable))
        values.append(np.stack([hits[:, 0], map_at_r(hits, answers), votes], axis=1))
    return Retrieval(asked=np.concatenate(asked), values=np.concatenate(values))


def map_at_r(hits: Bools, answers: Ints) -> npt.NDArray[np.float64]:
    """(Q,) of `hits` (Q, K), whether the k-th neighbour is of the species, and R of each query, at most K."""
    ranks = np.arange(1, hits.shape[1] + 1)
    precision = hits.cumsum(axis=1) / ranks
    counted = hits & (ranks <= answers[:, None])
    found: npt.NDArray[np.float64] = (precision * counted).sum(axis=1) / answers
    return found


def _blocks(queries: Rows, gallery: Rows, cells: int) -> Iterator[tuple[int, Floats, Bools]]:
    """The first row of B queries, similarities (B, G), minus infinity within a sequence, and whether the
    species is the same.
    """
    answers = unit(gallery.vectors)
    size = max(1, cells // max(1, len(gallery)))
    for start in range(0, len(queries), size):
        rows = slice(start, start + size)
        similar: Floats = unit(queries.vectors[rows]) @ answers.T
        similar[queries.sequences[rows, None] == gallery.sequences] = -np.inf
        yield start, similar, queries.species[rows, None] == gallery.species


def _nearest(similar: Floats, depth: int) -> Ints:
    """(B, depth) columns of the nearest, nearest first, or all columns where there are fewer."""
    if depth >= similar.shape[1]:
        return np.argsort(-similar, axis=1, kind="stable")
    found = np.sort(np.argpartition(-similar, depth - 1, axis=1)[:, :depth], axis=1)
    order = np.argsort(-np.take_along_axis(similar, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def _majority(species: Ints, there: Bools, hits: Bools) -> Bools:
    """Whether the most frequent species of the neighbours (B, K), the first of several, is the query's."""
    votes = ((species[:, :, None] == species[:, None, :]) & there[:, None, :]).sum(axis=2)
    winner = np.where(there, votes, 0).argmax(axis=1)
    won: Bools = np.take_along_axis(hits, winner[:, None], axis=1)[:, 0]
    return won
