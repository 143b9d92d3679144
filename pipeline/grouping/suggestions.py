"""Groups of crops that are worth a look together although no version says so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Embeddings, Floats, Ints, blocks, unit
from pipeline.grouping.likeness import MOST as MOST_CLUSTERED
from pipeline.grouping.likeness import alike_order, cosine_distances

FEWEST = 4  # crops: fewer are no group
# Crops that resemble a rare species: of the first 12 with this lead over the nearest other label, 26 to 35%
# are of it on fish_dev, where 0.5% of all crops are, and 40 to 46% on plankton_dev, where 3% are.
LEAD = 0.02
RESEMBLING = 12
RARE = 0.02  # of the labels, or two: a species with more finds its crops without suggestions
# Novel crops that resemble each other as much as three quarters of the labels resemble their nearest one: 88
# to 100% of such a group are of one species, which on 4 to 46% of them has no label yet.
ALIKE = 0.75
DISAGREEING = 5  # nearest labels of other sequences


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Rows of a pool."""

    rows: Ints
    category: int | None  # that they resemble, or have as their label; None: nothing labelled


def resembling(embeddings: Embeddings, rows: Ints, named: Ints, labelled: Ints, labels: Ints) -> list[Group]:
    """For each rare species, the `rows` (M,) that resemble its labels most although they are named otherwise.

    `named` (M,) are the categories that the version names; `labelled` (L,) are rows with the categories
    `labels` (L,). A row is in the group of at most one species. The rarest come first.
    """
    classes, of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rare = np.flatnonzero(counts <= max(2, RARE * len(labels)))
    if not len(rare) or len(classes) < 2:
        return []
    nearest, lead = _leads(embeddings, rows, labelled[np.argsort(of, kind="stable")], counts)
    groups = []
    for place in rare[np.argsort(counts[rare], kind="stable")]:
        found = np.flatnonzero((nearest == place) & (named != classes[place]) & (lead >= LEAD))
        chosen = rows[found[np.argsort(-lead[found], kind="stable")[:RESEMBLING]]]
        if len(chosen) >= FEWEST:
            ordered = chosen[alike_order(embeddings[chosen])]
            groups.append(Group(rows=ordered, category=int(classes[place])))
    return groups


def clusters(embeddings: Embeddings, novel: Ints, labelled: Ints, *, size: int, seed: int = 0) -> list[Group]:
    """Groups of up to `size` of the rows `novel` (M,) that resemble each other, the largest first.

    They are the groups of an average linkage whose distance within is at most what three quarters of the
    rows `labelled` (L,) have to their nearest one. Of many novel rows, some are drawn at random.
    """
    if len(novel) < FEWEST or len(labelled) < 2:
        return []
    from scipy.cluster.hierarchy import fcluster, linkage

    rng = np.random.default_rng(seed)
    drawn = np.sort(rng.permutation(novel)[:MOST_CLUSTERED])
    width = _typical_distance(embeddings[rng.permutation(labelled)[:MOST_CLUSTERED]])
    tree = linkage(cosine_distances(embeddings[drawn]), "average")
    numbers = fcluster(tree, width, "distance")
    groups = []
    for number in np.unique(numbers):
        members = drawn[numbers == number]
        if len(members) >= FEWEST:
            ordered = members[alike_order(embeddings[members])]
            groups.append(Group(rows=ordered[:size], category=None))
    return sorted(groups, key=lambda group: -len(group.rows))


def disagreeing(
    embeddings: Embeddings, labelled: Ints, labels: Ints, sequences: Ints, *, size: int
) -> list[Group]:
    """Labels whose nearest labels all are of one other species: up to `size` of each label, most first.

    `labelled` (L,) are rows, `labels` (L,) their categories, `sequences` (L,) the numbers of their
    sequences. Only labels of other sequences are compared: a sequence is labelled at one go.
    """
    if len(labelled) <= DISAGREEING:
        return []
    points = unit(embeddings[labelled])
    doubtful = np.zeros(len(labelled), np.bool_)
    for part in blocks(len(points), 1_024):
        similarity = points[part] @ points.T
        similarity[sequences[part, None] == sequences] = -np.inf
        near = np.argpartition(-similarity, DISAGREEING - 1, axis=1)[:, :DISAGREEING]
        theirs = labels[near]
        known = np.isfinite(np.take_along_axis(similarity, near, axis=1)).all(axis=1)
        doubtful[part] = known & (theirs == theirs[:, :1]).all(axis=1) & (theirs[:, 0] != labels[part])
    groups = []
    for category in np.unique(labels[doubtful]):
        chosen = labelled[doubtful & (labels == category)][:size]
        groups.append(Group(rows=chosen[alike_order(embeddings[chosen])], category=int(category)))
    return sorted(groups, key=lambda group: -len(group.rows))


def _leads(embeddings: Embeddings, rows: Ints, labelled: Ints, counts: Ints) -> tuple[Ints, Floats]:
    """The species (M,) of the label that each of `rows` is nearest to, and by how much (M,) before any other.

    `labelled` (L,) are sorted by species, of which each has so many as `counts` (C,) says.
    """
    points = unit(embeddings[labelled])
    starts = np.cumsum(counts) - counts
    nearest, lead = np.empty(len(rows), np.intp), np.empty(len(rows), np.float32)
    for part in blocks(len(rows), 2_048):
        likeness = np.maximum.reduceat(unit(embeddings[rows[part]]) @ points.T, starts, axis=1)
        nearest[part] = likeness.argmax(axis=1)
        second, first = np.partition(likeness, -2, axis=1)[:, -2:].T
        lead[part] = first - second
    return nearest, lead


def _typical_distance(embeddings: Embeddings) -> float:
    """The distance to the nearest other row that `ALIKE` of the rows (L, D) do not exceed."""
    from scipy.spatial.distance import squareform

    distances = squareform(cosine_distances(embeddings))
    np.fill_diagonal(distances, np.inf)
    return float(np.quantile(distances.min(axis=1), ALIKE))
