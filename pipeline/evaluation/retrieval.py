"""Metrics of nearest-neighbour retrieval by cosine similarity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Bools, Doubles, Embeddings, Floats, Ints, unit

NEIGHBOURS = 5
CELLS = 1 << 22  # similarities held at once: 16 MiB, for any number of crops


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """Crops, row by row."""

    vectors: Embeddings  # (N, D)
    species: Ints  # (N,)
    sequences: Ints  # (N,)

    def __len__(self) -> int:
        return len(self.species)


@dataclass(frozen=True, kw_only=True, eq=False)
class Retrieval:
    """Metrics of the queries that have an answer: another sequence of the gallery shows their species."""

    query_rows: Ints  # (A,) their row numbers among the queries
    values: Doubles  # (A, 3): recall@1, MAP@R, and whether most neighbours are of the species

    @property
    def queries(self) -> int:
        """The number of these queries."""
        return len(self.query_rows)

    @property
    def recall_at_1(self) -> float | None:
        """Mean recall@1; None without queries, as the others."""
        return self._mean(0)

    @property
    def map_at_r(self) -> float | None:
        """Mean MAP@R."""
        return self._mean(1)

    @property
    def knn(self) -> float | None:
        """The share of queries that a vote of their nearest neighbours classifies correctly."""
        return self._mean(2)

    def _mean(self, column: int) -> float | None:
        return float(self.values[:, column].mean()) if len(self.query_rows) else None


def retrieval(queries: Rows, gallery: Rows, *, neighbours: int = NEIGHBOURS, cells: int = CELLS) -> Retrieval:
    """Retrieve the nearest crops of the gallery for each query, except those of the query's own sequence.

    MAP@R is that of Musgrave, Belongie and Lim (A Metric Learning Reality Check, arXiv 2003.08505): for a
    query with R crops of its species in the gallery, the mean over ranks i = 1..R of the precision at i
    if the i-th neighbour is of the species, and of 0 if it is not. pytorch-metric-learning computes the
    same, but cannot leave out a query's own sequence. If several species are equally frequent among the
    `neighbours` nearest, k-NN takes the one that comes first. Equally near neighbours keep the order of the
    gallery. `cells` limits the similarities held at once.
    """
    query_rows: list[Ints] = [np.zeros(0, np.intp)]
    values: list[Doubles] = [np.zeros((0, 3))]
    for start, similar, same in _blocks(queries, gallery, cells):
        relevant = (same & np.isfinite(similar)).sum(axis=1)
        has_answer = relevant > 0
        if not has_answer.any():
            continue
        similar, same, relevant = similar[has_answer], same[has_answer], relevant[has_answer]
        order = _nearest(similar, max(neighbours, int(relevant.max())))
        hits = np.take_along_axis(same, order, axis=1)
        there = np.isfinite(np.take_along_axis(similar, order, axis=1))
        votes = _majority(gallery.species[order[:, :neighbours]], there[:, :neighbours], hits)
        query_rows.append(start + np.flatnonzero(has_answer))
        values.append(np.stack([hits[:, 0], map_at_r(hits, relevant), votes], axis=1))
    return Retrieval(query_rows=np.concatenate(query_rows), values=np.concatenate(values))


def map_at_r(hits: Bools, relevant: Ints) -> Doubles:
    """MAP@R (Q,) of each query, given `hits` (Q, K) and its R, `relevant` (Q,), at most K.

    `hits` is whether the k-th neighbour is of the query's species.
    """
    ranks = np.arange(1, hits.shape[1] + 1)
    precision = hits.cumsum(axis=1) / ranks
    counted = hits & (ranks <= relevant[:, None])
    mean: Doubles = (precision * counted).sum(axis=1) / relevant
    return mean


def _blocks(queries: Rows, gallery: Rows, cells: int) -> Iterator[tuple[int, Floats, Bools]]:
    """Of B queries the first row, similarities to the gallery (B, G), and whether the species is the same.

    Similarities within a sequence are minus infinity.
    """
    candidates = unit(gallery.vectors)
    size = max(1, cells // max(1, len(gallery)))
    for start in range(0, len(queries), size):
        rows = slice(start, start + size)
        similar: Floats = unit(queries.vectors[rows]) @ candidates.T
        similar[queries.sequences[rows, None] == gallery.sequences] = -np.inf
        yield start, similar, queries.species[rows, None] == gallery.species


def _nearest(similar: Floats, depth: int) -> Ints:
    """Columns (B, depth) of the nearest, nearest first, or all columns if there are fewer."""
    if depth >= similar.shape[1]:
        return np.argsort(-similar, axis=1, kind="stable")
    found = np.sort(np.argpartition(-similar, depth - 1, axis=1)[:, :depth], axis=1)
    order = np.argsort(-np.take_along_axis(similar, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def _majority(species: Ints, there: Bools, hits: Bools) -> Bools:
    """Whether the most frequent species of the neighbours (B, K), the first of several, is the query's."""
    votes = ((species[:, :, None] == species[:, None, :]) & there[:, None, :]).sum(axis=2)
    winner = np.where(there, votes, 0).argmax(axis=1)
    correct: Bools = np.take_along_axis(hits, winner[:, None], axis=1)[:, 0]
    return correct
