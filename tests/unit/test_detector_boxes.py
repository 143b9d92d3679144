"""Letterboxing, suppression of doubles, and the layouts of YOLO exports."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from importers.detectors import yolo
from importers.detectors.boxes import MOST_BOXES, letterbox, suppress
from importers.detectors.categories import COCO, to_categories
from pipeline.errors import DetectorError
from pipeline.records import Box

SIDE = 64  # an input of 64 x 64 has 8 * 8 + 4 * 4 + 2 * 2 cells at strides 8, 16 and 32
CELLS = 84


@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    side=st.sampled_from([320, 416, 640]),
    centred=st.booleans(),
    corner=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_a_point_comes_back_from_the_letterbox_to_where_it_was(
    width: int, height: int, side: int, centred: bool, corner: tuple[float, float]
) -> None:
    canvas, place = letterbox(Image.new("L", (width, height)), side, side, centred=centred)
    assert canvas.size == (side, side)
    x, y = place.left + corner[0] * place.width, place.top + corner[1] * place.height
    back = place.to_frame(np.array([[x, y, x, y]], dtype=np.float32))[0]
    assert back[:2] == pytest.approx(corner, abs=1e-3)


def test_a_letterbox_keeps_the_proportions_and_fills_up_with_grey() -> None:
    canvas, place = letterbox(Image.new("RGB", (1280, 720), "white"), 640, 640, centred=True)
    pixels = np.asarray(canvas)
    assert (place.left, place.top, place.width, place.height) == (0, 140, 640, 360)
    assert (pixels[139] == 114).all()
    assert (pixels[140:500] == 255).all()
    _, corner = letterbox(Image.new("RGB", (1280, 720)), 640, 640, centred=False)
    assert (corner.left, corner.top) == (0, 0)


def test_boxes_that_reach_beyond_the_photograph_are_clipped() -> None:
    _, place = letterbox(Image.new("RGB", (100, 50)), 64, 64, centred=True)
    assert place.to_frame(np.array([[-5, 0, 70, 64]], dtype=np.float32)).tolist() == [[0, 0, 1, 1]]


def test_of_two_boxes_on_one_animal_the_surer_stays() -> None:
    corners = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], dtype=np.float32)
    kept = suppress(corners, np.array([0.5, 0.9, 0.3], dtype=np.float32), np.zeros(3, dtype=np.intp), 0.45)
    assert kept.tolist() == [1, 2]


def test_boxes_of_different_groups_do_not_suppress_each_other() -> None:
    corners = np.array([[0, 0, 10, 10], [0, 0, 10, 10]], dtype=np.float32)
    kept = suppress(corners, np.array([0.5, 0.9], dtype=np.float32), np.array([0, 1]), 0.45)
    assert kept.tolist() == [1, 0]


def test_boxes_that_only_touch_both_stay() -> None:
    corners = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [0, 0, 0, 0]], dtype=np.float32)
    kept = suppress(corners, np.array([0.5, 0.4, 0.3], dtype=np.float32), np.zeros(3, dtype=np.intp), 0.45)
    assert kept.tolist() == [0, 1, 2]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.floats(0, 1)), max_size=30))
def test_what_is_suppressed_is_overlapped_by_something_surer_that_stays(
    found: list[tuple[int, int, float]],
) -> None:
    corners = np.array([[x, y, x + 5, y + 5] for x, y, _ in found], dtype=np.float32).reshape(-1, 4)
    scores = np.array([score for _, _, score in found], dtype=np.float32)
    kept = suppress(corners, scores, np.zeros(len(found), dtype=np.intp), 0.45)

    def overlap(a: int, b: int) -> float:
        sides = np.minimum(corners[a, 2:], corners[b, 2:]) - np.maximum(corners[a, :2], corners[b, :2])
        shared = float(np.prod(np.maximum(sides, 0)))
        return shared / (50 - shared)

    for index in set(range(len(found))) - set(kept.tolist()):
        assert any(overlap(index, other) > 0.45 and scores[other] >= scores[index] for other in kept)
    assert all(overlap(a, b) <= 0.45 for a in kept for b in kept if a != b)


def test_a_herd_is_limited_to_the_surest() -> None:
    corners = np.array([[4 * n, 0, 4 * n + 2, 2] for n in range(MOST_BOXES + 50)], dtype=np.float32)
    scores = np.linspace(1, 0, len(corners), dtype=np.float32)
    kept = suppress(corners, scores, np.zeros(len(corners), dtype=np.intp), 0.45)
    assert kept.tolist() == list(range(MOST_BOXES))


def test_yolox_offsets_become_boxes_at_their_cells() -> None:
    raw = np.zeros((1, CELLS, 7), dtype=np.float32)
    cell = 64 + 4 + 2  # the second grid (stride 16), row 1, column 2
    raw[0, cell] = [0.5, 0.25, np.log(2), np.log(1), 0.8, 0.1, 0.5]
    layout = yolo.recognise(np.zeros_like(raw), SIDE, SIDE, None)
    assert (layout.name, layout.classes) == ("yolox", 2)
    corners, scores = yolo.decode(raw, layout, SIDE, SIDE)
    # centre (2.5, 1.25) x 16 = (40, 20), size (2, 1) x 16 = (32, 16)
    assert corners[cell].tolist() == pytest.approx([24, 12, 56, 28])
    assert scores[cell].tolist() == pytest.approx([0.08, 0.4])


def test_yolox_that_decodes_itself_is_told_by_its_values() -> None:
    output = np.zeros((1, CELLS, 7), dtype=np.float32)
    output[0, :, 0] = np.linspace(0, 60, CELLS)
    output[0, 5] = [40, 20, 32, 16, 0.5, 1, 0]
    layout = yolo.recognise(output, SIDE, SIDE, None)
    assert layout.name == "yolox-decoded"
    corners, scores = yolo.decode(output, layout, SIDE, SIDE)
    assert corners[5].tolist() == [24, 12, 56, 28]
    assert scores[5].tolist() == [0.5, 0]


def test_yolov5_rows_are_centre_size_objectness_and_classes() -> None:
    output = np.zeros((1, 3 * CELLS, 8), dtype=np.float32)
    output[0, 7] = [40, 20, 32, 16, 0.5, 0.9, 0.1, 0]
    layout = yolo.recognise(output, SIDE, SIDE, None)
    assert (layout.name, layout.classes, layout.is_yolox) == ("yolov5", 3, False)
    corners, scores = yolo.decode(output, layout, SIDE, SIDE)
    assert corners[7].tolist() == [24, 12, 56, 28]
    assert scores[7].tolist() == pytest.approx([0.45, 0.05, 0])


def test_the_four_grids_of_megadetector_v5_are_known() -> None:
    cells = 160**2 + 80**2 + 40**2 + 20**2
    layout = yolo.recognise(np.zeros((1, 3 * cells, 8), dtype=np.float32), 1280, 1280, None)
    assert (layout.name, layout.classes) == ("yolov5", 3)


def test_yolov8_columns_are_centre_size_and_classes() -> None:
    output = np.zeros((1, 6, CELLS), dtype=np.float32)
    output[0, :, 9] = [40, 20, 32, 16, 0.3, 0.6]
    layout = yolo.recognise(output, SIDE, SIDE, None)
    assert (layout.name, layout.classes) == ("yolov8", 2)
    corners, scores = yolo.decode(output, layout, SIDE, SIDE)
    assert corners[9].tolist() == [24, 12, 56, 28]
    assert scores[9].tolist() == pytest.approx([0.3, 0.6])


def test_the_masks_of_a_segmenting_yolov8_are_no_classes() -> None:
    output = np.zeros((1, 4 + 2 + 32, CELLS), dtype=np.float32)
    layout = yolo.recognise(output, SIDE, SIDE, classes=2)
    assert yolo.decode(output, layout, SIDE, SIDE)[1].shape == (CELLS, 2)


def test_a_transposed_yolov8_is_told_by_its_class_names() -> None:
    output = np.zeros((1, CELLS, 6), dtype=np.float32)
    output[0, 9] = [40, 20, 32, 16, 0.3, 0.6]
    layout = yolo.recognise(output, SIDE, SIDE, classes=2)
    corners, scores = yolo.decode(output, layout, SIDE, SIDE)
    assert corners[9].tolist() == [24, 12, 56, 28]
    assert scores[9].tolist() == pytest.approx([0.3, 0.6])


def test_end_to_end_rows_are_corners_score_and_class() -> None:
    output = np.zeros((1, 300, 6), dtype=np.float32)
    output[0, 0] = [24, 12, 56, 28, 0.9, 2]
    output[0, 1] = [0, 0, 5, 5, 0.7, 9]  # a class that the names do not have
    layout = yolo.recognise(output, SIDE, SIDE, classes=3)
    corners, scores = yolo.decode(output, layout, SIDE, SIDE)
    assert corners[0].tolist() == [24, 12, 56, 28]
    assert scores[0].tolist() == pytest.approx([0, 0, 0.9])
    assert scores[1].tolist() == [0, 0, 0]


@pytest.mark.parametrize("shape", [(1, 1000), (2, CELLS, 77), (1, 5000, 77), (1, 3, 64, 64)])
def test_an_unknown_layout_is_refused_with_a_remedy(shape: tuple[int, ...]) -> None:
    with pytest.raises(DetectorError, match=r"not a known YOLO layout.*export the model"):
        yolo.recognise(np.zeros(shape, dtype=np.float32), SIDE, SIDE, None)


def test_an_end_to_end_model_without_names_is_refused_with_a_remedy() -> None:
    with pytest.raises(DetectorError, match="export it with ultralytics"):
        yolo.recognise(np.zeros((1, 300, 6), dtype=np.float32), SIDE, SIDE, None)


def test_coco_classes_become_animal_person_vehicle_or_nothing() -> None:
    mapped = dict(zip(COCO, to_categories(COCO), strict=True))
    assert [mapped[name] for name in ("person", "truck", "zebra", "bird")] == [
        "person",
        "vehicle",
        "animal",
        "animal",
    ]
    assert mapped["chair"] is None
    assert sum(category == "animal" for category in mapped.values()) == 10
    assert sum(category == "vehicle" for category in mapped.values()) == 8


def test_species_of_another_model_are_animals() -> None:
    names = ["Red Deer", "wild boar", "Human", "vehicle", "empty"]
    assert to_categories(names) == ["animal", "animal", "person", "vehicle", None]


def test_megadetector_boxes_are_clipped_to_the_frame_and_need_an_area() -> None:
    assert Box.from_xywh([-0.01, 0.5, 0.2, 0.6]) == Box(x1=0.0, y1=0.5, x2=0.19, y2=1.0)
    assert Box.from_xywh([0.5, 0.5, 0.0, 0.2]) is None
    assert Box.from_xywh([1.0, 0.5, 0.05, 0.2]) is None
