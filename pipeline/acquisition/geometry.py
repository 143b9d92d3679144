"""Embeddings on the unit sphere: distances, clusters and neighbours, a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pipeline.acquisition.round import Embeddings, Floats, Ints

BLOCK = 16_384  # rows at a time: 32 MiB of float32 at 512 dimensions
OTHERS = 1024  # rows that a block is held against at a time
ROUNDS = 12  # of k-means
SEED_TRIALS = 16  # draws of which k-means keeps the best, for each centre to start from
SEED_SAMPLE = 4096  # rows among which k-means finds where to start,
SEEDS_PER_CLUSTER = 16  # or this many for each cluster
SAMPLE_PER_CLUSTER = 64  # rows that k-means looks at for each cluster
CLUSTERS = 1000  # at most: beyond, k-means on its sample takes minutes


def unit(embeddings: Embeddings) -> Floats:
    """Rows as float32 of length 1; zeros stay zero."""
    rows = np.asarray(embeddings, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    result: Floats = rows / np.where(lengths > 0, lengths, np.float32(1))[:, None]
    return result


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices of at most `size` that make up range(count)."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def squared_distances(points: Floats, others: Floats) -> Floats:
    """Squared distance (N, M) of each of `points` (N, D) to each of `others` (M, D)."""
    own = np.einsum("ij,ij->i", points, points)[:, None]
    theirs = np.einsum("ij,ij->i", others, others)
    result: Floats = points @ others.T
    result *= -2
    result += own
    result += theirs
    np.maximum(result, 0, out=result)
    # Below, float32 tells equal points apart by rounding alone.
    result[result < 1e-5 * max(float(own.max(initial=0)), float(theirs.max(initial=0)))] = 0
    return result


def kmeans(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    """At most `k` centres (K, D) of `points` (N, D), by faiss; fewer where fewer points are distinct."""
    import faiss

    some = rng.permutation(len(points))[: max(SEED_SAMPLE, SEEDS_PER_CLUSTER * k)]
    start = _seeds(points[some], k, rng)
    clustering = faiss.Kmeans(
        points.shape[1],
        len(start),
        niter=ROUNDS,
        seed=int(rng.integers(2**31)),
        min_points_per_centroid=1,  # it would print a warning below
        max_points_per_centroid=len(points),  # all
    )
    clustering.train(np.ascontiguousarray(points, np.float32), init_centroids=start)
    centres: Floats = np.asarray(clustering.centroids, np.float32)
    return centres


def sampled_kmeans(embeddings: Embeddings, rows: Ints, k: int, rng: np.random.Generator) -> Floats:
    """At most `k` centres (K, D) of `rows` (N,), 1,000 at most, by k-means on a sample of them."""
    k = min(k, CLUSTERS)
    sample = rng.choice(len(rows), min(len(rows), SAMPLE_PER_CLUSTER * k), replace=False)
    points = np.empty((len(sample), embeddings.shape[1]), np.float32)
    ordered = rows[np.sort(sample)]  # memory maps read faster in order
    for part in blocks(len(ordered)):
        points[part] = unit(embeddings[ordered[part]])
    return kmeans(points, k, rng)


def nearest(points: Floats, centres: Floats) -> tuple[Ints, Floats]:
    """Which of `centres` (K, D) is nearest to each of `points` (N, D), and its squared distance."""
    affinity = points @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres)
    number: Ints = affinity.argmax(axis=1)
    own = np.einsum("ij,ij->i", points, points)
    distance: Floats = np.maximum(0, own - 2 * affinity[np.arange(len(points)), number])
    return number, distance


def assigned(embeddings: Embeddings, rows: Ints, centres: Floats) -> tuple[Ints, Floats]:
    """Which centre is nearest to each of `rows` (N,), and its squared distance, read a block at a time."""
    cluster = np.empty(len(rows), np.intp)
    distance = np.empty(len(rows), np.float32)
    for part in blocks(len(rows)):
        cluster[part], distance[part] = nearest(unit(embeddings[rows[part]]), centres)
    return cluster, distance


def lower(distance: Floats, embeddings: Embeddings, rows: Ints, others: Floats) -> None:
    """Lower the squared `distance` (N,) of `rows` (N,) to that of the nearest of `others` (M, D) in place."""
    for part in blocks(len(rows)):
        points = unit(embeddings[rows[part]])
        for some in blocks(len(others), OTHERS):
            np.minimum(
                distance[part],
                squared_distances(points, others[some]).min(axis=1),
                out=distance[part],
            )


def turns(cluster: Ints) -> Ints:
    """How many earlier rows are of the same cluster, for each of `cluster` (N,)."""
    order = np.argsort(cluster, kind="stable")
    _, starts, counts = np.unique(cluster[order], return_index=True, return_counts=True)
    turn = np.empty(len(cluster), np.intp)
    turn[order] = np.arange(len(cluster)) - np.repeat(starts, counts)
    return turn


def _seeds(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    """At most `k` of `points` (N, D) to start from: greedy k-means++ (Arthur and Vassilvitskii, SODA 2007).

    faiss would start anywhere, which leaves small clusters unseen.
    """
    norms = np.einsum("ij,ij->i", points, points)
    resolution = 1e-5 * norms.max()
    distance = np.full((len(points), 1), np.inf, np.float32)
    chosen: list[int] = []
    drawn = rng.integers(len(points), size=1)
    while True:
        closer = np.maximum(0, norms[:, None] + norms[drawn] - 2 * (points @ points[drawn].T))
        closer[closer < resolution] = 0
        np.minimum(closer, distance, out=closer)
        best = int(closer.sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        distance = closer[:, [best]]
        mass = np.cumsum(distance, dtype=np.float64)
        if len(chosen) == k or mass[-1] == 0:
            return points[chosen]
        drawn = np.searchsorted(mass, rng.random(SEED_TRIALS) * mass[-1], side="right")
        drawn = np.minimum(drawn, np.flatnonzero(distance)[-1])  # where rounding reached the end
