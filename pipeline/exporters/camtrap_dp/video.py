"""Videos of which frames were imported: one medium each, and what was seen in its frames."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from pipeline.exporters.camtrap_dp.deployments import ExportedDeployment
from pipeline.exporters.camtrap_dp.media import Row, allowed, media_type
from pipeline.exporters.camtrap_dp.observation import BLANK, Observation, join
from pipeline.exporters.camtrap_dp.observations import Found, shows_something
from pipeline.identity import digest
from pipeline.records import UNCLASSIFIED, ImageRecord


@dataclass(kw_only=True)
class Video:
    """A video, collected frame by frame."""

    name: str  # its path below the imported folder
    deployment: ExportedDeployment
    seq_id: str | None
    start: dt.datetime  # the camera's clock
    _answers: dict[tuple[str, str], Observation] = field(default_factory=dict, init=False)
    _seen: dict[tuple[str, str], list[dt.datetime]] = field(default_factory=dict, init=False)
    _boxes: list[tuple[dt.datetime, Found]] = field(default_factory=list, init=False)

    @property
    def id(self) -> str:
        """Its mediaID."""
        return digest("video", self.deployment.record.id, self.name)

    def add(self, image: ImageRecord, time: dt.datetime, found: list[Found]) -> None:
        """Add a frame, exposed at `time`, with its observations."""
        self.start = min(self.start, started(image, time))
        counts: Counter[tuple[str, str]] = Counter()
        for _, observation, box in found:
            counts[observation.what] += (observation.count or 0) if box else 0
        for id_, observation, box in found:
            count = max(counts[observation.what], observation.count or 0) or None
            details = {} if box else observation.details  # of one animal, not of the video
            join(self._answers, replace(observation, count=count, key="", details=details))
            self._seen.setdefault(observation.what, []).append(time)
            if box:
                self._boxes.append((time, (id_, observation, box)))

    def medium(self) -> Row:
        """Its row in the table of media, without the id of its deployment."""
        return {
            "mediaID": self.id,
            "timestamp": self.deployment.stamp(self.start),
            "filePath": allowed(self.name),
            "filePublic": "false",
            "fileName": self.name.rpartition("/")[2],
            "fileMediatype": media_type(self.name),
        }

    def observations(self) -> Iterator[Found]:
        """One answer for each species in the video, then the boxes of its frames.

        The standard has no number of a frame: the time of a box is that of its exposure.
        """
        answers = list(self._answers.values())
        named = [each for each in answers if each.kind not in (BLANK, UNCLASSIFIED)]
        chosen = named if shows_something(answers) else _blank(answers)
        for place, each in enumerate(sorted(chosen, key=lambda each: each.what)):
            times = self._seen[each.what]
            period = (self.deployment.stamp(min(times)), self.deployment.stamp(max(times)))
            yield f"{self.id}-{place}", each, {"eventStart": period[0], "eventEnd": period[1]}
        for time, (id_, observation, box) in self._boxes:
            exposed = self.deployment.stamp(time)
            yield id_, observation, {**box, "eventStart": exposed, "eventEnd": exposed}


def started(image: ImageRecord, time: dt.datetime) -> dt.datetime:
    """When the video of a frame began that was exposed at `time`."""
    if not image.video_frame or not image.video_frame_rate:
        return time
    return time - dt.timedelta(seconds=image.video_frame / image.video_frame_rate)


def _blank(answers: list[Observation]) -> list[Observation]:
    """Blank if every frame is, else unclassified."""
    unclassified = [each for each in answers if each.kind == UNCLASSIFIED]
    return unclassified or answers
