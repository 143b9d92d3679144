"""Names of frames of videos, as MegaDetector's tools give them: cam1/a.mp4/frame000030.jpg."""

from __future__ import annotations

import re

from importers.reading.paths import VIDEO_SUFFIXES, suffix_of

_FRAME = re.compile(r"frame_?([0-9]{1,9})\.(?:jpg|jpeg|png)", re.IGNORECASE)


def frame_name(number: int) -> str:
    """The file name of a frame in the folder that is named after its video."""
    return f"frame{number:06d}.jpg"


def frame_number(file_name: str) -> int | None:
    """The number of the frame with this file name; None if it is another file."""
    match = _FRAME.fullmatch(file_name)
    return int(match[1]) if match else None


def video_and_number(name: str) -> tuple[str, int] | None:
    """The video's name and the frame's number of a photograph named as a frame; None for every other."""
    video, _, file_name = name.rpartition("/")
    if suffix_of(video) not in VIDEO_SUFFIXES:
        return None
    number = frame_number(file_name)
    return None if number is None else (video, number)


def step(frame_rate: float, frames_per_second: float) -> int:
    """From one sampled frame to the next, at most so many a second."""
    return max(1, round(frame_rate / frames_per_second))
