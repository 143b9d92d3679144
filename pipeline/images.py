"""Photographs: decoded once, upright and in RGB; square crops about a box; framed thumbnails.

Files are hostile: whatever is wrong with one ends as a PhotoError of a short kind.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
import struct
import warnings
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from pipeline.errors import PhotoError
from pipeline.files import reading
from pipeline.files.atomic import atomic_file
from pipeline.records import Box

CONTEXT = 1.69  # side of a crop over the longer side of its box, as the ancestor cut them
CROP_SIDE = 448  # pixels: the largest side of a stored crop
FRAME_SIDE = 640  # pixels: the longer side of a framed thumbnail
CROP_QUALITY = 90
FRAME_QUALITY = 75
MAX_PIXELS = 89_000_000  # 268 MB decoded; below Pillow's own limit, so that it never warns first
MAX_BYTES = 256 * 1024 * 1024

FORMATS = (
    "JPEG",
    "PNG",
    "BMP",
    "GIF",
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
)
PADDING = (124, 116, 104)  # ImageNet's mean colour: next to nothing to a network, quiet to the eye
AMBER = (255, 176, 0)
# From the box outwards: seen on snow, on leaves and in infrared.
LINES: tuple[str | tuple[int, int, int], ...] = ("black", AMBER, AMBER, AMBER, "black")
# A box filter to 1.5 times the size first, then Hamming: a third of the time of plain bicubic, no less sharp.
REDUCING_GAP = 1.5
SHRINK = Image.Resampling.HAMMING

# What Pillow's readers raise on damaged files (UnidentifiedImageError is an OSError).
DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_TIMES = ((_EXIF_IFD, 0x9003), (_EXIF_IFD, 0x9004), (None, 0x0132))  # original, digitised, file
_TIME = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})[ T]+(\d{1,2})\D(\d{1,2})\D(\d{1,2})")
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Image.preinit()  # BMP, GIF, JPEG (and with it MPO) and PNG; TIFF and WebP are imported above
# Pillow warns of damaged EXIF and of large photographs; both are dealt with here.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_file(path: str | Path) -> bytes:
    """The bytes of a photograph's file, by path or URL.

    Raises PhotoError: missing, not_a_file, too_large, unreadable.
    """
    return reading.read(path, MAX_BYTES)


class Photo:
    """A photograph whose header has been read. Its pixels are decoded when first asked for.

    `width` and `height` are pixels of the whole photograph after EXIF rotation; `taken_at` is the
    camera's clock, None where EXIF has none that makes sense.
    """

    def __init__(self, data: bytes) -> None:
        """Raises PhotoError: empty, not_an_image, too_large or corrupt."""
        if not data:
            raise PhotoError("empty", "the file has no bytes")
        self._data = data
        with self._open() as image:
            width, height = image.size
            exif = _exif(image)
        if width * height > MAX_PIXELS:
            raise PhotoError("too_large", f"{width} x {height} pixels; at most {MAX_PIXELS} are decoded")
        self._turn = _UPRIGHT.get(exif.get(_ORIENTATION, 1)) if image.format != "TIFF" else None
        turned = self._turn is not None and exif[_ORIENTATION] >= 5
        self.width, self.height = (height, width) if turned else (width, height)
        self.taken_at = _taken_at(exif)
        self._decoded: Image.Image | None = None
        self._scale = 0.0

    def pixels(self, scale: float = 1.0) -> Image.Image:
        """The upright photograph in RGB, at `scale` (0 to 1) of its size or somewhat more.

        A JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough, for a fraction of the work. What
        was decoded is kept, so ask for the largest scale first. Raises PhotoError: truncated, corrupt.
        """
        if self._decoded is None or scale > self._scale:
            self._decoded, self._scale = self._decode(scale)
        return self._decoded

    def _open(self) -> Image.Image:
        try:
            return Image.open(io.BytesIO(self._data), formats=FORMATS)
        except UnidentifiedImageError as exc:
            raise PhotoError("not_an_image", "no image format begins like this file") from exc
        except Image.DecompressionBombError as exc:
            raise PhotoError("too_large", reading.reason(exc)) from exc
        except DECODE_ERRORS as exc:
            raise PhotoError("corrupt", reading.reason(exc)) from exc

    def _decode(self, scale: float) -> tuple[Image.Image, float]:
        with self._open() as image:
            whole = image.size
            if image.format in ("JPEG", "MPO") and scale < 1.0:
                image.draft(None, (max(1, math.ceil(whole[0] * scale)), max(1, math.ceil(whole[1] * scale))))
            try:
                image.load()
                upright = _rgb(image)
            except DECODE_ERRORS as exc:
                kind = "truncated" if "truncated" in str(exc).lower() else "corrupt"
                raise PhotoError(kind, reading.reason(exc)) from exc
        # A JPEG drawn at 1/2, 1/4 or 1/8 has its size rounded up; so has this scale, by a hair.
        decoded = min(1.0, upright.width / whole[0], upright.height / whole[1])
        return (upright if self._turn is None else upright.transpose(self._turn)), max(decoded, scale)


@dataclass(frozen=True, kw_only=True)
class Square:
    """A square of whole pixels on a frame; it reaches beyond it only where it cannot fit inside."""

    left: int
    top: int
    side: int


def square(box: Box, width: int, height: int, context: float = CONTEXT) -> Square:
    """The square of side `context` x the box's longer side about its centre, in pixels.

    The side is limited to the frame and the square shifted inside it. Only a box longer than the
    frame's shorter side gets a square that reaches beyond: as long as the box, centred over the frame.
    """
    x1, x2 = _edges(box.x1, box.x2, width)
    y1, y2 = _edges(box.y1, box.y2, height)
    longest = max(x2 - x1, y2 - y1)
    side = max(longest, min(round(context * longest), width, height))
    return Square(left=_shifted(x1, x2, side, width), top=_shifted(y1, y2, side, height), side=side)


def scale_needed(squares: Iterable[Square], width: int, height: int, *, crop_side: int = CROP_SIDE) -> float:
    """The smallest scale of a photograph that still gives these crops and the thumbnail all their pixels."""
    needed = [crop_side / area.side for area in squares]
    return min(1.0, max([*needed, FRAME_SIDE / max(width, height)]))


def crop(photo: Photo, area: Square, max_side: int = CROP_SIDE) -> Image.Image:
    """The square `area` of the photograph, at most `max_side` pixels a side and never enlarged."""
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
    """The whole photograph, its longer side at most `max_side` pixels, never enlarged."""
    zoom = min(1.0, max_side / max(photo.width, photo.height))
    size = (max(1, round(photo.width * zoom)), max(1, round(photo.height * zoom)))
    return photo.pixels(zoom).resize(size, SHRINK, reducing_gap=REDUCING_GAP)


def framed(small: Image.Image, box: Box) -> Image.Image:
    """A copy of the thumbnail with `box` outlined: amber between two dark lines, outside the box.

    A box that fills the photograph gets no outline: there is nothing to point at.
    """
    copy = small.copy()
    if box.width > 0.99 and box.height > 0.99:
        return copy
    draw = ImageDraw.Draw(copy)
    left, top = math.floor(box.x1 * copy.width), math.floor(box.y1 * copy.height)
    right, bottom = math.ceil(box.x2 * copy.width) - 1, math.ceil(box.y2 * copy.height) - 1
    for gap, colour in reversed(list(enumerate(LINES, start=1))):
        inset = len(LINES) - gap  # at the edge of the photograph the lines move inside it, none is lost
        x1, y1 = max(left - gap, inset), max(top - gap, inset)
        x2, y2 = min(right + gap, copy.width - 1 - inset), min(bottom + gap, copy.height - 1 - inset)
        if x1 <= x2 and y1 <= y2:
            draw.rectangle((x1, y1, x2, y2), outline=colour)
    return copy


def write_jpeg(image: Image.Image, path: Path, quality: int) -> None:
    """Write a JPEG that is there whole or not at all; an older one of that name is replaced.

    Raises FileError if the disk refuses.
    """
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=quality)
    with atomic_file(path) as draft:
        draft.write_bytes(encoded.getbuffer())


def _edges(low: float, high: float, length: int) -> tuple[int, int]:
    """First pixel of the box along one axis, and the first beyond it; at least one apart."""
    first = min(max(math.floor(low * length), 0), length - 1)
    return first, max(first + 1, min(math.ceil(high * length), length))


def _shifted(first: int, last: int, side: int, length: int) -> int:
    """Where a stretch of `side` about [first, last) begins: inside [0, length) where it fits."""
    if side > length:
        return -((side - length) // 2)
    start = math.floor((first + last - side) / 2)
    return min(max(start, 0), length - side)


def _rgb(image: Image.Image) -> Image.Image:
    """Any of Pillow's modes to RGB: deep greyscale stretched, transparency laid on the padding colour."""
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_stretched(np.asarray(image, dtype=np.float32))).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        whole = image.convert("RGBA")
        ground = Image.new("RGBA", whole.size, (*PADDING, 255))
        return Image.alpha_composite(ground, whole).convert("RGB")
    return image.convert("RGB")


