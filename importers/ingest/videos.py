"""Videos as sequences of photographs: their frames, extracted by another program or sampled here."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from importers.ingest.report import ImportReport, Note
from importers.ingest.source_image import ImportOptions, SourceImage
from importers.reading.video_frames import frame_name, step, video_and_number
from pipeline.crops import write_jpeg
from pipeline.errors import PhotoError
from pipeline.files import reading
from pipeline.files.atomic import atomic_file
from pipeline.identity import digest
from pipeline.images import video as videos

FOLDER = "videos"  # below the data folder
FRAMES_PER_SECOND = 1.0
QUALITY = 95  # of the JPEG of a sampled frame

_TABLE = "sampling.json"  # what was sampled, beside the frames
_ROWS_ONLY = "its frames are sampled by an import without --rows-only"


@dataclass(frozen=True, kw_only=True)
class VideoFrames:
    """Frames of a video as files."""

    paths: Mapping[int, str]  # by number, rising
    frame_rate: float | None = None  # frames a second
    started_at: dt.datetime | None = None  # the camera's clock


def as_frame(photograph: SourceImage) -> SourceImage:
    """The photograph as a frame of the video that its folder is named after, if the source says nothing."""
    found = video_and_number(photograph.file_name) if photograph.video is None else None
    if found is None:
        return photograph
    name, number = found
    return replace(
        photograph,
        video=name,
        video_frame=number,
        seq_id=photograph.seq_id or _sequence(os.path.dirname(photograph.path)),  # noqa: PTH120 - may be a URL
        frame_num=number if photograph.seq_id is None else photograph.frame_num,
    )


def photographs(name: str, path: str, frames: VideoFrames) -> Iterator[SourceImage]:
    """The frames of the video with this name and path, one sequence in the order of their numbers."""
    for place, (number, file) in enumerate(frames.paths.items()):
        moment = None
        if frames.started_at is not None and frames.frame_rate:
            moment = frames.started_at + dt.timedelta(seconds=number / frames.frame_rate)
        yield SourceImage(
            file_name=f"{name}/{frame_name(number)}",
            path=file,
            datetime=moment,
            seq_id=_sequence(path),
            frame_num=place,
            seq_num_frames=len(frames.paths),
            video=name,
            video_frame=number,
            video_frame_rate=frames.frame_rate,
        )


def failed(name: str, path: str, detail: str) -> SourceImage:
    """A video that cannot be used."""
    return SourceImage(file_name=name, path=path, failure=(videos.VIDEO, detail))


class VideoSampler:
    """Writes frames of video files below the data folder; a second import finds them there."""

    def __init__(self, data_dir: Path, options: ImportOptions, report: ImportReport) -> None:
        self._folder = data_dir.resolve() / FOLDER
        self._reads = not options.rows_only
        self._has_time = options.exif_time
        self._report = report

    def by_rate(self, path: str, frames_per_second: float) -> VideoFrames:
        """So many frames a second, from the first on. Raises PhotoError."""
        if not self._reads:
            raise PhotoError(videos.VIDEO, _ROWS_ONLY)
        return self._sample(path, {"frames_per_second": frames_per_second})

    def by_number(self, path: str, numbers: Sequence[int]) -> VideoFrames:
        """The frames with these rising numbers, as far as the video has them. Raises PhotoError."""
        if not self._reads:  # the same import, when it reads, puts them there
            folder = self._of(path)
            return VideoFrames(paths={number: str(folder / frame_name(number)) for number in numbers})
        return self._sample(path, {"numbers": list(numbers)})

    def _sample(self, path: str, wanted: dict[str, Any]) -> VideoFrames:
        file = reading.stat(path)
        request = {**wanted, "size": file and file.size, "mtime": file and file.mtime}
        folder = self._of(path)
        table = _read(folder / _TABLE)
        if table.get("request") != request or not all(
            (folder / frame_name(number)).is_file() for number in table["numbers"]
        ):
            table = {"request": request, **_written(path, folder, wanted)}
            with atomic_file(folder / _TABLE) as draft:
                draft.write_text(json.dumps(table), encoding="utf-8")
        if table["is_cut"]:
            self._report.notes[Note.CUT_VIDEOS] += 1
        start = table["started_at"]
        return VideoFrames(
            paths={number: str(folder / frame_name(number)) for number in table["numbers"]},
            frame_rate=table["frame_rate"],
            started_at=dt.datetime.fromisoformat(start) if start and self._has_time else None,
        )

    def _of(self, path: str) -> Path:
        """The folder of the frames of a video: in one of 256 subfolders."""
        name = digest(path)
        return self._folder / name[:2] / name


def _written(path: str, folder: Path, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Write the wanted frames of a video to `folder`; returns what is in its table. Raises PhotoError."""
    numbers: list[int] = []
    is_cut = False
    with videos.opened(path) as video:
        named = wanted.get("numbers")
        among: Container[int]
        if named is None:
            among = range(0, sys.maxsize, step(video.frame_rate, wanted["frames_per_second"]))
        else:
            among = frozenset(named)
        try:
            for number, picture in video.frames(among, last=max(named) if named else None):
                write_jpeg(picture, folder / frame_name(number), QUALITY)
                numbers.append(number)
        except PhotoError:
            if not numbers:
                raise
            is_cut = True
        if not numbers:
            raise PhotoError(videos.VIDEO, "it has none of the frames that are looked for")
        start = video.started_at.isoformat() if video.started_at is not None else None
        return {
            "numbers": numbers,
            "frame_rate": video.frame_rate,
            "started_at": start,
            "is_cut": is_cut,
        }


def _read(table: Path) -> dict[str, Any]:
    """A table of sampled frames; empty if there is none."""
    with suppress(OSError, ValueError):
        read: dict[str, Any] = json.loads(table.read_text(encoding="utf-8"))
        return read
    return {}


def _sequence(path: str) -> str:
    """The sequence of the video at this path."""
    return f"video-{digest(path)}"
