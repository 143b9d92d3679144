"""The URLs and columns of the standard, and datapackage.json."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from pipeline.exporters.camtrap_dp.deployments import ExportedDeployment
from pipeline.exporters.camtrap_dp.observation import utc
from pipeline.exporters.source import ExportSource

STANDARD = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"

# fmt: off
COLUMNS = {
    "deployments": (
        "deploymentID", "locationID", "locationName", "latitude", "longitude", "coordinateUncertainty",
        "deploymentStart", "deploymentEnd", "setupBy", "cameraID", "cameraModel", "cameraDelay",
        "cameraHeight", "cameraDepth", "cameraTilt", "cameraHeading", "detectionDistance",
        "timestampIssues", "baitUse", "featureType", "habitat", "deploymentGroups", "deploymentTags",
        "deploymentComments",
    ),
    "media": (
        "mediaID", "deploymentID", "captureMethod", "timestamp", "filePath", "filePublic", "fileName",
        "fileMediatype", "exifData", "favorite", "mediaComments",
    ),
    "observations": (
        "observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd",
        "observationLevel", "observationType", "cameraSetupType", "scientificName", "count", "lifeStage",
        "sex", "behavior", "individualID", "individualPositionRadius", "individualPositionAngle",
        "individualSpeed", "bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod",
        "classifiedBy", "classificationTimestamp", "classificationProbability", "observationTags",
        "observationComments",
    ),
}
# fmt: on


def descriptor(
    source: ExportSource,
    deployments: Iterable[ExportedDeployment],
    *,
    title: str,
    contributor: str,
    species: Iterable[str],
    levels: Iterable[str],
) -> dict[str, Any]:
    """The content of datapackage.json. `species` are scientific names, `levels` media and perhaps event."""
    written = list(deployments)
    return {
        "resources": [
            {
                "name": table,
                "path": f"{table}.csv",
                "profile": "tabular-data-resource",
                "format": "csv",
                "mediatype": "text/csv",
                "encoding": "utf-8",
                "schema": f"{STANDARD}/{table}-table-schema.json",
            }
            for table in COLUMNS
        ],
        "profile": f"{STANDARD}/camtrap-dp-profile.json",
        "name": re.sub(r"[^a-z0-9._]+", "-", title.lower()).strip("-") or "wildloop",
        "created": utc(source.created),
        "title": title,
        "contributors": [{"title": contributor, "role": "contact"}],
        "sources": [{"title": "Wildloop"}],
        "project": {
            "title": title,
            "samplingDesign": "opportunistic",
            "captureMethod": ["activityDetection"],
            "individualAnimals": False,
            "observationLevel": list(levels),
        },
        "spatial": _spatial(written),
        "temporal": {
            "start": min(deployment.started for deployment in written).date().isoformat(),
            "end": max(deployment.ended for deployment in written).date().isoformat(),
        },
        "taxonomic": [{"scientificName": name} for name in sorted(species)],
    }


def _spatial(deployments: Iterable[ExportedDeployment]) -> dict[str, Any]:
    """The bounding box of all deployments as GeoJSON; their points if the box has no area."""
    records = [deployment.record for deployment in deployments]
    places = sorted({(record.longitude or 0.0, record.latitude or 0.0) for record in records})
    west, east = places[0][0], places[-1][0]
    south, north = min(place[1] for place in places), max(place[1] for place in places)
    if west == east or south == north:
        return {"type": "MultiPoint", "coordinates": [list(place) for place in places]}
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}
