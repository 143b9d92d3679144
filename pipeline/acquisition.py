"""What to label next: pure functions over arrays that return an order, first row first.

Embeddings may be any float type, memory maps among them, and are read a block at a time: a pool of
1,000,000 x 512 float16 is never copied whole. The same generator state gives the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]
Embeddings = npt.NDArray[Any]  # (N, D)

BLOCK = 16_384  # rows at a time
CLUSTERS = 256  # at most: beyond, k-means over a million crops takes minutes
SAMPLE_PER_CLUSTER = 128  # rows that k-means looks at for each cluster
LLOYD_ROUNDS = 12
NEIGHBOURS = 20  # of typicality (arXiv 2202.02794, section 3.2)
MEMBERS = 256  # of a cluster among which its typical one is sought
# Diversity may reach this many times k down the margins. Replayed on fish crops (benchmarks/strategies.py)
# 2 stood best on average from 100 to 1,000 labels, 10 worst, all within the spread of the seeds.
REACH = 2


def least_confidence(probabilities: Floats) -> Floats:
    """Probability (N,) of the likeliest of (N, C), lowest first (Lewis and Gale, cmp-lg/9407020)."""
    top: Floats = probabilities.max(axis=1)
    return top


def margin(probabilities: Floats) -> Floats:
    """Likeliest minus second likeliest (N,) of (N, C), lowest first (Scheffer et al., IDA 2001).

    With one class, its probability.
    """
    if probabilities.shape[1] == 1:
        return probabilities[:, 0]
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return top[:, 1] - top[:, 0]


def entropy(probabilities: Floats) -> Floats:
    """Entropy (N,) of (N, C) in nats, highest first (Shannon, 1948)."""
    safe = np.where(probabilities > 0, probabilities, np.float32(1))
    result: Floats = -(probabilities * np.log(safe)).sum(axis=1)
    return result


def typical_cover(
    embeddings: Embeddings, k: int, rng: np.random.Generator, *, rows: Ints | None = None
) -> Ints:
    """Up to `k` of `rows` (all rows by default) that cover the pool before anything is labelled.

    The pool is parted by k-means; each cluster is spoken for by its typical crop, the one nearest to
    its neighbours (TypiClust, arXiv 2202.02794). However few of them get labelled, they should cover:
    so they come in the greedy order of facility location (Nemhauser et al., Mathematical Programming
    14, 1978), a cluster weighing the square root of its size. Any other rows come after, at random.

    k-means runs on a sample, then one pass assigns every row: linear in the pool. Lengths of
    embeddings do not matter. With fewer rows than `k`, all of them; copies of one crop come last.
    """
    rows = np.arange(len(embeddings)) if rows is None else np.asarray(rows, np.intp)
    k = min(k, len(rows))
    if k == 0:
        return np.zeros(0, np.intp)
    sampled = np.sort(
        rng.choice(len(rows), min(len(rows), SAMPLE_PER_CLUSTER * min(k, CLUSTERS)), replace=False)
    )
    centres = kmeans(_unit(embeddings[rows[sampled]]), min(k, CLUSTERS), rng)
    assigned = np.concatenate(
        [
            nearest(_unit(embeddings[rows[start : start + BLOCK]]), centres)
            for start in range(0, len(rows), BLOCK)
        ]
    )
    mixed = rng.permutation(len(rows))  # a cluster's members in a random order
    by_cluster = mixed[np.argsort(assigned[mixed], kind="stable")]
    sizes = np.bincount(assigned, minlength=len(centres))
    ends = np.cumsum(sizes)
    medoids = np.array(
        [
            _typical(embeddings, rows[by_cluster[end - size : min(end, end - size + MEMBERS)]])
            for size, end in zip(sizes, ends, strict=True)
            if size
        ],
        np.intp,
    )
    first = medoids[_facility_order(_unit(embeddings[medoids]), np.sqrt(sizes[sizes > 0]))]
    others = rows[mixed][~np.isin(rows[mixed], first)]
    return np.concatenate([first, others])[:k]


def margin_with_diversity(
    probabilities: Floats,
    embeddings: Embeddings,
    sequences: Sequence[object] | npt.NDArray[Any],
    k: int,
    rng: np.random.Generator,
    *,
    reach: float = REACH,
) -> Ints:
    """Up to `k` row numbers: what the head doubts most, without asking the same question twice.

    Lowest margin first. Of a sequence one crop comes before any second one of any sequence. The
    `reach * k` lowest of these first ones are parted into `k` clusters of embeddings and taken from
    them in turn (Cluster-Margin, arXiv 2107.14263, with k-means in place of linkage), so that
    near-duplicates lie a whole round apart while the order within a round stays that of the margins.

    `probabilities` (N, C), `embeddings` (N, D), `sequences` (N,). Equal margins come in random order.
    """
    doubt = margin(probabilities)
    mixed = rng.permutation(len(doubt))
    order = mixed[np.argsort(doubt[mixed], kind="stable")]
    k = min(k, len(order))
    if k == 0:
        return order
    names = np.unique(np.asarray(sequences), return_inverse=True)[1]
    first = np.zeros(len(order), np.bool_)
    first[np.unique(names[order], return_index=True)[1]] = True
    firsts, others = order[first], order[~first]
    near, far = np.split(firsts, [min(len(firsts), int(np.ceil(reach * k)))])
    points = _unit(embeddings[near])
    cluster = nearest(points, kmeans(points, min(k, CLUSTERS, len(near)), rng))
    turn = _turns(cluster)
    return np.concatenate([near[np.argsort(turn, kind="stable")], far, others])[:k]


def kmeans(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    """At most `k` centres (K, D) of `points` (N, D): k-means++, then a fixed number of Lloyd's rounds.

    Fewer centres where there are fewer distinct points (Arthur and Vassilvitskii, SODA 2007).
    """
    norms = np.einsum("ij,ij->i", points, points)
    chosen = [int(rng.integers(len(points)))]
    distance = np.full(len(points), np.inf, np.float32)
    resolution = 1e-5 * float(norms.max())  # below, float32 tells equal points apart by rounding alone
    for _ in range(k - 1):
        newest = points[chosen[-1]]
        np.minimum(distance, norms - 2 * (points @ newest) + newest @ newest, out=distance)
        distance[distance < resolution] = 0
        total = np.cumsum(distance, dtype=np.float64)
        if total[-1] == 0:
            break
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    centres = points[chosen]
    for _ in range(LLOYD_ROUNDS):
        assigned = nearest(points, centres)
        order = np.argsort(assigned, kind="stable")
        present, starts, counts = np.unique(assigned[order], return_index=True, return_counts=True)
        moved = centres.copy()  # a centre that lost all its points stays where it is
        moved[present] = np.add.reduceat(points[order], starts, axis=0) / counts[:, None]
        if np.allclose(moved, centres, atol=1e-6):
            break
        centres = moved
    return centres


def nearest(points: Floats, centres: Floats) -> Ints:
    """Number (N,) of the centre nearest to each of `points` (N, D)."""
    result: Ints = (points @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres)).argmax(axis=1)
    return result


def _typical(embeddings: Embeddings, members: Ints) -> int:
    """The member with the least mean distance to its nearest neighbours among the members."""
    points = _unit(embeddings[members])
    distance = np.sqrt(_squared_distances(points))
    neighbours = min(NEIGHBOURS, len(members) - 1)
    closest = np.partition(distance, neighbours, axis=1)[:, : neighbours + 1]
    return int(members[closest.sum(axis=1).argmin()])


def _facility_order(points: Floats, weights: npt.NDArray[np.float64]) -> Ints:
    """Rows of `points` so that each prefix leaves the least weighted distance to its nearest member."""
    distance = np.sqrt(_squared_distances(points))
    uncovered = np.full(len(points), distance.max() + 1, np.float32)
    order: list[int] = []
    for _ in range(len(points)):
        gain = np.maximum(0, uncovered - distance) @ weights
        gain[order] = -1
        order.append(int(gain.argmax()))
        uncovered = np.minimum(uncovered, distance[order[-1]])
    return np.array(order, np.intp)


def _squared_distances(points: Floats) -> Floats:
    norms = np.einsum("ij,ij->i", points, points)
    squared: Floats = np.maximum(0, norms[:, None] + norms - 2 * (points @ points.T))
    np.fill_diagonal(squared, 0)
    return squared


def _turns(cluster: Ints) -> Ints:
    """How many earlier rows are of the same cluster, for each of `cluster` (N,)."""
    order = np.argsort(cluster, kind="stable")
    _, starts, counts = np.unique(cluster[order], return_index=True, return_counts=True)
    turn = np.empty(len(cluster), np.intp)
    turn[order] = np.arange(len(cluster)) - np.repeat(starts, counts)
    return turn


def _unit(embeddings: Embeddings) -> Floats:
    """Rows as float32 of length 1; zeros stay zero."""
    rows = np.asarray(embeddings, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    unit: Floats = rows / np.where(lengths > 0, lengths, np.float32(1))[:, None]
    return unit
