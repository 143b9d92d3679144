"""Plans and writes the three tables and the descriptor of one export."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.camtrap_dp import CAPTURE_METHODS, DESCRIPTOR, MISSING, PROVENANCE, TABLES
from pipeline.errors import ExportError
from pipeline.exporters.camtrap_dp.deployments import OUTSIDE_PERIOD, ExportedDeployment, ExportedDeployments
from pipeline.exporters.camtrap_dp.descriptor import Written, descriptor
from pipeline.exporters.camtrap_dp.events import Event, event_of
from pipeline.exporters.camtrap_dp.media import Row, free_id, id_of, medium_of, path_of
from pipeline.exporters.camtrap_dp.metadata import Metadata
from pipeline.exporters.camtrap_dp.observation import HUMAN, Observation, Taxa, without_period
from pipeline.exporters.camtrap_dp.observations import Found, of_medium
from pipeline.exporters.camtrap_dp.settings import Settings
from pipeline.exporters.camtrap_dp.source_rows import of_deployment, of_image, time_cell
from pipeline.exporters.camtrap_dp.video import Video, started
from pipeline.exporters.source import Basis, ExportReport, ExportSource, LabelledImage
from pipeline.records import ImageRecord

RENAMED = "file names that the standard does not allow, written with percent signs"
WHOLE_SECONDS = "times with fractions of a second, written to the second: the standard takes no more"
EMPTY_LEFT_OUT = "deployments without photographs left out: the standard needs coordinates, zone and period"

Put = Callable[[Mapping[str, str]], Any]


@dataclass(kw_only=True)
class Plan:
    """What the first reading of the source found."""

    settings: Settings
    metadata: Metadata
    deployments: ExportedDeployments
    ids: Mapping[str, str]  # of deployments, as written, by their ids
    own: frozenset[int]  # hashes of the photographs' ids here, which no id of a source may be


@dataclass(kw_only=True)
class _Media:
    """What the first reading finds of media."""

    own: set[int] = field(default_factory=set)  # hashes of ids: a million texts take too much memory
    packages: set[str] = field(default_factory=set)  # provenances
    methods: set[str] = field(default_factory=set)
    others: bool = False  # photographs that came from no package
    further: set[str] = field(default_factory=set)  # columns of packages that the standard does not have
    answered: bool = False  # people or the current version answered something

    def add(self, photograph: LabelledImage) -> None:
        """Add a photograph that is written."""
        image = photograph.image
        self.own.add(hash(image.id))
        came = of_image(image)
        self.others |= came is None
        if came is not None:
            self.packages.add(came.source)
            self.add_further("media", [came.medium])
            self.add_further("observations", [*came.observations, *came.events])
            method = TABLES["media"]["captureMethod"].takes(came.medium.get("captureMethod", ""))
            self.methods.update([method] if method is not None else [])
        self.answered |= any(
            detection.answer.basis in (Basis.PEOPLE, Basis.MODEL) for detection in photograph.detections
        )

    def add_further(self, table: str, rows: Iterable[Mapping[str, str]]) -> None:
        """Add the columns of rows that the standard's table does not have."""
        for row in rows:
            self.further |= row.keys() - TABLES[table].keys()


def planned(source: ExportSource, settings: Settings, report: ExportReport) -> Plan:
    """Read the source once. Raises ExportError with everything that is missing."""
    deployments = ExportedDeployments(source.deployments, settings.timezone)
    media = _Media()
    for photograph in source.photographs():
        left_out = deployments.add(photograph.image)
        if left_out is not None:
            report.note(left_out)
            continue
        media.add(photograph)
    empty_left_out = deployments.add_empty(media.packages)
    problems = list(deployments.problems())
    for deployment in deployments.used.values():
        if deployment.record.source in media.packages:
            media.add_further("deployments", [of_deployment(deployment.record)[0]])
    if media.further:
        report.note(
            f"columns that the standard does not have, left out, such as {min(media.further)}",
            len(media.further),
        )
    if empty_left_out:
        report.note(EMPTY_LEFT_OUT, empty_left_out)
    named = media.packages | {deployment.record.source for deployment in deployments.used.values()}
    metadata = Metadata(
        packages=[
            about
            for name, about in source.packages.items()
            if name in named and name.startswith(PROVENANCE)  # other tools describe themselves otherwise
        ],
        others=media.others,
        answered=media.answered,
        methods=[method for method in CAPTURE_METHODS if method in media.methods],
        settings=settings,
    )
    problems += metadata.problems()
    if problems:
        raise ExportError(
            "; ".join(what for what, _ in problems), remedy="; ".join(remedy for _, remedy in problems)
        )
    return Plan(
        settings=settings,
        metadata=metadata,
        deployments=deployments,
        ids=deployments.ids(),
        own=frozenset(media.own),
    )


