"""Pictures made from a photograph: crops, thumbnails, thumbnails with a box drawn, JPEG files."""

from __future__ import annotations

import io
import math
from pathlib import Path

from PIL import Image, ImageDraw

from pipeline.crops.square import CROP_SIDE, FRAME_SIDE, Square
from pipeline.files.atomic import atomic_file
from pipeline.images.photo import PADDING, REDUCING_GAP, SHRINK, Photo
from pipeline.records import Box

CROP_QUALITY = 90  # of JPEG
FRAME_QUALITY = 75
AMBER = (255, 176, 0)
# From the box outwards: visible on snow, on leaves and in infrared.
LINES: tuple[str | tuple[int, int, int], ...] = ("black", AMBER, AMBER, AMBER, "black")


def crop(photo: Photo, area: Square, max_side: int = CROP_SIDE) -> Image.Image:
    """The square `area` of the photograph, at most `max_side` pixels a side and never enlarged.

    What lies beyond the photograph is filled with `PADDING`. Raises PhotoError as `Photo.pixels`.
    """
    side = min(area.side, max_side)
    left, right = max(area.left, 0), min(area.left + area.side, photo.width)
    top, bottom = max(area.top, 0), min(area.top + area.side, photo.height)
    pixels = photo.pixels(min(1.0, max_side / area.side))
    across, down = pixels.width / photo.width, pixels.height / photo.height
    zoom = side / area.side
    size = (max(1, round((right - left) * zoom)), max(1, round((bottom - top) * zoom)))
    part = pixels.resize(
        size,
        SHRINK,
        box=(left * across, top * down, right * across, bottom * down),
        reducing_gap=REDUCING_GAP,
    )
    if size == (side, side):
        return part
    canvas = Image.new("RGB", (side, side), PADDING)
    canvas.paste(part, (round((left - area.left) * zoom), round((top - area.top) * zoom)))
    return canvas


def thumbnail(photo: Photo, max_side: int = FRAME_SIDE) -> Image.Image:
    """The whole photograph, its longer side at most `max_side` pixels, never enlarged.

    Raises PhotoError as `Photo.pixels`.
    """
    zoom = min(1.0, max_side / max(photo.width, photo.height))
    size = (max(1, round(photo.width * zoom)), max(1, round(photo.height * zoom)))
    return photo.pixels(zoom).resize(size, SHRINK, reducing_gap=REDUCING_GAP)


def framed(small: Image.Image, box: Box) -> Image.Image:
    """A copy of the thumbnail `small` with `box` outlined: amber between two dark lines, outside the box.

    A box that fills the photograph gets no outline: there is nothing to point at.
    """
    copy = small.copy()
    if box.width > 0.99 and box.height > 0.99:
        return copy
    draw = ImageDraw.Draw(copy)
    left, top = math.floor(box.x1 * copy.width), math.floor(box.y1 * copy.height)
    right, bottom = math.ceil(box.x2 * copy.width) - 1, math.ceil(box.y2 * copy.height) - 1
    for gap, colour in reversed(list(enumerate(LINES, start=1))):
        inset = len(LINES) - gap  # at the edge of the photograph the lines move inside, so that all show
        x1, y1 = max(left - gap, inset), max(top - gap, inset)
        x2, y2 = min(right + gap, copy.width - 1 - inset), min(bottom + gap, copy.height - 1 - inset)
        if x1 <= x2 and y1 <= y2:
            draw.rectangle((x1, y1, x2, y2), outline=colour)
    return copy


def write_jpeg(image: Image.Image, path: Path, quality: int) -> None:
    """Write a JPEG file atomically, in place of an older one. Raises FileError if the disk refuses."""
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    with atomic_file(path) as draft:
        draft.write_bytes(encoded.getbuffer())
