"""Repeat detections: boxes that stand still across the photographs of a camera, such as a stump.

The rule and its constants are those of MegaDetector's postprocessing (repeat detection elimination).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.9  # intersection over union from which two boxes match
OTHERS = 20  # matching boxes on other photographs that make a box a repeat
LEAST_CONFIDENCE = 0.1  # boxes with a higher confidence count, ...
MOST_AREA = 0.2  # ... if they cover at most this share of the frame
_PAIRS = 1_000_000  # compared at once
_ROWS = 1024

Corners = NDArray[np.float64]  # (N, 4): x1, y1, x2, y2 in fractions of the frame
Numbers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class RepeatCluster:
    """Boxes of one camera that match the box in `row` of the arrays."""

    row: int
    boxes: int  # how many, with that one


def is_repeat(
    corners: Corners,
    cameras: Numbers,
    photographs: Numbers,
    *,
    overlap: float = OVERLAP,
    others: int = OTHERS,
) -> NDArray[np.bool_]:
    """For each box (N,), whether at least `others` boxes on other photographs of its camera match it.

    `corners` is (N, 4) with x2 > x1 and y2 > y1; `cameras` (N,) and `photographs` (N,) are their numbers.
    Two boxes match if their intersection over union is at least `overlap`. Memory stays within a small
    multiple of the arguments, and boxes in one spot are found without comparing all pairs.
    """
    repeats = _crowded(corners, cameras, photographs, overlap, others)
    centres = corners[:, :2] / 2 + corners[:, 2:] / 2
    order = np.lexsort((centres[:, 0], cameras))
    for rows in _runs(order, cameras[order]):
        undecided = np.flatnonzero(~repeats[rows])
        if len(rows) > others and len(undecided):
            counts = _matches(corners[rows], centres[rows], photographs[rows], undecided, overlap)
            repeats[rows[undecided]] = counts >= others
    return repeats


def cluster_repeats(corners: Corners, cameras: Numbers, *, overlap: float = OVERLAP) -> list[RepeatCluster]:
    """The clusters of repeated boxes: a camera's first box with all that match it, the next, and so on."""
    clusters = []
    order = np.argsort(cameras, kind="stable")
    for rows in _runs(order, cameras[order]):
        rest = rows
        while len(rest):
            same = _iou(corners[rest[:1]], corners[rest]) >= overlap
            same[0] = True
            clusters.append(RepeatCluster(row=int(rest[0]), boxes=int(same.sum())))
            rest = rest[~same]
    return clusters


def _crowded(
    corners: Corners, cameras: Numbers, photographs: Numbers, overlap: float, others: int
) -> NDArray[np.bool_]:
    """Boxes that share a small cell with enough others: within a cell all match without comparison.

    If the sides of two boxes at least 1 long differ by at most `step`, they overlap by at least
    (1 - 2 step) squared.
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
    corners: Corners, centres: Corners, photographs: Numbers, rows: Numbers, overlap: float
) -> Numbers:
    """The number of boxes on other photographs that match each of `rows`.

    All boxes are of one camera, sorted by `centres[:, 0]`. The sides of two matching boxes differ by at
    most (1 - overlap) of the longer one, and so do their centres.
    """
    reach = (1 / overlap - 1) * (corners[:, 2:] - corners[:, :2]) + 1e-9
    across, down = centres[:, 0], centres[:, 1].astype(np.float32)
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
        block = rows[start:stop]
        distance = down[left:right] - down[block, None]
        index, offset = np.divmod(
            np.flatnonzero(np.abs(distance, out=distance) <= reach_down[block, None]), right - left
        )
        box, other = block[index], offset + left
        near = np.abs(across[box] - across[other]) <= reach[box, 0]
        index, box, other = index[near], box[near], other[near]
        match = (_iou(corners[box], corners[other]) >= overlap) & (photographs[box] != photographs[other])
        counts[start:stop] = np.bincount(index[match], minlength=stop - start)
        start = stop
    return counts


def _iou(first: Corners, second: Corners) -> Corners:
    """The intersection over union (N,) of boxes row by row."""
    sides = np.minimum(first[:, 2:], second[:, 2:]) - np.maximum(first[:, :2], second[:, :2])
    intersection = np.maximum(sides, 0).prod(axis=1)
    areas = (first[:, 2:] - first[:, :2]).prod(axis=1) + (second[:, 2:] - second[:, :2]).prod(axis=1)
    ratio: Corners = intersection / np.maximum(areas - intersection, np.finfo(np.float64).tiny)
    return ratio


def _numbered(*keys: NDArray[np.generic]) -> Numbers:
    """A number from 0 for each row (N,), equal for rows with equal keys."""
    order = np.lexsort(keys)
    new = np.zeros(len(order), dtype=np.bool_)
    for key in keys:
        new[1:] |= key[order][1:] != key[order][:-1]
    numbers = np.empty(len(order), dtype=np.int64)
    numbers[order] = np.cumsum(new)
    return numbers


def _runs(order: NDArray[np.intp], cameras: Numbers) -> Iterator[NDArray[np.intp]]:
    """`order`, split where the sorted `cameras` change."""
    yield from np.split(order, np.flatnonzero(np.diff(cameras)) + 1) if len(order) else ()
