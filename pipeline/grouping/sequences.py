"""Which crops of a sequence are asked together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import AnyFloats, Bools, Ints

MOST = 10  # crops of one task: what a screen of 1366 x 768 shows without scrolling
# From this probability on, a crop that the version calls something else than the queued one stays out. On
# fish_dev with 4% of the sequences mixed, 800 key presses so bring 1,068 labels and a macro-F1 of 0.694; if
# every crop that is called otherwise stays out, 912 and 0.679, and if none does, 1,056 and 0.688.
SURELY = 0.8


@dataclass(frozen=True, kw_only=True, eq=False)
class Crops:
    """The queued crops and those that wait in their sequences, M in all."""

    sequences: Ints  # (M,) the number of each crop's sequence
    frames: Ints  # (M,) the place of its photograph in the sequence: ascending in time
    named: Ints  # (M,) the category that the version names; all equal before the first head
    probability: AnyFloats  # (M,) of that category
    alone: Bools  # (M,) crops that are only ever asked alone: those of the audit


def grouped(queue: Ints, crops: Crops, *, most: int = MOST) -> list[Ints]:
    """The tasks that ask about the queued crops, in the queue's order: each the rows of its crops, by frame.

    `queue` (Q,) are rows of `crops`. A queued crop brings along the crops of its sequence, except those that
    the version names otherwise with a probability of `SURELY` or more, and those that come alone. Where
    that makes more than `most`, it brings the nearest frames. No crop is in two tasks: one that was brought
    along is not asked again.
    """
    order = np.lexsort((np.arange(len(crops.frames)), crops.frames, crops.sequences))
    ordered = crops.sequences[order]
    taken = np.zeros(len(order), np.bool_)
    groups: list[Ints] = []
    for row in queue:
        if taken[row]:
            continue
        if crops.alone[row]:
            group = np.array([row], np.intp)
        else:
            first, last = np.searchsorted(ordered, [crops.sequences[row], crops.sequences[row] + 1])
            group = _brought(int(row), order[first:last], crops, taken, most)
        taken[group] = True
        groups.append(group)
    return groups


def most_in_one_frame(frames: Ints) -> int:
    """The largest number of crops in one frame, of which `frames` (N,), N >= 1, gives each crop's."""
    return int(np.unique(frames, return_counts=True)[1].max())


def _brought(row: int, sequence: Ints, crops: Crops, taken: Bools, most: int) -> Ints:
    """The crop `row` and those of its `sequence` (N,) that come with it, in the sequence's order."""
    otherwise = (crops.named[sequence] != crops.named[row]) & (crops.probability[sequence] >= SURELY)
    together = sequence[~(otherwise | crops.alone[sequence] | taken[sequence])]
    distance = np.abs(crops.frames[together] - crops.frames[row])
    distance[together == row] = -1
    brought: Ints = together[np.sort(np.argsort(distance, kind="stable")[:most])]
    return brought
