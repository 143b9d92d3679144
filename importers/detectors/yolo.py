"""The outputs of exported YOLO networks: layouts recognised by their shapes, and decoded.

| layout | output | a row |
| --- | --- | --- |
| yolox | (1, cells, 5 + classes) | grid offsets and log sizes, objectness, classes |
| yolox-decoded | the same | centre and size in input pixels, objectness, classes |
| yolov5 (v7, MegaDetector 5) | (1, 3 x cells, 5 + classes) | centre, size in pixels, objectness, classes |
| yolov8 (v9, v11) | (1, 4 + classes, cells) | centre and size in pixels, classes |
| end-to-end (v10, or exported with NMS) | (1, boxes, 6) | corners in pixels, score, class |

`cells` is the number of cells of all grids: an input of H x W has (H / s) x (W / s) at each stride s.
Sources: YOLOX `demo_postprocess` (arXiv 2107.08430), ultralytics `Exporter` and `non_max_suppression`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from importers.detectors.boxes import Floats
from pipeline.errors import DetectorError

STRIDES = ((8, 16, 32), (8, 16, 32, 64))
END_TO_END_MOST = 1000  # boxes; end-to-end exports have 300


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How to read one network's output."""

    name: str
    classes: int
    strides: tuple[int, ...] = ()

    @property
    def is_yolox(self) -> bool:
        """YOLOX takes BGR from 0 to 255 at the top left; every later export RGB from 0 to 1, centred."""
        return self.name.startswith("yolox")


def recognise(output: Floats, height: int, width: int, classes: int | None) -> Layout:
    """The layout of a network's first output for a plain grey input of `height` x `width` pixels.

    `classes` is the number of classes if the file's metadata names them. Raises DetectorError if the
    layout is unknown.
    """
    if output.ndim == 3 and output.shape[0] == 1:
        rows, columns = output.shape[1:]
        for strides in STRIDES:
            cells = sum((height // stride) * (width // stride) for stride in strides)
            if columns == cells and rows > 4:
                return Layout(name="yolov8", classes=classes or rows - 4)
            if rows == cells and classes is not None and columns == 4 + classes:
                return Layout(name="yolov8-rows", classes=classes)
            if rows == cells and columns > 5:
                decoded = float(output[0, :, :2].max()) > min(height, width) / 2
                name = "yolox-decoded" if decoded else "yolox"
                return Layout(name=name, classes=columns - 5, strides=strides)
            if rows == 3 * cells and columns > 5:
                return Layout(name="yolov5", classes=classes or columns - 5)
        if columns == 6 and rows <= END_TO_END_MOST:
            if classes is None:
                raise DetectorError(
                    "the number of classes of an end-to-end model does not follow from its shape",
                    remedy="export it with ultralytics, which writes the class names into the file",
                )
            return Layout(name="end-to-end", classes=classes)
    raise DetectorError(
        f"an output of shape {output.shape} for an input of {height} x {width} is not a known YOLO layout",
        remedy="export the model as plain YOLOX, YOLOv5, YOLOv8 or YOLOv10, with a batch of one",
    )


def decode(output: Floats, layout: Layout, height: int, width: int) -> tuple[Floats, Floats]:
    """Corners (N, 4) x1, y1, x2, y2 in input pixels, and scores (N, classes) from 0 to 1.

    `output` is (1, ...) as the network returns it.
    """
    rows = output[0]
    if layout.name == "end-to-end":
        return rows[:, :4], _one_hot(rows[:, 4], rows[:, 5], layout.classes)
    if layout.name == "yolov8":
        rows = rows.T
    if layout.name in ("yolov8", "yolov8-rows"):  # further columns are masks or key points
        return _corners(rows[:, :2], rows[:, 2:4]), rows[:, 4 : 4 + layout.classes]
    scores = rows[:, 5 : 5 + layout.classes] * rows[:, 4:5]
    if layout.name == "yolox":
        cells, steps = _grid(height, width, layout.strides)
        return _corners((rows[:, :2] + cells) * steps, np.exp(rows[:, 2:4]) * steps), scores
    return _corners(rows[:, :2], rows[:, 2:4]), scores


def _corners(centres: Floats, sizes: Floats) -> Floats:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def _grid(height: int, width: int, strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """The column and row of each cell (cells, 2), and its stride (cells, 1), in the order of YOLOX."""
    cells, steps = [], []
    for stride in strides:
        down, across = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([across.ravel(), down.ravel()], axis=1))
        steps.append(np.full((across.size, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)


def _one_hot(scores: Floats, labels: Floats, classes: int) -> Floats:
    numbers = labels.astype(np.intp)
    table = np.zeros((len(scores), classes), dtype=np.float32)
    known = (numbers >= 0) & (numbers < classes)
    table[np.flatnonzero(known), numbers[known]] = scores[known]
    return table
