"""Photographs: decoded once, upright and in RGB."""

from pipeline.images.photo import MAX_BYTES, MAX_PIXELS, PADDING, REDUCING_GAP, Photo, read_file, size_of

__all__ = ["MAX_BYTES", "MAX_PIXELS", "PADDING", "REDUCING_GAP", "Photo", "read_file", "size_of"]
