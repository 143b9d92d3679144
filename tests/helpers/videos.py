"""Small video files."""

from __future__ import annotations

import datetime as dt
import struct
from pathlib import Path
from typing import Any

import av
from PIL import Image

from tests.helpers.photographs import scene

RATE = 10  # frames a second


def video(
    path: Path,
    *,
    frames: int = 25,
    size: tuple[int, int] = (64, 48),
    started_at: dt.datetime | None = None,
    quarter_turns: int = 0,
) -> Path:
    """Write a video, MPEG-4 in the container that the ending names; each second has a scene of its own.

    `quarter_turns` to the right make it upright; the container says so, in an MP4 alone.
    """
    from_image: Any = av.VideoFrame.from_image  # untyped
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        if started_at is not None:
            container.metadata["creation_time"] = f"{started_at.isoformat()}Z"
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            container.mux(stream.encode(from_image(shown(number, size))))
        container.mux(stream.encode(None))
    if quarter_turns:
        path.write_bytes(_turned(path.read_bytes(), quarter_turns))
    return path


def shown(number: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    """What the frame with this number shows: bright at the top, and the scene of its second below."""
    picture = scene(*size, seed=number // RATE)
    picture.paste((255, 255, 255), (0, 0, size[0], size[1] // 4))
    return picture


def _turned(data: bytes, quarter_turns: int) -> bytes:
    """The bytes of an MP4 whose track header has another matrix (ISO/IEC 14496-12, 8.3.2)."""
    a, b = {1: (0, 1), 2: (-1, 0), 3: (0, -1)}[quarter_turns]
    one = 1 << 16
    matrix = struct.pack(">9i", a * one, b * one, 0, -b * one, a * one, 0, 0, 0, 1 << 30)
    at = data.index(b"tkhd") + 4 + 40
    return data[:at] + matrix + data[at + len(matrix) :]
