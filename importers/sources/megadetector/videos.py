"""The videos of a MegaDetector results file: their frames, each with its boxes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

from importers.detectors.detector import DetectedBox
from importers.ingest import videos
from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import SourceImage, detections_of
from importers.ingest.videos import VideoFrames, VideoSampler
from importers.reading.bad_record import LeaveOut
from importers.reading.fractions import highest
from importers.reading.image_root import ImageRoot
from importers.reading.json_file import is_number, shown
from importers.reading.video_frames import frame_name, frame_number, step
from importers.sources.megadetector.file import WITHOUT_DETECTIONS, Record, Results, detected
from pipeline.errors import PhotoError
from pipeline.files import reading
from pipeline.images.video import VIDEO
from pipeline.records import LARGEST

_NOWHERE = (
    "neither the video nor a folder of that name with its extracted frames (frame000000.jpg, ...) is below "
    "--images"
)


class VideoRecords:
    """Turns the records of videos into photographs of their frames."""

    def __init__(
        self,
        results: Results,
        root: ImageRoot,
        sampler: VideoSampler,
        frames_per_second: float | None,
        *,
        threshold: float = 0.0,
    ) -> None:
        """`frames_per_second` is the most that are used of a video; None: all that MegaDetector looked at.

        `threshold` is the least confidence of boxes that are kept.
        """
        self._results = results
        self._root = root
        self._sampler = sampler
        self._most = frames_per_second
        self._threshold = threshold

    def photographs(
        self, record: Record, started_at: dt.datetime | None, report: ImportReport
    ) -> Iterator[SourceImage]:
        """The frames of a video that MegaDetector looked at, else the failure of the video.

        `started_at` is the start of the video by the results file, which otherwise the video itself tells.
        Bad detections are left out.
        """
        name, path = record.name, self._root.path_of(record.name)
        said = record.image.get("failure")
        if isinstance(said, str) and said:
            yield videos.failed(name, path, f"MegaDetector failed on it: {said}")
            return
        if not isinstance(record.image.get("detections"), list):
            report.refuse(record.where, *WITHOUT_DETECTIONS)
            return
        leave_out = partial(report.leave_out, record.where)
        boxes, unread = self._boxes(record, report)
        rate = record.image.get("frame_rate")
        rate = float(rate) if is_number(rate) and rate > 0 else None
        numbers = sorted({*_processed(record.image, leave_out), *boxes}) or [0]  # the first, if none is named
        if self._most is not None and rate is not None:
            numbers = _thinned(numbers, step(rate, self._most))
        try:
            frames = self._frames(path, numbers, boxes)
        except PhotoError as exc:
            yield videos.failed(name, path, exc.detail)
            return
        report.notes[Note.VIDEOS] += 1
        for number in sorted(boxes.keys() & set(numbers) - frames.paths.keys()):
            leave_out("detections", f"the video has no frame {number}")
        frames = replace(
            frames, frame_rate=rate or frames.frame_rate, started_at=started_at or frames.started_at
        )
        for photograph in videos.photographs(name, path, frames):
            number = photograph.video_frame or 0
            broken = highest(unread.get(number), unread.get(None))
            yield replace(
                photograph,
                detections=detections_of(
                    self._results.detector, boxes.get(number, ()), broken, self._threshold
                ),
            )

    def _frames(
        self, path: str, numbers: Sequence[int], boxes: Mapping[int, Sequence[DetectedBox]]
    ) -> VideoFrames:
        """The files of these frames; a missing one is expected only if it has a box. Raises PhotoError."""
        if self._root.is_url:
            if reading.stat(f"{path}/{frame_name(numbers[0])}") is None:
                raise PhotoError(VIDEO, _NOWHERE)
            return VideoFrames(paths={number: f"{path}/{frame_name(number)}" for number in numbers})
        if Path(path).is_file():
            return self._sampler.by_number(path, numbers)
        if not Path(path).is_dir():
            raise PhotoError(VIDEO, _NOWHERE)
        try:
            names = {frame_number(file.name): file.name for file in Path(path).iterdir()}
        except OSError as exc:
            raise PhotoError(VIDEO, f"its folder cannot be read: {reading.reason(exc)}") from exc
        paths = {
            number: f"{path}/{names.get(number, frame_name(number))}"
            for number in numbers
            if number in names or number in boxes
        }
        if not paths:
            raise PhotoError(
                VIDEO, f"its folder lacks the frames that MegaDetector looked at ({numbers[0]}, ...)"
            )
        return VideoFrames(paths=paths)

    def _boxes(
        self, record: Record, report: ImportReport
    ) -> tuple[dict[int, list[DetectedBox]], dict[int | None, float]]:
        """The boxes by the number of their frame, and the highest confidence of broken detections likewise.

        Broken ones without the number of a frame may be of any frame: they are at None.
        """
        boxes: dict[int, list[DetectedBox]] = {}
        unread: dict[int | None, float] = {}
        for place, (box, broken, given) in enumerate(
            detected(record.image, self._results, record.where, report)
        ):
            frame = given.get("frame_number") if isinstance(given, dict) else None
            number = int(frame) if _is_number_of_frame(frame) else None
            if box is not None and number is None:
                report.leave_out(
                    f"{record.where}: detection {place}",
                    "detections",
                    f"frame_number {shown(frame)} is not the number of a frame",
                )
                broken = box.confidence
            if broken is not None:
                unread[number] = max(broken, unread.get(number, 0.0))
            elif box is not None and number is not None:
                boxes.setdefault(number, []).append(box)
        return boxes, unread


def _processed(image: Mapping[str, Any], leave_out: LeaveOut) -> list[int]:
    """The numbers of the frames that MegaDetector looked at; none if the record does not say."""
    numbers = image.get("frames_processed")
    if numbers is None:
        return []
    if isinstance(numbers, list) and all(map(_is_number_of_frame, numbers)):
        return [int(number) for number in numbers]
    leave_out("frames_processed", f"frames_processed {shown(numbers)} is not a list of numbers of frames")
    return []


def _thinned(numbers: Sequence[int], least: int) -> list[int]:
    """Of these rising numbers, those that are at least so far from the one before, and the first."""
    kept: list[int] = []
    for number in numbers:
        if not kept or number - kept[-1] >= least:
            kept.append(number)
    return kept


def _is_number_of_frame(value: Any) -> TypeGuard[float]:
    return is_number(value) and 0 <= value <= LARGEST and float(value).is_integer()
