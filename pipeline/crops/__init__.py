"""Crops: the square around a box, the crop and the framed thumbnail of a detection, and their files."""

from pipeline.crops.cut import content_hash, cut_crops, stored_photo, write_frame
from pipeline.crops.pictures import AMBER, CROP_QUALITY, FRAME_QUALITY, crop, framed, thumbnail, write_jpeg
from pipeline.crops.square import CONTEXT, CROP_SIDE, FRAME_SIDE, Square, scale_needed, square

__all__ = [
    "AMBER",
    "CONTEXT",
    "CROP_QUALITY",
    "CROP_SIDE",
    "FRAME_QUALITY",
    "FRAME_SIDE",
    "Square",
    "content_hash",
    "crop",
    "cut_crops",
    "framed",
    "scale_needed",
    "square",
    "stored_photo",
    "thumbnail",
    "write_frame",
    "write_jpeg",
]
