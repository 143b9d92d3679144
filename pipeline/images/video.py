"""Frames of a video file, decoded by PyAV: an optional extra.

Whatever is wrong with a video is raised as a PhotoError of the kind `video`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.clock import is_possible
from pipeline.errors import PhotoError
from pipeline.files import reading
from pipeline.images.exif import DECODE_ERRORS
from pipeline.images.photo import MAX_PIXELS

VIDEO = "video"  # the kind of failure
EXTRA_MISSING = "its frames can be sampled where wildloop[video] is installed: uv pip install '.[video]'"
# Keys of a container's metadata; the first has the local time of a phone, with its zone.
_TIMES = ("com.apple.quicktime.creationdate", "creation_time", "date")


class Video:
    """A video that is open. `frame_rate` is in frames a second, `started_at` by the camera's clock."""

    def __init__(self, container: Any, stream: Any, frame_rate: float) -> None:
        self.frame_rate = frame_rate
        self.started_at = _started_at({**stream.metadata, **container.metadata})
        self._container = container
        self._stream = stream

    def frames(
        self, numbers: Container[int], *, last: int | None = None
    ) -> Iterator[tuple[int, Image.Image]]:
        """The frames with these numbers, from 0 and up to `last`: number and picture, upright and in RGB.

        Only once. Raises PhotoError where the video cannot be decoded any further.
        """
        errors = _errors()
        try:
            for number, frame in enumerate(self._container.decode(self._stream)):
                if number in numbers:
                    picture = frame.to_image()
                    yield number, picture.rotate(frame.rotation, expand=True) if frame.rotation else picture
                if number == last:
                    return
        except errors as exc:
            raise PhotoError(VIDEO, f"it cannot be decoded: {reading.reason(exc)}") from exc


@contextmanager
def opened(path: str | Path) -> Iterator[Video]:
    """The video at a local path.

    Raises PhotoError if PyAV is absent or the file is no video that it can decode.
    """
    try:
        import av
    except ImportError as exc:
        raise PhotoError(VIDEO, EXTRA_MISSING) from exc
    if not Path(path).is_file():  # a pipe would wait for its writer
        raise PhotoError(VIDEO, "there is no such file")
    try:
        container = av.open(str(path))
    except _errors() as exc:
        raise PhotoError(VIDEO, f"it cannot be opened: {reading.reason(exc)}") from exc
    with container:
        if not container.streams.video:
            raise PhotoError(VIDEO, "there are no pictures in it")
        stream = container.streams.video[0]
        if stream.width * stream.height > MAX_PIXELS:
            size = f"{stream.width} x {stream.height} pixels"
            raise PhotoError(VIDEO, f"{size}; at most {MAX_PIXELS} are decoded")
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise PhotoError(VIDEO, "it does not say how many frames a second has")
        stream.thread_type = "AUTO"
        yield Video(container, stream, float(rate))


def _errors() -> tuple[type[Exception], ...]:
    """What PyAV raises on damaged files."""
    import av

    return (av.FFmpegError, *DECODE_ERRORS)


def _started_at(metadata: dict[str, Any]) -> dt.datetime | None:
    """The first possible time: cameras write the time of their clock, whatever zone they name."""
    for key in _TIMES:
        text = str(metadata.get(key, "")).strip()
        try:
            moment = dt.datetime.fromisoformat(text)
        except ValueError:
            continue
        if is_possible(moment) and ":" in text:  # a date alone is no time
            return moment.replace(tzinfo=None, microsecond=0)
    return None
