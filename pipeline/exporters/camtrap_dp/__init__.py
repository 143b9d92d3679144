"""A Camtrap DP 1.0.2 package: a folder, or a zip of one.

The survey is read twice: to find the deployments and whether its own ids can be kept, and to write.
"""

from __future__ import annotations

import csv
import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.errors import ExportError
from pipeline.exporters.camtrap_dp.deployments import OUTSIDE_PERIOD, ExportedDeployment, ExportedDeployments
from pipeline.exporters.camtrap_dp.descriptor import COLUMNS, descriptor
from pipeline.exporters.camtrap_dp.observation import HUMAN, Observation, Taxa, number
from pipeline.exporters.camtrap_dp.observations import Event, event_of, of_medium
from pipeline.exporters.source import ExportReport, ExportSource, LabelledImage
from pipeline.files.atomic import atomic_file, atomic_folder
from pipeline.records import category_name

RENAMED = "file names that the standard does not allow, written with percent signs"
NOBODY = "unknown"  # the standard needs a contributor

_PATH = re.compile(r"^(?=^[^./~])(^((?!\.{2}).)*$).*$")  # the standard's own pattern
_MISSING = ("", "NaN", "nan")  # what the standard takes for no value
_TYPES = {
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
    "webp": "image/webp",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "avi": "video/x-msvideo",
    "mov": "video/quicktime",
    "mkv": "video/x-matroska",
    "mpg": "video/mpeg",
    "mpeg": "video/mpeg",
    "wmv": "video/x-ms-wmv",
    "webm": "video/webm",
}  # every other file is taken for a JPEG

Put = Callable[[Mapping[str, str]], Any]


def write(
    out: Path,
    survey: ExportSource,
    *,
    timezone: str | None = None,
    taxa: Mapping[str, str] | None = None,
    title: str | None = None,
    contributor: str | None = None,
) -> ExportReport:
    """Write the package: a new folder, or a zip where `out` ends in .zip; photographs stay where they are.

    `timezone` is of cameras whose deployment names none; `taxa` is category to scientific name. Photographs
    without a time or a location are left out and counted. Raises ExportError where a location has no
    coordinates or no time zone, or the disk refuses.
    """
    cameras = ExportedDeployments(survey.deployments, timezone)
    report = ExportReport(path=str(out))
    own_ids = _plan(survey, cameras, report)
    cameras.check()
    package = _Package(survey, cameras, Taxa(taxa), own_ids, report)
    about = {"title": title or survey.title or "Camera traps", "contributor": contributor or NOBODY}
    if out.suffix.lower() != ".zip":
        with atomic_folder(out) as folder:
            package.write(folder, **about)
        return report
    with (
        atomic_file(out) as draft,
        tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as temporary,
    ):
        package.write(Path(temporary), **about)
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(Path(temporary).iterdir()):
                archive.write(path, path.name)
    return report


def read_taxa(path: Path) -> dict[str, str]:
    """Category to scientific name, from a CSV file with the columns category and scientificName.

    Raises ExportError where it is no such file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"category", "scientificName"} <= set(rows.fieldnames or ()):
                raise ExportError(
                    f"{path} has no columns category and scientificName", remedy="name them in the first line"
                )
            named = [(row["category"] or "", row["scientificName"] or "") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ExportError(f"{path} cannot be read: {exc}", remedy="a CSV file in UTF-8") from exc
    return {category_name(category): name.strip() for category, name in named if name.strip()}


def _plan(survey: ExportSource, cameras: ExportedDeployments, report: ExportReport) -> bool:
    """Find every photograph's camera; returns whether the ids of the source can be kept."""
    seen: set[int] | None = set()  # hashes: a million names would not fit as they are
    for one in survey.photographs():
        left_out = cameras.add(one.image)
        if left_out is not None:
            report.note(left_out)
            continue
        source_id = one.image.source_id
        if seen is not None:
            key = hash(source_id)
            if source_id is None or source_id in _MISSING or key in seen:
                seen = None
            else:
                seen.add(key)
    return seen is not None


