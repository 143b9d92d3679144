"""Repeat detections: boxes that stand still across a camera's photographs, such as a stump or a sign."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.9  # intersection over union from which two boxes are the same
OTHERS = 20  # as many boxes of other photographs make a box a repeat
LEAST_CONFIDENCE = 0.1  # only what is surer counts, ...
MOST_AREA = 0.2  # ... and takes no more of the frame
_PAIRS = 1_000_000  # compared at once
_ROWS = 1024

Corners = NDArray[np.float64]  # (N, 4): x1, y1, x2, y2 in fractions of the frame
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class RepeatCluster:
    """One box that stands still: which row of the arrays it is, and how many rows it stands for."""

    row: int
    boxes: int


def is_repeat(
    corners: Corners,
    cameras: Numbers,
    photographs: Numbers,
    *,
    overlap: float = OVERLAP,
    others: int = OTHERS,
) -> NDArray[np.bool_]:
    """For each box (N,), whether at least `others` boxes of its camera's other photographs match it.

    `corners` (N, 4) with x2 > x1 and y2 > y1; `cameras` (N,) and `photographs` (N,) say by number where
    each was taken. Two boxes match whose intersection over union is at least `overlap`. Memory stays
    within a small multiple of the arguments; boxes in one spot are told without comparing all pairs.
    """
    found = _crowded(corners, cameras, photographs, overlap, others)
    middles = corners[:, :2] / 2 + corners[:, 2:] / 2
    order = np.lexsort((middles[:, 0], cameras))
    for rows in _runs(order, cameras[order]):
        open_ = np.flatnonzero(~found[rows])
        if len(rows) > others and len(open_):
            counts = _matches(corners[rows], middles[rows], photographs[rows], open_, overlap)
            found[rows[open_]] = counts >= others
    return found


def cluster_repeats(corners: Corners, cameras: Numbers, *, overlap: float = OVERLAP) -> list[RepeatCluster]:
    """Repeated boxes brought together: each camera's first box, all that match it, the next, and so on."""
    result = []
    order = np.argsort(cameras, kind="stable")
    for rows in _runs(order, cameras[order]):
        rest = rows
        while len(rest):
            same = _iou(corners[rest[:1]], corners[rest]) >= overlap
            same[0] = True
            result.append(RepeatCluster(row=int(rest[0]), boxes=int(same.sum())))
            rest = rest[~same]
    return result


def _crowded(
    corners: Corners, cameras: Numbers, photographs: Numbers, overlap: float, others: int
) -> NDArray[np.bool_]:
    """Boxes that share a small cell with enough others: there all match, and no pair need be compared.

    Sides within `step` of each other, in boxes at least 1 long, overlap by (1 - 2 step) squared or more.
    """
    if not len(corners):
        return np.zeros(0, dtype=np.bool_)
    step = 0.999 * (1 - np.sqrt(overlap)) / 2
    scale = np.floor(np.log2(np.maximum(corners[:, 2:] - corners[:, :2], 1e-9)))
    cells = np.floor(corners / (step * np.exp2(np.tile(scale, 2)))) if step > 0 else corners
    cell = _numbered(cameras, *scale.T, *cells.T)
    both = _numbered(cell, photographs)
    in_cell, in_photograph = np.bincount(cell)[cell], np.bincount(both)[both]
    return np.asarray(in_cell - in_photograph >= others)


def _matches(
    corners: Corners, middles: Corners, photographs: Numbers, rows: Numbers, overlap: float
) -> Numbers:
    """How many boxes of other photographs match each of `rows`; one camera's, sorted by `middles[:, 0]`.

    Boxes that match differ in each side by at most (1 - overlap) of the longer one, so their middles do.
    """
    reach = (1 / overlap - 1) * (corners[:, 2:] - corners[:, :2]) + 1e-9
    across, down = middles[:, 0], middles[:, 1].astype(np.float32)
    reach_down = (reach[:, 1] + 1e-6).astype(np.float32)
    first = np.searchsorted(across, across[rows] - reach[rows, 0])
    last = np.searchsorted(across, across[rows] + reach[rows, 0], side="right")
    counts = np.zeros(len(rows), dtype=np.int64)
    start = 0
    while start < len(rows):
        stop = min(start + _ROWS, len(rows))
        left = int(first[start:stop].min())
        stop = min(stop, start + max(1, _PAIRS // (int(last[start:stop].max()) - left)))
        right = int(last[start:stop].max())
        some = rows[start:stop]
        apart = down[left:right] - down[some, None]
        ours, theirs = np.divmod(
            np.flatnonzero(np.abs(apart, out=apart) <= reach_down[some, None]), right - left
        )
        one, other = some[ours], theirs + left
        near = np.abs(across[one] - across[other]) <= reach[one, 0]
        ours, one, other = ours[near], one[near], other[near]
        match = (_iou(corners[one], corners[other]) >= overlap) & (photographs[one] != photographs[other])
        counts[start:stop] = np.bincount(ours[match], minlength=stop - start)
        start = stop
    return counts


def _iou(one: Corners, other: Corners) -> Corners:
    """Intersection over union, (N,), of boxes row by row."""
    shared = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    inner = np.maximum(shared, 0).prod(axis=1)
    areas = (one[:, 2:] - one[:, :2]).prod(axis=1) + (other[:, 2:] - other[:, :2]).prod(axis=1)
    ratio: Corners = inner / np.maximum(areas - inner, np.finfo(np.float64).tiny)
    return ratio


def _numbered(*keys: NDArray[np.generic]) -> Numbers:
    """A number from 0 for each row (N,), the same for rows whose keys are all the same."""
    order = np.lexsort(keys)
    new = np.zeros(len(order), dtype=np.bool_)
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def _runs(order: NDArray[np.intp], cameras: Numbers) -> Iterator[NDArray[np.intp]]:
    """`order` cut where the sorted `cameras` change."""
    yield from np.split(order, np.flatnonzero(np.diff(cameras)) + 1) if len(order) else ()
