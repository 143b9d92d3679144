"""A Camtrap DP 1.0.2 package: a folder, or a zip of one.

The source is read twice: to find the deployments and whether its ids can be kept, and to write.
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
from pipeline.exporters.source import ExportReport, ExportSource
from pipeline.files.atomic import atomic_file, atomic_folder
from pipeline.records import ImageRecord, category_name

RENAMED = "file names that the standard does not allow, written with percent signs"
NOBODY = "unknown"  # contributor, which the standard requires

_PATH = re.compile(r"^(?=^[^./~])(^((?!\.{2}).)*$).*$")  # the standard's own pattern
_MISSING = ("", "NaN", "nan")  # what the standard reads as a missing value
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
}  # every other file is written as a JPEG

Put = Callable[[Mapping[str, str]], Any]


def write(
    out: Path,
    source: ExportSource,
    *,
    timezone: str | None = None,
    taxa: Mapping[str, str] | None = None,
    title: str | None = None,
    contributor: str | None = None,
) -> ExportReport:
    """Write the package: a new folder, or a zip if `out` ends in .zip. Photographs are not copied.

    `timezone` is for deployments without one; `taxa` is category to scientific name. Photographs without a
    time or a location are left out and counted. Raises ExportError if a location has no coordinates or no
    time zone, and FileError if the disk refuses.
    """
    deployments = ExportedDeployments(source.deployments, timezone)
    report = ExportReport(path=str(out))
    keep_ids = _plan(source, deployments, report)
    deployments.check()
    package = _Package(source, deployments, Taxa(taxa), keep_ids, report)
    about = {"title": title or source.title or "Camera traps", "contributor": contributor or NOBODY}
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

    Raises ExportError if it is not such a file.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"category", "scientificName"} <= set(rows.fieldnames or ()):
                raise ExportError(
                    f"{path} has no columns category and scientificName",
                    remedy="add a first line with these names",
                )
            named = [(row["category"] or "", row["scientificName"] or "") for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise ExportError(f"{path} cannot be read: {exc}", remedy="save it as a CSV file in UTF-8") from exc
    return {category_name(category): name.strip() for category, name in named if name.strip()}


def _plan(source: ExportSource, deployments: ExportedDeployments, report: ExportReport) -> bool:
    """Find the deployment of every photograph; returns whether the ids of the source can be kept."""
    seen: set[int] | None = set()  # hashes: a million names take too much memory
    for photograph in source.photographs():
        left_out = deployments.add(photograph.image)
        if left_out is not None:
            report.note(left_out)
            continue
        source_id = photograph.image.source_id
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
        source: ExportSource,
        deployments: ExportedDeployments,
        taxa: Taxa,
        keep_ids: bool,
        report: ExportReport,
    ) -> None:
        self._source = source
        self._deployments = deployments
        self._taxa = taxa
        self._keep_ids = keep_ids
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
            for deployment in self._deployments.used.values():
                put["deployments"](_deployment(deployment))
            self._write_media(put["media"], put["observations"])
        about = descriptor(
            self._source,
            self._deployments.used.values(),
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
        for photograph in self._source.photographs():
            image = photograph.image
            deployment, time = self._deployments.of(image), image.datetime
            if deployment is None or time is None:
                continue
            self._report.count(photograph)
            if event is None or (event.id, event.deployment) != (image.seq_id, deployment):
                self._write_event(event, put_observation)
                event = event_of(photograph, deployment, time)
            if event is not None:
                event.add(photograph, time, self._taxa)
            if not deployment.covers(time):
                self._report.note(OUTSIDE_PERIOD)
            observations = list(of_medium(photograph, self._taxa))
            medium = self._medium(image, deployment, deployment.stamp(time))
            if any(observation.kind == HUMAN for _, observation, _ in observations):
                medium["filePublic"] = "false"
            put_medium(medium)
            for id_, observation, cells in observations:
                row = {
                    "observationID": id_ if "bboxX" in cells else self._free(observation.key or id_),
                    "mediaID": medium["mediaID"],
                    "eventStart": medium["timestamp"],
                    "eventEnd": medium["timestamp"],
                    "observationLevel": "media",
                    **cells,
                }
                put_observation(self._row(row, observation, deployment, image.seq_id))
        self._write_event(event, put_observation)

    def _write_event(self, event: Event | None, put: Put) -> None:
        if event is None:
            return
        for id_, observation in event.rows():
            row = {
                "observationID": self._free(observation.key or id_),
                "eventStart": event.deployment.stamp(event.start),
                "eventEnd": event.deployment.stamp(event.end),
                "observationLevel": "event",
            }
            put(self._row(row, observation, event.deployment, event.id))
            self._has_events = True

    def _free(self, id_: str) -> str:
        """The id, made longer if another observation has it."""
        id_ = _id(id_)
        while hash(id_) in self._taken:
            id_ += "_"
        self._taken.add(hash(id_))
        return id_

    def _row(
        self,
        row: Mapping[str, str],
        observation: Observation,
        deployment: ExportedDeployment,
        event: str | None,
    ) -> dict[str, str]:
        if observation.species:
            self._species.add(observation.species)
        ids = {"deploymentID": _id(deployment.record.id), "eventID": event or ""}
        return {**ids, **row, **observation.cells()}

    def _medium(self, image: ImageRecord, deployment: ExportedDeployment, timestamp: str) -> dict[str, str]:
        is_remote = image.path.startswith(("http://", "https://"))
        name = image.path if is_remote else image.file_name
        path = name if _PATH.match(name) and name not in _MISSING else _allowed(name)
        if path != name:
            self._report.note(RENAMED)
        source_id = image.source_id if self._keep_ids else None
        ending = image.file_name.rpartition(".")[2].lower()
        return {
            "mediaID": source_id or image.id,
            "deploymentID": _id(deployment.record.id),
            "timestamp": timestamp,
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


def _deployment(deployment: ExportedDeployment) -> dict[str, str]:
    record = deployment.record
    return {
        "deploymentID": _id(record.id),
        "locationName": record.location,
        "latitude": number(record.latitude),
        "longitude": number(record.longitude),
        "deploymentStart": deployment.stamp(deployment.started),
        "deploymentEnd": deployment.stamp(deployment.ended),
    }


def _id(text: str) -> str:
    """The id, changed if the standard would read it as missing."""
    return f"_{text}" if text in _MISSING else text


def _allowed(name: str) -> str:
    """A file name that the standard's pattern allows, with percent encoding for what it forbids."""
    quoted = quote(name).replace("..", "%2E%2E")
    is_forbidden = name in _MISSING or quoted.startswith((".", "/", "~"))
    return f"%{ord(quoted[0]):02X}{quoted[1:]}" if quoted and is_forbidden else quoted or "_"
