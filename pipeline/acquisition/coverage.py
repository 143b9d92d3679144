"""Wildloop's own query strategy: crops that together represent everything the head is uncertain about.

Before any label, they cover the pool. Once a head is certain of the common species, uncertainty remains for
rare and similar species, and the same objective turns to those. There is no switch at a number of labels.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np

from pipeline.acquisition.geometry import squared_distances
from pipeline.acquisition.measures import rarity_weighted_gini
from pipeline.acquisition.round import Round
from pipeline.arrays import Doubles, Embeddings, Floats, Ints, blocks, unit

SHORTLIST = 8_192  # crops that are compared with each other: their kernel takes 256 MiB
NEIGHBOURS = 10  # the distance to the tenth neighbour is how far a label covers
WIDTH_SAMPLE = 512  # crops that estimate this distance


def facility_location(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """Greedy weighted facility location over unit embeddings.

    Adds, one after the other, the crop x with the largest sum over crops z of
    u(z) max(0, K(z, x) - c(z)), where c(z) is the largest kernel of z with any labelled or chosen crop and
    K a Gaussian as wide as the median distance to the tenth neighbour. u is what the label of z may teach
    (`measures.rarity_weighted_gini`), or 1 before the first head. Every prefix of the greedy order is within
    1 - 1/e of the best choice of its size (Nemhauser et al., Mathematical Programming 14, 1978; as a
    batch query Wei et al., ICML 2015), so it does not matter how much of the queue gets labelled.
    Evaluated lazily (Minoux, 1978).

    One crop of each sequence comes before the second crop of any sequence. If there are more than
    `SHORTLIST` candidates, a sample drawn in proportion to u represents them, weighted by the inverse of
    its probability (systematic sampling, Madow, 1949): the cost is linear in the pool.
    """
    value = worth(state.probabilities, state.labels, len(state.candidates))
    return choose(
        state.embeddings,
        state.candidates,
        state.labelled,
        value,
        lambda positions: state.sequences[positions],
        k,
        rng,
    )


def choose(
    embeddings: Embeddings,
    candidates: Ints,
    labelled: Ints,
    value: Doubles,
    sequences_of: Callable[[Ints], Ints],
    k: int,
    rng: np.random.Generator,
) -> Ints:
    """Up to `k` of the `candidates` (M,) in the order of `facility_location`, given the `value` (M,) of each.

    If all values are 0, all candidates count the same. `sequences_of` returns the sequences of positions in
    `candidates`. It is called once, for the shortlist, so that nobody looks up those of a million crops.
    """
    if not len(candidates):
        return candidates
    if value.sum() <= 0:  # the head is certain of everything
        value = np.ones(len(candidates))
    sample, weights = shortlist(value, SHORTLIST, rng)
    points = embeddings[candidates[sample]]
    order = greedy(points, embeddings[labelled], weights, sequences_of(sample), k)
    return candidates[filled(sample[order], value, k, rng)]


def filled(chosen: Ints, value: Doubles, k: int, rng: np.random.Generator) -> Ints:
    """Up to `k` rows: `chosen`, then the other rows of `value` (M,), highest first, equal ones at random."""
    if len(chosen) >= min(k, len(value)):
        return chosen[:k]
    rest = rng.permutation(np.setdiff1d(np.arange(len(value)), chosen))
    order: Ints = np.concatenate([chosen, rest[np.argsort(-value[rest], kind="stable")]])[:k]
    return order


def worth(probabilities: Floats | None, labels: Ints, count: int) -> Doubles:
    """What the label of each of `count` candidates may teach (count,); 1 for all before the first head.

    `probabilities` (count, C) and `labels` (L,) are as in `Round`.
    """
    if probabilities is None:
        return np.ones(count)
    return rarity_weighted_gini(probabilities, labels).astype(np.float64)


def shortlist(value: Doubles, size: int, rng: np.random.Generator) -> tuple[Ints, Doubles]:
    """Rows drawn in proportion to `value` (M,), ascending, and the part of the total value each represents.

    All rows if there are at most `size`. A row whose value exceeds its equal share is certain to be drawn.
    """
    if len(value) <= size:
        return np.arange(len(value)), value
    chance = np.minimum(1.0, size * value / value.sum())
    for _ in range(10):  # certain rows leave their surplus to the others
        uncertain = chance < 1
        left = size - np.count_nonzero(~uncertain)
        total = chance[uncertain].sum()
        if total <= 0 or abs(left - total) < 0.5:
            break
        chance[uncertain] = np.minimum(1.0, chance[uncertain] * left / total)
    order = rng.permutation(len(value))
    steps = np.floor(np.cumsum(chance[order]) + rng.random()).astype(np.int64)
    drawn = np.sort(order[np.flatnonzero(np.diff(steps, prepend=0) > 0)])
    return drawn, value[drawn] / chance[drawn]


def greedy(embeddings: Embeddings, labelled: Embeddings, weights: Doubles, sequences: Ints, k: int) -> Ints:
    """Up to `k` rows of `embeddings` (S, D) in greedy order; fewer if nothing more can be gained.

    `labelled` (L, D) is covered already. `weights` (S,) must have a sum above 0; `sequences` (S,) are of the
    rows. S is at most some ten thousand: the kernel takes 4 S^2 bytes.
    """
    points = unit(embeddings)
    distance = squared_distances(points, points)
    width = kernel_width(distance, np.arange(0, len(points), max(1, len(points) // WIDTH_SAMPLE)))
    covered = np.zeros(len(points), np.float32)
    for part in blocks(len(labelled), 1_024):
        near = squared_distances(unit(labelled[part]), points).min(axis=0)
        np.maximum(covered, np.exp(-near / width), out=covered)
    kernel = np.exp(np.divide(distance, -width, out=distance), out=distance)
    weight = (weights / weights.max()).astype(np.float32)
    gains = np.empty(len(points), np.float32)
    for part in blocks(len(points), 1_024):
        gains[part] = np.maximum(kernel[part] - covered, 0) @ weight
    resolution = 1e-6 * float(weight.sum())
    heap = [(-float(gain), row) for row, gain in enumerate(gains)]
    heapq.heapify(heap)
    chosen: list[int] = []
    taken: set[int] = set()  # sequences with a chosen crop in this pass
    later: list[tuple[float, int]] = []  # further crops of these
    while len(chosen) < k and (heap or later):
        if not heap:
            heap, later = later, []
            heapq.heapify(heap)
            taken = set()
        stale, row = heapq.heappop(heap)
        if int(sequences[row]) in taken:
            later.append((stale, row))
            continue
        gain = float(np.maximum(kernel[row] - covered, 0) @ weight)
        if gain <= resolution:
            continue
        if heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, row))
            continue
        chosen.append(row)
        taken.add(int(sequences[row]))
        np.maximum(covered, kernel[row], out=covered)
    return np.array(chosen, np.intp)


def kernel_width(distance: Floats, rows: Ints) -> np.float32:
    """Twice the median squared distance of `rows` to their tenth neighbour; above 0.

    `distance` (N, N) is squared and includes each row's distance to itself.
    """
    neighbour = min(NEIGHBOURS, len(distance) - 1)
    tenth = np.partition(distance[rows], neighbour, axis=1)[:, neighbour]
    return np.float32(2 * float(np.median(tenth)) or 2 * float(tenth.max()) or 1.0)
