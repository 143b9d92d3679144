"""k-means over embeddings of length 1, a block of rows at a time."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.geometry import squared_distances
from pipeline.arrays import Embeddings, Floats, Ints, blocks, unit

OTHERS = 1024  # rows that a block is compared with at a time
ITERATIONS = 12
SEED_TRIALS = 16  # draws of which seeding keeps the best, for each initial centre
SEED_SAMPLE = 4096  # rows among which seeding finds the initial centres,
SEEDS_PER_CLUSTER = 16  # or this many for each cluster, if that is more
SAMPLE_PER_CLUSTER = 64  # rows that k-means looks at for each cluster
CLUSTERS = 1000  # at most: with more, k-means takes minutes even on its sample


def kmeans(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    """At most `k` centres (K, D) of `points` (N, D), by faiss; fewer if fewer points are distinct."""
    import faiss

    sample = rng.permutation(len(points))[: max(SEED_SAMPLE, SEEDS_PER_CLUSTER * k)]
    start = _seeds(points[sample], k, rng)
    clustering = faiss.Kmeans(
        points.shape[1],
        len(start),
        niter=ITERATIONS,
        seed=int(rng.integers(2**31)),
        min_points_per_centroid=1,  # faiss prints a warning below this
        max_points_per_centroid=len(points),  # all
    )
    clustering.train(np.ascontiguousarray(points, np.float32), init_centroids=start)
    centres: Floats = np.asarray(clustering.centroids, np.float32)
    return centres


def sampled_kmeans(embeddings: Embeddings, rows: Ints, k: int, rng: np.random.Generator) -> Floats:
    """At most min(`k`, 1,000) centres (K, D) of `rows` (N,), by k-means on a sample of them."""
    k = min(k, CLUSTERS)
    sample = rng.choice(len(rows), min(len(rows), SAMPLE_PER_CLUSTER * k), replace=False)
    points = np.empty((len(sample), embeddings.shape[1]), np.float32)
    ordered = rows[np.sort(sample)]  # memory maps are faster to read in order
    for part in blocks(len(ordered)):
        points[part] = unit(embeddings[ordered[part]])
    return kmeans(points, k, rng)


def assigned(embeddings: Embeddings, rows: Ints, centres: Floats) -> tuple[Ints, Floats]:
    """The number (N,) of the nearest of `centres` (K, D) to each of `rows` (N,), and its squared distance."""
    cluster = np.empty(len(rows), np.intp)
    distance = np.empty(len(rows), np.float32)
    for part in blocks(len(rows)):
        cluster[part], distance[part] = nearest(unit(embeddings[rows[part]]), centres)
    return cluster, distance


def nearest(points: Floats, centres: Floats) -> tuple[Ints, Floats]:
    """As `assigned`, for `points` (N, D) that are at hand."""
    affinity = points @ centres.T - 0.5 * np.einsum("ij,ij->i", centres, centres)
    number: Ints = affinity.argmax(axis=1)
    norms = np.einsum("ij,ij->i", points, points)
    distance: Floats = np.maximum(0, norms - 2 * affinity[np.arange(len(points)), number])
    return number, distance


def lower(distance: Floats, embeddings: Embeddings, rows: Ints, others: Floats) -> None:
    """Lower the squared `distance` (N,) of `rows` (N,) in place to that of the nearest of `others` (M, D)."""
    for part in blocks(len(rows)):
        points = unit(embeddings[rows[part]])
        for other in blocks(len(others), OTHERS):
            np.minimum(
                distance[part],
                squared_distances(points, others[other]).min(axis=1),
                out=distance[part],
            )


def turns(cluster: Ints) -> Ints:
    """How many earlier rows (N,) belong to the same cluster, for each row of `cluster` (N,)."""
    order = np.argsort(cluster, kind="stable")
    _, starts, counts = np.unique(cluster[order], return_index=True, return_counts=True)
    turn = np.empty(len(cluster), np.intp)
    turn[order] = np.arange(len(cluster)) - np.repeat(starts, counts)
    return turn


def _seeds(points: Floats, k: int, rng: np.random.Generator) -> Floats:
    """At most `k` of `points` (N, D) to start from: greedy k-means++ (Arthur and Vassilvitskii, SODA 2007).

    faiss starts from random points, which misses small clusters.
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
        drawn = np.minimum(drawn, np.flatnonzero(distance)[-1])  # rounding may exceed the end