class Package:
    """The three tables and the descriptor of one export."""

    def __init__(self, source: ExportSource, plan: Plan, report: ExportReport) -> None:
        self._source = source
        self._plan = plan
        self._report = report
        self._taxa = Taxa(plan.settings.taxa, source.taxa)
        self._written = Written(deployments=list(plan.deployments.used.values()))
        self._taken: set[int] = set()  # hashes of the ids of observations
        self._media_ids: set[int] = set()  # hashes of the ids of sources that are kept
        self._put: dict[str, Put] = {}

    def write(self, folder: Path) -> None:
        """Write everything into an empty folder."""
        with ExitStack() as files:
            self._put = {
                table: _writer(folder / f"{table}.csv", columns, files) for table, columns in TABLES.items()
            }
            for id_, deployment in self._plan.deployments.used.items():
                self._put["deployments"](deployment.row(id_of(self._plan.ids[id_])))
                for row in of_deployment(deployment.record)[1]:
                    observation = self._taxa.of_row(row, deployment.clock)
                    self._put_observation({"observationLevel": "event"}, "", observation, deployment, None)
            self._write_media()
        for name, content in self._plan.metadata.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        about = descriptor(self._source, self._plan.metadata, self._written)
        self._plan.metadata.note(self._report)
        if self._taxa.unnamed:
            self._report.note(
                f"categories without a scientific name, such as {min(self._taxa.unnamed)}, written as they "
                "are called: name them with --taxa FILE.csv, or in the project's species list",
                len(self._taxa.unnamed),
            )
        (folder / DESCRIPTOR).write_text(
            json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace"
        )

    def _write_media(self) -> None:
        event: Event | None = None
        videos: dict[str, Video] = {}
        for photograph in self._source.photographs():
            image = photograph.image
            deployment, time = self._plan.deployments.of(image), image.datetime
            if deployment is None or time is None:
                continue
            self._report.count(photograph)
            if event is None or (event.id, event.deployment) != (image.seq_id, deployment):
                self._write_event(event)
                self._write_videos(videos)
                event = event_of(photograph, deployment, time)
            found = list(of_medium(photograph, self._taxa, deployment.clock))
            if event is not None:
                event.add(photograph, time, found, self._taxa)
            if not deployment.covers(time):
                self._report.note(OUTSIDE_PERIOD)
            if image.video is None or of_image(image) is not None:  # a package has media of its own
                self._write_photograph(image, time, deployment, found)
                continue
            video = videos.setdefault(
                image.video,
                Video(
                    name=image.video, deployment=deployment, seq_id=image.seq_id, start=started(image, time)
                ),
            )
            video.add(image, time, found)
        self._write_event(event)
        self._write_videos(videos)

    def _write_photograph(
        self, image: ImageRecord, time: dt.datetime, deployment: ExportedDeployment, found: Sequence[Found]
    ) -> None:
        came = of_image(image)
        medium = medium_of(image, time, deployment, came)
        if came is None or not came.medium:
            medium["captureMethod"] = self._plan.metadata.method_of_others
        if medium["filePath"] != path_of(image, came):
            self._report.note(RENAMED)
        if time.microsecond:
            self._report.note(WHOLE_SECONDS)
        medium["mediaID"] = id_of(self._medium_id(image))
        if any(observation.kind == HUMAN and not observation.came for _, observation, _ in found):
            medium["filePublic"] = "false"
        self._put_medium(medium, deployment)
        event = (came.event if came is not None else None) or image.seq_id
        said = came.medium.get("timestamp") if came is not None else None
        has_moved = said is not None and time_cell(said, deployment.clock, time) is None
        for id_, observation, box in found:
            row = {
                "mediaID": medium["mediaID"],
                "eventStart": medium["timestamp"],
                "eventEnd": medium["timestamp"],
                "observationLevel": "media",
                **box,
            }
            observation = without_period(observation) if has_moved else observation
            self._put_observation(row, id_, observation, deployment, event)

    def _write_videos(self, videos: dict[str, Video]) -> None:
        """Write the videos of a sequence, and forget them."""
        for video in videos.values():
            medium = {**video.medium(), "captureMethod": self._plan.metadata.method_of_others}
            found = list(video.observations())
            if any(observation.kind == HUMAN for _, observation, _ in found):
                medium["filePublic"] = "false"
            self._put_medium(medium, video.deployment)
            for id_, observation, cells in found:
                row = {"mediaID": video.id, "observationLevel": "media", **cells}
                self._put_observation(row, id_, observation, video.deployment, video.seq_id)
        videos.clear()

    def _write_event(self, event: Event | None) -> None:
        if event is None:
            return
        for id_, observation in event.rows(self._taxa):
            row = {
                "eventStart": event.deployment.stamp(event.start),
                "eventEnd": event.deployment.stamp(event.end),
                "observationLevel": "event",
            }
            self._put_observation(row, id_, observation, event.deployment, event.event_id or event.id)

    def _put_medium(self, medium: Row, deployment: ExportedDeployment) -> None:
        self._put["media"]({**medium, "deploymentID": self._id_of(deployment)})

    def _put_observation(
        self,
        row: Mapping[str, str],
        id_: str,
        observation: Observation,
        deployment: ExportedDeployment,
        event: str | None,
    ) -> None:
        cells = {
            "deploymentID": self._id_of(deployment),
            "eventID": event or "",
            **row,
            **observation.cells(),
            "observationID": free_id(observation.key or id_, self._taken),
        }
        self._written.add(cells)
        self._put["observations"](cells)

    def _id_of(self, deployment: ExportedDeployment) -> str:
        return id_of(self._plan.ids[deployment.record.id])

    def _medium_id(self, image: ImageRecord) -> str:
        """The id of the photograph in its source, unless another has it."""
        came = of_image(image)
        id_ = came.medium.get("mediaID", image.source_id) if came is not None else image.source_id
        if id_ is None or id_ in MISSING or hash(id_) in self._plan.own or hash(id_) in self._media_ids:
            return image.id
        self._media_ids.add(hash(id_))
        return id_


def _writer(path: Path, columns: Iterable[str], files: ExitStack) -> Put:
    file = files.enter_context(path.open("w", encoding="utf-8", errors="backslashreplace", newline=""))
    writer = csv.DictWriter(file, list(columns), restval="")
    writer.writeheader()
    return writer.writerow
