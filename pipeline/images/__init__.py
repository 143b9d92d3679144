"""Photographs: decoded once, upright and in RGB; square crops around a box; thumbnails with the box drawn."""

from pipeline.images.photo import MAX_BYTES, MAX_PIXELS, PADDING, Photo, read_file
from pipeline.images.pictures import (
    AMBER,
    CROP_QUALITY,
    FRAME_QUALITY,
    REDUCING_GAP,
    crop,
    framed,
    thumbnail,
    write_jpeg,
)
from pipeline.images.squares import CONTEXT, CROP_SIDE, FRAME_SIDE, Square, scale_needed, square

__all__ = [
    "AMBER",
    "CONTEXT",
    "CROP_QUALITY",
    "CROP_SIDE",
    "FRAME_QUALITY",
    "FRAME_SIDE",
    "MAX_BYTES",
    "MAX_PIXELS",
    "PADDING",
    "REDUCING_GAP",
    "Photo",
    "Square",
    "crop",
    "framed",
    "read_file",
    "scale_needed",
    "square",
    "thumbnail",
    "write_jpeg",
]
