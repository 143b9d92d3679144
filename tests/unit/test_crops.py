"""Crops and thumbnails of detections, as imports and the backend cut them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from PIL import Image

from pipeline.crops import content_hash, cut_crops
from pipeline.errors import PhotoError
from pipeline.images import Photo
from pipeline.records import WHOLE_FRAME, Box, DetectionRecord
from tests.helpers.photographs import encoded, scene


def detection(id_: str, box: Box = WHOLE_FRAME) -> DetectionRecord:
    return DetectionRecord(id=id_, image_id="i", box=box, bbox_confidence=0.9, detector="test")


def test_each_detection_gets_a_square_crop_and_a_thumbnail_at_its_own_paths(tmp_path: Path) -> None:
    photo = Photo(encoded(scene(1200, 900)))
    small = detection("cdef01", Box(x1=0.1, y1=0.1, x2=0.2, y2=0.2))
    whole, part = cut_crops(photo, [detection("abcdef"), small], tmp_path)
    assert (whole.crop_path, whole.frame_path) == ("crops/ab/abcdef.jpg", "frames/ab/abcdef.jpg")
    assert (part.crop_path, part.frame_path) == ("crops/cd/cdef01.jpg", "frames/cd/cdef01.jpg")
    assert Image.open(tmp_path / str(whole.crop_path)).size == (448, 448)
    assert Image.open(tmp_path / str(part.crop_path)).size == (203, 203)  # 1.69 times the box's 120 pixels
    assert Image.open(tmp_path / str(part.frame_path)).size == (640, 480)


def test_context_and_largest_side_are_the_importers_choice(tmp_path: Path) -> None:
    box = Box(x1=0.4, y1=0.4, x2=0.5, y2=0.5)
    photo = Photo(encoded(scene(1200, 900)))
    (cut,) = cut_crops(photo, [detection("abcdef", box)], tmp_path, context=1.0, crop_side=64)
    assert Image.open(tmp_path / str(cut.crop_path)).size == (64, 64)


def test_a_photograph_without_detections_is_not_decoded(tmp_path: Path) -> None:
    data = encoded(scene(1200, 900))
    torn = Photo(data[: len(data) // 4])
    assert cut_crops(torn, [], tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PhotoError):
        cut_crops(torn, [detection("abcdef")], tmp_path)


def test_content_is_identified_by_all_of_its_bytes() -> None:
    assert content_hash(b"fox") == hashlib.blake2b(b"fox", digest_size=16).hexdigest()
    assert content_hash(b"fox") != content_hash(b"fox ")
