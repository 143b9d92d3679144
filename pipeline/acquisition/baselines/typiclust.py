"""TypiClust: typical crops of the clusters with the fewest labels."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.baselines.kmeans import assigned, sampled_kmeans, turns
from pipeline.acquisition.geometry import squared_distances
from pipeline.acquisition.round import Round
from pipeline.arrays import Embeddings, Floats, Ints, unit

CLUSTERS = 500  # at most, as in the authors' code
NEIGHBOURS = 20  # of typicality, as in the paper
MEMBERS = 1024  # of a cluster, among which its typical ones are found


def typiclust(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """The most typical crops of the clusters with the fewest labels, largest first (arXiv 2202.02794).

    Hacohen et al.: k-means divides labelled rows and candidates into as many clusters as there are labels
    and picks. The most typical crop has the lowest mean distance to its 20 nearest neighbours in the
    cluster. A pick counts as a label, so no cluster gives a second crop before each has given one.

    Here embeddings have length 1, k-means looks at a sample, and a large cluster is represented by 1,024 of
    its candidates, drawn at random. The authors' code drops clusters of fewer than five crops; here they
    come last among those with as many labels, because a rare species is such a cluster.
    """
    labelled = len(state.labelled)
    k = min(k, len(state.candidates))
    if k == 0:
        return state.candidates[:0]
    rows = np.concatenate([state.labelled, state.candidates])
    centres = sampled_kmeans(state.embeddings, rows, min(labelled + k, CLUSTERS), rng)
    cluster, _ = assigned(state.embeddings, rows, centres)
    mixed = rng.permutation(len(state.candidates))
    cluster_of = cluster[labelled:][mixed]
    labels = np.bincount(cluster[:labelled], minlength=len(centres))
    sizes = np.bincount(cluster_of, minlength=len(centres))
    turn = np.lexsort((cluster_of, -sizes[cluster_of], labels[cluster_of] + turns(cluster_of)))[:k]
    picked = cluster_of[turn]
    members = np.split(mixed[np.argsort(cluster_of, kind="stable")], np.cumsum(sizes)[:-1])
    result = np.empty(k, np.intp)
    for number, picks in enumerate(np.bincount(picked, minlength=len(centres))):
        if picks:
            among = state.candidates[members[number][: max(MEMBERS, picks)]]
            order = np.argsort(_sparsity(state.embeddings, among), kind="stable")
            result[picked == number] = among[order[:picks]]
    return result


def _sparsity(embeddings: Embeddings, members: Ints) -> Floats:
    """Mean distance (N,) of each of the rows `members` (N,) to its nearest neighbours among them."""
    points = unit(embeddings[members])
    distance = np.sqrt(squared_distances(points, points))
    neighbours = min(NEIGHBOURS, len(members) - 1)
    np.fill_diagonal(distance, 0)
    near: Floats = np.partition(distance, neighbours, axis=1)[:, : neighbours + 1].sum(axis=1)
    return near / np.float32(max(neighbours, 1))
