"""The default: crops that together stand for whatever the head still doubts.

Before any label it covers the pool; once a head is sure of the common species, doubt remains where
species are rare or alike, and the same objective turns there. Nothing switches it at a fixed count.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from pipeline.acquisition.geometry import blocks, squared_distances, unit
from pipeline.acquisition.measures import rarity_weighted_gini
from pipeline.acquisition.round import Embeddings, Floats, Ints, Round

Worth = npt.NDArray[np.float64]

SHORTLIST = 8_192  # crops that a round compares with each other: their kernel is 256 MiB
NEIGHBOURS = 10  # the distance to the tenth neighbour is how far a label speaks
WIDTH_SAMPLE = 512  # crops whose neighbours tell that distance


def facility_location(state: Round, k: int, rng: np.random.Generator) -> Ints:
    """Greedy weighted facility location over unit embeddings.

    Adds, one after the other, the crop x with the largest sum over crops z of
    u(z) max(0, K(z, x) - c(z)), where c(z) is the largest kernel of z to any labelled or chosen crop and
    K a Gaussian as wide as the median distance to the tenth neighbour. u is what z's label may teach
    (`measures.rarity_weighted_gini`), 1 before any head. Every prefix of the greedy order is within
    1 - 1/e of the best choice of its size (Nemhauser et al., Mathematical Programming 14, 1978; as a
    batch query Wei et al., ICML 2015), so that it does not matter how much of the queue gets labelled.
    Evaluated lazily (Minoux, 1978).

    Of a sequence one crop comes before any second one of any sequence. Above `SHORTLIST` candidates, a
    sample drawn in proportion to u stands for them, weighted by the inverse of its chance (systematic
    sampling, Madow, 1949): linear in the pool.
    """
    value = worth(state.probabilities, state.labels, len(state.candidates))
    return choose(
        state.embeddings, state.candidates, state.labelled, value, lambda at: state.sequences[at], k, rng
    )


def choose(
    embeddings: Embeddings,
    candidates: Ints,
    labelled: Ints,
    value: Worth,
    sequences_of: Callable[[Ints], Ints],
    k: int,
    rng: np.random.Generator,
) -> Ints:
    """The order of `facility_location` for candidates (M,) that are worth `value` (M,), or all nothing.

    `sequences_of` tells the sequences of some places in `candidates`: it is asked once, for the shortlist,
    so that nobody need look up those of a million crops.
    """
    if not len(candidates):
        return candidates
    if value.sum() <= 0:  # a head that doubts nothing
        value = np.ones(len(candidates))
    sample, weights = shortlist(value, SHORTLIST, rng)
    points = embeddings[candidates[sample]]
    order = greedy(points, embeddings[labelled], weights, sequences_of(sample), k)
    return candidates[filled(sample[order], value, k, rng)]


def filled(chosen: Ints, value: Worth, k: int, rng: np.random.Generator) -> Ints:
    """Up to `k` rows: `chosen`, then the others of `value` (M,), highest first, equal ones at random."""
    if len(chosen) >= min(k, len(value)):
        return chosen[:k]
    rest = rng.permutation(np.setdiff1d(np.arange(len(value)), chosen))
    order: Ints = np.concatenate([chosen, rest[np.argsort(-value[rest], kind="stable")]])[:k]
    return order


def worth(probabilities: Floats | None, labels: Ints, count: int) -> Worth:
    """What the label of each of `count` candidates may teach; all alike before any head.

    `probabilities` (count, C); `labels` (L,) as in `Round`.
    """
    if probabilities is None:
        return np.ones(count)
    return rarity_weighted_gini(probabilities, labels).astype(np.float64)


def shortlist(value: Worth, size: int, rng: np.random.Generator) -> tuple[Ints, Worth]:
    """Rows drawn in proportion to `value` (M,), ascending, and what each stands for of the sum of values.

    All rows where there are at most `size`. A row whose share is above its chance is there for certain.
    """
    if len(value) <= size:
        return np.arange(len(value)), value
    chance = np.minimum(1.0, size * value / value.sum())
    for _ in range(10):  # rows that are certain leave their surplus to the others
        open_rows = chance < 1
        left = size - np.count_nonzero(~open_rows)
        total = chance[open_rows].sum()
        if total <= 0 or abs(left - total) < 0.5:
            break
        chance[open_rows] = np.minimum(1.0, chance[open_rows] * left / total)
    order = rng.permutation(len(value))
    steps = np.floor(np.cumsum(chance[order]) + rng.random()).astype(np.int64)
    drawn = np.sort(order[np.flatnonzero(np.diff(steps, prepend=0) > 0)])
    return drawn, value[drawn] / chance[drawn]


def greedy(embeddings: Embeddings, labelled: Embeddings, weights: Worth, sequences: Ints, k: int) -> Ints:
    """Up to `k` rows of `embeddings` (S, D) in greedy order; fewer where there is no more to gain.

    `labelled` (L, D) is covered already. `weights` (S,) above 0 in sum, `sequences` (S,) of each row. S is
    at most some ten thousand: the kernel takes 4 S^2 bytes.
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
    asked: set[int] = set()
    seconds: list[tuple[float, int]] = []
    while len(chosen) < k and (heap or seconds):
        if not heap:
            heap, seconds = seconds, []
            heapq.heapify(heap)
            asked = set()
        stale, row = heapq.heappop(heap)
        if int(sequences[row]) in asked:
            seconds.append((stale, row))
            continue
        gain = float(np.maximum(kernel[row] - covered, 0) @ weight)
        if gain <= resolution:
            continue
        if heap and gain < -heap[0][0]:
            heapq.heappush(heap, (-gain, row))
            continue
        chosen.append(row)
        asked.add(int(sequences[row]))
        np.maximum(covered, kernel[row], out=covered)
    return np.array(chosen, np.intp)


def kernel_width(distance: Floats, rows: Ints) -> np.float32:
    """Twice the median squared distance of `rows` to their tenth neighbour; above 0.

    `distance` (N, N) squared, each row's own among it.
    """
    neighbour = min(NEIGHBOURS, len(distance) - 1)
    tenth = np.partition(distance[rows], neighbour, axis=1)[:, neighbour]
    return np.float32(2 * float(np.median(tenth)) or 2 * float(tenth.max()) or 1.0)
