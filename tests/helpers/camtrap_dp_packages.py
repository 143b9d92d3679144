"""Small Camtrap DP packages."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from importers.ingest.report import ImportReport
from importers.ingest.source_image import SourceImage
from importers.reading.image_root import ImageRoot
from importers.sources.camtrap_dp import read, source_images
from importers.sources.camtrap_dp import scratch_tables as scratch
from importers.sources.camtrap_dp.media_paths import MediaPaths
from importers.sources.camtrap_dp.package import opened
from importers.sources.camtrap_dp.rows import Deployment
from pipeline.exporters import camtrap_dp
from pipeline.exporters.source import ExportReport, ExportSource
from tests.helpers.camtrap_dp_standard import BASE, TABLES
from tests.helpers.photographs import put

Row = Mapping[str, Any]
SETTINGS = {
    "sampling_design": "opportunistic",
    "capture_methods": ("activityDetection",),
    "contributor": "Ann Example",
    "data_licence": "CC0-1.0",
    "media_licence": "CC-BY-4.0",
}


def deployment(id_: str = "d1", **columns: Any) -> dict[str, Any]:
    return {
        "deploymentID": id_,
        "locationName": f"site {id_}",
        "latitude": 51.1,
        "longitude": 4.2,
        "deploymentStart": "2024-05-01T10:00:00+02:00",
        "deploymentEnd": "2024-05-31T10:00:00+02:00",
        **columns,
    }


def medium(id_: str = "m1", **columns: Any) -> dict[str, Any]:
    return {
        "mediaID": id_,
        "deploymentID": "d1",
        "timestamp": "2024-05-02T12:00:00+02:00",
        "filePath": f"media/{id_}.jpg",
        "filePublic": "true",
        "fileName": f"{id_}.jpg",
        "fileMediatype": "image/jpeg",
        **columns,
    }


def observation(id_: str = "o1", **columns: Any) -> dict[str, Any]:
    """An observation by a person on the medium m1; `columns` replace its columns or add to them."""
    return {
        "observationID": id_,
        "deploymentID": "d1",
        "mediaID": "" if columns.get("observationLevel") == "event" else "m1",
        "eventStart": "2024-05-02T12:00:00+02:00",
        "eventEnd": "2024-05-02T12:00:00+02:00",
        "observationLevel": "media",
        "observationType": "animal",
        "scientificName": "Vulpes vulpes",
        "classificationMethod": "human",
        **columns,
    }


def boxed(x: float = 0.25, y: float = 0.25, width: float = 0.25, height: float = 0.5) -> dict[str, Any]:
    return {"bboxX": x, "bboxY": y, "bboxWidth": width, "bboxHeight": height}


def content(
    deployments: Sequence[Row] = (deployment(),),
    media: Sequence[Row] = (medium(),),
    observations: Sequence[Row] = (),
    **about: Any,
) -> dict[str, bytes]:
    """The files of a package by name; `about` replaces entries of datapackage.json."""
    rows = {"deployments": deployments, "media": media, "observations": observations}
    described = {
        "name": "sample",
        "profile": f"{BASE}/camtrap-dp-profile.json",
        "created": "2024-06-01T08:30:00Z",
        "contributors": [{"title": "Ann Example"}],
        "project": {
            "title": "Sample",
            "samplingDesign": "opportunistic",
            "captureMethod": ["activityDetection"],
            "individualAnimals": False,
            "observationLevel": ["media", "event"],
        },
        "spatial": {"type": "MultiPoint", "coordinates": [[4.2, 51.1]]},
        "temporal": {"start": "2024-05-01", "end": "2024-05-31"},
        "taxonomic": [{"scientificName": "Vulpes vulpes"}],
        "resources": [
            {
                "name": name,
                "path": f"{name}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{BASE}/{name}-table-schema.json",
            }
            for name in TABLES
        ],
        **about,
    }
    files = {f"{name}.csv": _csv(name, rows[name]) for name in TABLES}
    return {"datapackage.json": json.dumps(described).encode(), **files}


def package(folder: Path, *rows: Sequence[Row], **about: Any) -> Path:
    """Write a package as a folder."""
    for name, data in content(*rows, **about).items():
        put(folder / name, data)
    return folder


def zipped(path: Path, files: Mapping[str, bytes], inside: str = "") -> Path:
    """Zip these files; `inside` is a folder within the zip, such as `data/`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"{inside}{name}", data)
    return path


def _csv(name: str, rows: Iterable[Row]) -> bytes:
    columns = [field["name"] for field in TABLES[name]["fields"]]
    listed = list(rows)
    columns += sorted({column for row in listed for column in row} - set(columns))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue().encode("utf-8", "surrogatepass")


def taken(
    path: Path, images: Path | str | None = None
) -> tuple[list[SourceImage], dict[str, Deployment], ImportReport]:
    """The photographs and deployments of a package, and the report."""
    report = ImportReport(source=str(path))
    with opened(path) as source, scratch.opened() as stage:
        deployments = read(source, stage, report)
        paths = MediaPaths(source, stage, ImageRoot(images) if images else None, deployments, report)
        return list(source_images(source, stage, paths, deployments)), deployments, report


def said(one: SourceImage) -> list[tuple[str, str | None]]:
    """The level and the category of each label of a photograph."""
    return [(label.level.value, label.category) for label in one.labels]


def write(out: Path, source: ExportSource, **settings: Any) -> ExportReport:
    """Export with the settings that the standard needs, and further ones."""
    return camtrap_dp.write(out, source, camtrap_dp.Settings(**{**SETTINGS, **settings}))


def rows(package: Path, table: str) -> list[dict[str, str]]:
    """The rows of a table of a package in a folder."""
    with (package / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
