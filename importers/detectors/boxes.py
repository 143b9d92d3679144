"""Box arithmetic of the detectors: letterboxing and back, and non-maximum suppression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from importers.detectors.detector import DetectedBox
from pipeline.images import REDUCING_GAP
from pipeline.records import Box

GREY = (114, 114, 114)  # the padding that YOLO models are trained with
MOST_BOXES = 300  # of one photograph, those with the highest confidence

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Letterbox:
    """The place of a photograph on a detector's input: `width` x `height` pixels from `left`, `top`."""

    left: int
    top: int
    width: int
    height: int

    def to_frame(self, corners: Floats) -> Floats:
        """Corners (N, 4) x1, y1, x2, y2 in input pixels, as fractions of the photograph and clipped to it."""
        offset = np.array([self.left, self.top, self.left, self.top], dtype=np.float32)
        size = np.array([self.width, self.height, self.width, self.height], dtype=np.float32)
        fractions: Floats = np.clip((corners - offset) / size, 0.0, 1.0)
        return fractions


def letterbox(image: Image.Image, width: int, height: int, *, centred: bool) -> tuple[Image.Image, Letterbox]:
    """The photograph, scaled without distortion, on a grey input of `width` x `height` pixels.

    It is centred (YOLOv5 and later) or at the top left (YOLOX).
    """
    zoom = min(width / image.width, height / image.height)
    size = (
        min(width, max(1, round(image.width * zoom))),
        min(height, max(1, round(image.height * zoom))),
    )
    left = (width - size[0]) // 2 if centred else 0
    top = (height - size[1]) // 2 if centred else 0
    canvas = Image.new("RGB", (width, height), GREY)
    canvas.paste(image.resize(size, Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP), (left, top))
    return canvas, Letterbox(left=left, top=top, width=size[0], height=size[1])


def suppress(corners: Floats, scores: Floats, groups: NDArray[np.intp], overlap: float) -> NDArray[np.intp]:
    """Greedy non-maximum suppression within each group; the indices that stay, highest score first.

    `corners` is (N, 4) x1, y1, x2, y2, `scores` (N,), `groups` (N,) the classes. Of two boxes of a group
    with an intersection over union above `overlap`, the one with the lower score is dropped.
    """
    order = np.argsort(-scores, kind="stable")
    areas = np.maximum(corners[:, 2] - corners[:, 0], 0) * np.maximum(corners[:, 3] - corners[:, 1], 0)
    kept: list[int] = []
    while order.size and len(kept) < MOST_BOXES:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        sides = np.minimum(corners[best, 2:], corners[rest, 2:]) - np.maximum(
            corners[best, :2], corners[rest, :2]
        )
        intersection = np.prod(np.maximum(sides, 0), axis=1)
        union = areas[best] + areas[rest] - intersection
        duplicates = intersection > overlap * np.maximum(union, np.finfo(np.float32).tiny)
        order = rest[~(duplicates & (groups[rest] == groups[best]))]
    return np.array(kept, dtype=np.intp)


def detected_boxes(corners: Floats, scores: Floats, categories: list[str]) -> list[DetectedBox]:
    """The boxes of corners (N, 4) in fractions of the photograph; boxes without area are left out."""
    return [
        DetectedBox(
            box=Box(x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2)),
            confidence=min(1.0, float(score)),
            category=category,
        )
        for (x1, y1, x2, y2), score, category in zip(corners, scores, categories, strict=True)
        if x2 > x1 and y2 > y1
    ]