def _stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Greyscale of more than 8 bits to 0-255, darkest to brightest: thermal cameras use a sliver."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    spread = high - low if high > low else 1.0
    stretched: NDArray[np.uint8] = ((finite - low) * (255.0 / spread)).round().astype(np.uint8)
    return stretched


def _exif(image: Image.Image) -> dict[Any, Any]:
    """EXIF of the header, its own part under the keys (0x8769, tag); nothing where it is garbage."""
    if image.format == "PNG" and "exif" not in image.info:
        return {}  # to look further Pillow would decode the whole file
    try:
        exif = image.getexif()
        own = exif.get_ifd(_EXIF_IFD)
        orientation = exif.get(_ORIENTATION, 1)
        return {
            **{(_EXIF_IFD, tag): value for tag, value in own.items()},
            **{(None, tag): value for tag, value in exif.items()},
            _ORIENTATION: orientation if isinstance(orientation, int) else 1,
        }
    except DECODE_ERRORS:
        return {}  # a photograph without EXIF is a photograph still


def _taken_at(exif: dict[Any, Any]) -> dt.datetime | None:
    for key in _TIMES:
        value = exif.get(key)
        text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value or "")
        found = _TIME.match(text.strip("\x00 "))
        if found:
            try:
                return dt.datetime(*(int(part) for part in found.groups()))  # type: ignore[arg-type]
            except ValueError:
                continue  # a clock that was never set says 0000:00:00
    return None
