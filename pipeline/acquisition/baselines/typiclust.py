"""TypiClust: the typical crop of each part of the pool that nobody labelled."""

from __future__ import annotations

import numpy as np

from pipeline.acquisition.geometry import assigned, sampled_kmeans, squared_distances, turns, unit
from pipeline.acquisition.round import Embeddings, Floats, Ints, Round

CLUSTERS = 500  # at most, as in the authors' code
NEIGHBOURS = 20  # of typicality, as in the paper
MEMBERS = 1024  # of a cluster among which its typical ones are sought


def typiclust(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """The most typical crops of the clusters with the fewest labels, largest first (arXiv 2202.02794).

    Hacohen et al.: labelled rows and candidates are parted by k-means into as many clusters as there are
    labels and picks; typical is who has the least mean distance to its 20 nearest of the cluster. A
    pick counts as a label, so that no cluster is asked twice before each was asked once.

    Here embeddings have length 1, k-means looks at a sample, a large cluster is spoken for by a random
    1,024 of its candidates, and clusters of under five are not dropped, as in the authors' code, but come
    last among those with as many labels: a rare species is such a cluster.
    """
    known = len(state.labelled)
    k = min(k, len(state.candidates))
    if k == 0:
        return state.candidates[:0]
    rows = np.concatenate([state.labelled, state.candidates])
    centres = sampled_kmeans(state.embeddings, rows, min(known + k, CLUSTERS), rng)
    cluster, _ = assigned(state.embeddings, rows, centres)
    mixed = rng.permutation(len(state.candidates))
    own = cluster[known:][mixed]
    labels = np.bincount(cluster[:known], minlength=len(centres))
    sizes = np.bincount(own, minlength=len(centres))
    turn = np.lexsort((own, -sizes[own], labels[own] + turns(own)))[:k]
    asked = own[turn]
    members = np.split(mixed[np.argsort(own, kind="stable")], np.cumsum(sizes)[:-1])
    result = np.empty(k, np.intp)
    for number, picks in enumerate(np.bincount(asked, minlength=len(centres))):
        if picks:
            some = state.candidates[members[number][: max(MEMBERS, picks)]]
            order = np.argsort(_sparsity(state.embeddings, some), kind="stable")
            result[asked == number] = some[order[:picks]]
    return result


def _sparsity(embeddings: Embeddings, members: Ints) -> Floats:
    """Mean distance (N,) of each of `members` (N,) to its nearest others among them."""
    points = unit(embeddings[members])
    distance = np.sqrt(squared_distances(points, points))
    neighbours = min(NEIGHBOURS, len(members) - 1)
    np.fill_diagonal(distance, 0)
    near: Floats = np.partition(distance, neighbours, axis=1)[:, : neighbours + 1].sum(axis=1)
    return near / np.float32(max(neighbours, 1))
