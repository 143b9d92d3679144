"""Small photographs and detector files."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def scene(width: int = 160, height: int = 120, seed: int = 0) -> Image.Image:
    """A soft random scene: no two seeds look alike."""
    small = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(
    image: Image.Image,
    form: str = "JPEG",
    *,
    taken_at: dt.datetime | str | None = None,
    orientation: int | None = None,
) -> bytes:
    """The image as the bytes of a file, with the EXIF fields that are given."""
    exif = Image.Exif()
    exif[0x010F] = "a camera"  # Pillow writes no EXIF that has nothing at its top
    if orientation is not None:
        exif[0x0112] = orientation
    if taken_at is not None:
        text = taken_at if isinstance(taken_at, str) else taken_at.strftime("%Y:%m:%d %H:%M:%S")
        exif.get_ifd(0x8769)[0x9003] = text
    target = io.BytesIO()
    image.save(target, form, exif=exif)
    return target.getvalue()


def put(path: Path, data: bytes) -> Path:
    """Write a file and the folders that lead to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def onnx_file(
    path: Path,
    output: NDArray[np.float32],
    *,
    side: int | str = 64,
    metadata: dict[str, str] | None = None,
) -> Path:
    """An ONNX network that takes 1x3xSIDExSIDE floats and returns `output` for any of them.

    Written by hand after onnx.proto: a constant that passes through Identity.
    """
    given = _value("images", (1, 3, side, side))
    returned = _value("output", output.shape)
    dims = b"".join(_number(1, length) for length in output.shape)
    constant = dims + _number(2, 1) + _text(8, "boxes") + _field(9, output.astype("<f4").tobytes())
    node = _text(1, "boxes") + _text(2, "output") + _text(4, "Identity")
    graph = (
        _field(1, node) + _text(2, "graph") + _field(5, constant) + _field(11, given) + _field(12, returned)
    )
    model = _number(1, 8) + _field(7, graph) + _field(8, _text(1, "") + _number(2, 13))
    for key, value in (metadata or {}).items():
        model += _field(14, _text(1, key) + _text(2, value))
    return put(path, model)


def _value(name: str, shape: tuple[int | str, ...]) -> bytes:
    dims = (_number(1, length) if isinstance(length, int) else _text(2, length) for length in shape)
    tensor = _number(1, 1) + _field(2, b"".join(_field(1, dim) for dim in dims))
    return _text(1, name) + _field(2, _field(1, tensor))


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _field(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(field: int, value: str) -> bytes:
    return _field(field, value.encode())