class _Package:
    """The three tables and the descriptor of one export."""

    def __init__(
        self,
        survey: ExportSource,
        cameras: ExportedDeployments,
        words: Taxa,
        own_ids: bool,
        report: ExportReport,
    ) -> None:
        self._survey = survey
        self._cameras = cameras
        self._words = words
        self._own_ids = own_ids
        self._report = report
        self._species: set[str] = set()
        self._taken: set[int] = set()  # hashes of the ids of observations without a box
        self._has_events = False

    def write(self, folder: Path, *, title: str, contributor: str) -> None:
        """Write everything into an empty folder."""
        with ExitStack() as files:
            put = {
                table: _writer(folder / f"{table}.csv", columns, files) for table, columns in COLUMNS.items()
            }
            for camera in self._cameras.used.values():
                put["deployments"](_deployment(camera))
            self._write_media(put["media"], put["observations"])
        about = descriptor(
            self._survey,
            self._cameras.used.values(),
            title=title,
            contributor=contributor,
            species=self._species,
            levels=["media", "event"] if self._has_events else ["media"],
        )
        (folder / "datapackage.json").write_text(
            json.dumps(about, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace"
        )

    def _write_media(self, put_medium: Put, put_observation: Put) -> None:
        event: Event | None = None
        for one in self._survey.photographs():
            camera, moment = self._cameras.of(one.image), one.image.datetime
            if camera is None or moment is None:
                continue
            self._report.count(one)
            if event is None or (event.id, event.camera) != (one.image.seq_id, camera):
                self._write_event(event, put_observation)
                event = event_of(one, camera, moment)
            if event is not None:
                event.add(one, moment, self._words)
            if not camera.was_there(moment):
                self._report.note(OUTSIDE_PERIOD)
            observed = list(of_medium(one, self._words))
            medium = self._medium(one, camera, camera.stamp(moment))
            if any(said.kind == HUMAN for _, said, _ in observed):
                medium["filePublic"] = "false"
            put_medium(medium)
            for id_, said, cells in observed:
                row = {
                    "observationID": id_ if "bboxX" in cells else self._free(said.key or id_),
                    "mediaID": medium["mediaID"],
                    "eventStart": medium["timestamp"],
                    "eventEnd": medium["timestamp"],
                    "observationLevel": "media",
                    **cells,
                }
                put_observation(self._row(row, said, camera, one.image.seq_id))
        self._write_event(event, put_observation)

    def _write_event(self, event: Event | None, put: Put) -> None:
        if event is None:
            return
        for id_, said in event.rows():
            row = {
                "observationID": self._free(said.key or id_),
                "eventStart": event.camera.stamp(event.start),
                "eventEnd": event.camera.stamp(event.end),
                "observationLevel": "event",
            }
            put(self._row(row, said, event.camera, event.id))
            self._has_events = True

    def _free(self, id_: str) -> str:
        """The id, made longer where another observation has it already."""
        id_ = _id(id_)
        while hash(id_) in self._taken:
            id_ += "_"
        self._taken.add(hash(id_))
        return id_

    def _row(
        self, row: Mapping[str, str], said: Observation, camera: ExportedDeployment, event: str | None
    ) -> dict[str, str]:
        if said.species:
            self._species.add(said.species)
        return {"deploymentID": _id(camera.record.id), "eventID": event or "", **row, **said.cells()}

    def _medium(self, one: LabelledImage, camera: ExportedDeployment, moment: str) -> dict[str, str]:
        image = one.image
        is_remote = image.path.startswith(("http://", "https://"))
        given = image.path if is_remote else image.file_name
        path = given if _PATH.match(given) and given not in _MISSING else _allowed(given)
        if path != given:
            self._report.note(RENAMED)
        source_id = image.source_id if self._own_ids else None
        ending = image.file_name.rpartition(".")[2].lower()
        return {
            "mediaID": source_id or image.id,
            "deploymentID": _id(camera.record.id),
            "timestamp": moment,
            "filePath": path,
            "filePublic": "true" if is_remote else "false",
            "fileName": image.file_name.rpartition("/")[2],
            "fileMediatype": _TYPES.get(ending, "image/jpeg"),
            "mediaComments": f"{image.failure}: {image.failure_detail or ''}" if image.failure else "",
        }


def _writer(path: Path, columns: Iterable[str], files: ExitStack) -> Put:
    file = files.enter_context(path.open("w", encoding="utf-8", errors="backslashreplace", newline=""))
    writer = csv.DictWriter(file, list(columns), restval="")
    writer.writeheader()
    return writer.writerow


def _deployment(camera: ExportedDeployment) -> dict[str, str]:
    record = camera.record
    return {
        "deploymentID": _id(record.id),
        "locationName": record.location,
        "latitude": number(record.latitude),
        "longitude": number(record.longitude),
        "deploymentStart": camera.stamp(camera.started),
        "deploymentEnd": camera.stamp(camera.ended),
    }


def _id(text: str) -> str:
    """An id that the standard does not take for a missing one."""
    return f"_{text}" if text in _MISSING else text


def _allowed(name: str) -> str:
    """A file name as the standard's pattern allows it: what it forbids becomes percent signs."""
    quoted = quote(name).replace("..", "%2E%2E")
    is_forbidden = name in _MISSING or quoted.startswith((".", "/", "~"))
    return f"%{ord(quoted[0]):02X}{quoted[1:]}" if quoted and is_forbidden else quoted or "_"
