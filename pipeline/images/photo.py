"""A photograph's header and pixels: upright, in RGB, decoded only as large as needed.

Files may be damaged or hostile: whatever is wrong with one is raised as a PhotoError of a short kind.
"""

from __future__ import annotations

import io
import math
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from pipeline.arrays import Floats
from pipeline.errors import PhotoError
from pipeline.files import reading
from pipeline.images.exif import DECODE_ERRORS, read_exif

MAX_PIXELS = 89_000_000  # 268 MB decoded; below Pillow's own limit, so that Pillow never warns first
MAX_BYTES = 256 * 1024 * 1024
FORMATS = (
    "JPEG",
    "PNG",
    "BMP",
    "GIF",
    TiffImagePlugin.TiffImageFile.format,
    WebPImagePlugin.WebPImageFile.format,
)
TRUNCATED = "truncated"  # the failure, or the defect, of a file that is cut short
_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"  # the marks at the beginning and the end of a JPEG
_END_COLOUR, _BLOCK = (128, 128, 128), 16  # of a JPEG's missing end; pixels of its largest block
PADDING = (124, 116, 104)  # the mean colour of ImageNet: networks ignore it and people are not distracted
# A box filter to 1.5 times the size, then Hamming: a third of the time of plain bicubic, and as sharp.
REDUCING_GAP = 1.5
SHRINK = Image.Resampling.HAMMING

Image.preinit()  # BMP, GIF, JPEG (and with it MPO) and PNG; TIFF and WebP are imported above
# Pillow warns of damaged EXIF and of large photographs; both are handled here.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_file(path: str | Path) -> bytes:
    """The bytes of a photograph's file, by path or URL.

    Raises PhotoError: missing, not_a_file, too_large, unreadable.
    """
    return reading.read(path, MAX_BYTES)


def size_of(path: str | Path) -> tuple[int, int] | None:
    """Width and height after EXIF rotation, from the photograph's header; None if it cannot be read.

    A local file is not read beyond its header.
    """
    try:
        if reading.is_url(str(path)):
            photo = Photo(read_file(path))
            return photo.width, photo.height
        if not Path(path).is_file():  # a pipe would wait for its writer
            return None
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            return (height, width) if read_exif(image).swaps_sides else (width, height)
    except (PhotoError, Image.DecompressionBombError, *DECODE_ERRORS):
        return None


class Photo:
    """A photograph whose header has been read. Its pixels are decoded at the first request.

    `width` and `height` are pixels of the whole photograph after EXIF rotation; `taken_at` is the time of
    the camera's clock, None if EXIF has no valid one. `defect` is TRUNCATED once pixels were requested of
    a `partial` one that ends too early.
    """

    def __init__(self, data: bytes, *, partial: bool = False) -> None:
        """`data` are the bytes of a file. `partial` takes a JPEG whose end is missing as far as it goes.

        Raises PhotoError: empty, not_an_image, too_large, truncated (within the header), corrupt.
        """
        if not data:
            raise PhotoError("empty", "the file has no bytes")
        self._data = data
        self._partial = partial
        with self._open() as image:
            width, height = image.size
            exif = read_exif(image)
        if width * height > MAX_PIXELS:
            raise PhotoError("too_large", f"{width} x {height} pixels; at most {MAX_PIXELS} are decoded")
        self._turn = exif.turn
        self.width, self.height = (height, width) if exif.swaps_sides else (width, height)
        self.taken_at = exif.taken_at
        self.defect: str | None = None
        self._decoded: Image.Image | None = None
        self._scale = 0.0

    def pixels(self, scale: float = 1.0) -> Image.Image:
        """The upright photograph in RGB, at `scale` (0 to 1) of its size or somewhat more.

        A JPEG is decoded at 1/2, 1/4 or 1/8 where that is enough, for a fraction of the work. The result is
        kept, so request the largest scale first. Raises PhotoError: truncated (a `partial` one only before
        the first pixels), corrupt.
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
            raise _damage(exc) from exc

    def _decode(self, scale: float) -> tuple[Image.Image, float]:
        """The upright photograph, and the scale that it is good for."""
        try:
            upright, whole = self._loaded(scale)
        except PhotoError as exc:
            if not self._partial or exc.failure != TRUNCATED or not self._data.startswith(_JPEG):
                raise
            # Pillow's own way to accept such files is a switch for all threads, which then hides the defect.
            self._data += _JPEG_END
            upright, whole = self._loaded(scale)
            if _is_plain(upright):
                raise PhotoError(TRUNCATED, "the file ends before the first pixels") from exc
            self.defect = TRUNCATED
        # The size of a JPEG decoded at 1/2, 1/4 or 1/8 is rounded up, so this scale is slightly too high.
        decoded = min(1.0, upright.width / whole[0], upright.height / whole[1])
        return (upright if self._turn is None else upright.transpose(self._turn)), max(decoded, scale)

    def _loaded(self, scale: float) -> tuple[Image.Image, tuple[int, int]]:
        """The photograph in RGB as the file has it, at `scale` or more, and the size of the whole."""
        with self._open() as image:
            whole = image.size
            if image.format in ("JPEG", "MPO") and scale < 1.0:
                image.draft(None, (max(1, math.ceil(whole[0] * scale)), max(1, math.ceil(whole[1] * scale))))
            try:
                image.load()
                return _rgb(image), whole
            except DECODE_ERRORS as exc:
                raise _damage(exc) from exc


def _damage(error: Exception) -> PhotoError:
    kind = TRUNCATED if "truncated" in str(error).lower() else "corrupt"
    return PhotoError(kind, reading.reason(error))


def _is_plain(image: Image.Image) -> bool:
    """Whether a JPEG shows no more than its first block and the grey that follows the end of a file."""
    drawn = ImageChops.difference(image, Image.new("RGB", image.size, _END_COLOUR)).getbbox()
    return drawn is None or (drawn[2] <= _BLOCK and drawn[3] <= _BLOCK)


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


def _stretched(values: Floats) -> NDArray[np.uint8]:
    """Greyscale of more than 8 bits to 0-255, darkest to brightest: thermal cameras use a narrow range."""
    finite = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = finite.min(), finite.max()
    spread = high - low if high > low else 1.0
    stretched: NDArray[np.uint8] = ((finite - low) * (255.0 / spread)).round().astype(np.uint8)
    return stretched
