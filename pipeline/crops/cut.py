"""Cuts crops: a square crop and a framed thumbnail for each detection of a photograph, at fixed paths."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline.crops import pictures
from pipeline.crops.square import CONTEXT, CROP_SIDE, scale_needed, square
from pipeline.errors import PhotoError
from pipeline.images import Photo, read_file
from pipeline.records import DetectionRecord, ImageRecord


def content_hash(data: bytes) -> str:
    """The identity of a photograph's content: 32 hexadecimal digits of BLAKE2b over the bytes of its file."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def cut_crops(
    photo: Photo,
    detections: Iterable[DetectionRecord],
    data_dir: Path,
    *,
    context: float = CONTEXT,
    crop_side: int = CROP_SIDE,
) -> list[DetectionRecord]:
    """Write the crop and the framed thumbnail of each detection; returns the records with their paths.

    `context` is the side of a crop over the longer side of its box, `crop_side` the largest side of a
    stored crop in pixels. The pixels are decoded at most once, and not at all without detections. Raises
    PhotoError if the pixels are damaged, StoreError if a file cannot be written.
    """
    squares = [
        (detection, square(detection.box, photo.width, photo.height, context)) for detection in detections
    ]
    if not squares:
        return []
    areas = [area for _, area in squares]
    photo.pixels(scale_needed(areas, photo.width, photo.height, crop_side=crop_side))
    thumbnail = pictures.thumbnail(photo)
    records = []
    for detection, area in squares:
        crop_path, frame_path = _path("crops", detection.id), _path("frames", detection.id)
        crop, frame = pictures.crop(photo, area, crop_side), pictures.framed(thumbnail, detection.box)
        pictures.write_jpeg(crop, data_dir / crop_path, pictures.CROP_QUALITY)
        pictures.write_jpeg(frame, data_dir / frame_path, pictures.FRAME_QUALITY)
        records.append(replace(detection, crop_path=crop_path, frame_path=frame_path))
    return records


def write_frame(photo: Photo, detection: DetectionRecord, data_dir: Path, *, side: int) -> DetectionRecord:
    """Write the whole photograph, its longer side at most `side` pixels; returns the record with its path.

    Raises as `cut_crops`.
    """
    frame_path = _path("frames", detection.id)
    pictures.write_jpeg(pictures.thumbnail(photo, side), data_dir / frame_path, pictures.FRAME_QUALITY)
    return replace(detection, frame_path=frame_path)


def stored_photo(record: ImageRecord) -> Photo:
    """The photograph of a stored record, read again from its file.

    Raises PhotoError if the file cannot be used any more, or has other content than when it was imported.
    """
    data = read_file(record.path)
    if record.content_hash not in (None, content_hash(data)):
        raise PhotoError("changed", "the file has other content than when it was imported")
    return Photo(data, partial=True)


def _path(folder: str, detection: str) -> str:
    """Where a detection's picture lies below the data folder: in one of 256 subfolders."""
    return f"{folder}/{detection[:2]}/{detection}.jpg"
