"""The schemas of Camtrap DP 1.0.2, written down here, so that frictionless needs no network to validate.

They are the responses at the addresses of the standard: fields with their types and constraints, keys
between tables, and the profile of datapackage.json.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import frictionless
import jsonschema
import requests
from frictionless.settings import GEOJSON_PROFILE
from requests.adapters import BaseAdapter

BASE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
ROADS = ["roadPaved", "roadDirt", "trailHiking", "trailGame", "roadUnderpass", "roadOverpass", "roadBridge"]
FEATURES = [*ROADS, "culvert", "burrow", "nestSite", "carcass", "waterSource", "fruitingTree"]
DESIGNS = [f"{kind}Random" for kind in ("simple", "systematic", "clustered")]
DESIGNS += ["experimental", "targeted", "opportunistic"]
ROLES = ["contact", "principalInvestigator", "rightsHolder", "publisher", "contributor"]
TYPES = ["animal", "human", "vehicle", "blank", "unknown", "unclassified"]
PATH = r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"

Field = dict[str, Any]


def field(name: str, kind: str = "string", **constraints: Any) -> Field:
    made: Field = {"name": name, "type": kind, "constraints": {"required": False, **constraints}}
    if kind == "datetime":
        made["format"] = "%Y-%m-%dT%H:%M:%S%z"
    return made


def key(name: str) -> Field:
    return field(name, required=True, unique=True)


def texts(*names: str) -> list[Field]:
    return [field(name) for name in names]


def refers(column: str, table: str) -> dict[str, Any]:
    return {"fields": column, "reference": {"resource": table, "fields": column}}


def table(name: str, fields: list[Field], *foreign: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "name": name,
        "fields": fields,
        "missingValues": ["", "NA", "NaN", "nan"],
        "primaryKey": fields[0]["name"],
    }
    return {**schema, "foreignKeys": list(foreign)} if foreign else schema


DEPLOYMENTS = table(
    "deployments",
    [
        key("deploymentID"),
        *texts("locationID", "locationName"),
        field("latitude", "number", required=True, minimum=-90, maximum=90),
        field("longitude", "number", required=True, minimum=-180, maximum=180),
        field("coordinateUncertainty", "integer", minimum=1),
        field("deploymentStart", "datetime", required=True),
        field("deploymentEnd", "datetime", required=True),
        *texts("setupBy", "cameraID", "cameraModel"),
        field("cameraDelay", "integer", minimum=0),
        field("cameraHeight", "number", minimum=0),
        field("cameraDepth", "number", minimum=0),
        field("cameraTilt", "integer", minimum=-90, maximum=90),
        field("cameraHeading", "integer", minimum=0, maximum=360),
        field("detectionDistance", "number", minimum=0),
        field("timestampIssues", "boolean"),
        field("baitUse", "boolean"),
        field("featureType", enum=FEATURES),
        *texts("habitat", "deploymentGroups", "deploymentTags", "deploymentComments"),
    ],
)
MEDIA = table(
    "media",
    [
        key("mediaID"),
        field("deploymentID", required=True),
        field("captureMethod", enum=["activityDetection", "timeLapse"]),
        field("timestamp", "datetime", required=True),
        field("filePath", required=True, pattern=PATH),
        field("filePublic", "boolean", required=True),
        field("fileName"),
        field("fileMediatype", required=True, pattern="^(image|video|audio)/.*$"),
        field("exifData", "any"),
        field("favorite", "boolean"),
        field("mediaComments"),
    ],
    refers("deploymentID", "deployments"),
)
OBSERVATIONS = table(
    "observations",
    [
        key("observationID"),
        field("deploymentID", required=True),
        *texts("mediaID", "eventID"),
        field("eventStart", "datetime", required=True),
        field("eventEnd", "datetime", required=True),
        field("observationLevel", required=True, enum=["media", "event"]),
        field("observationType", required=True, enum=TYPES),
        field("cameraSetupType", enum=["setup", "calibration"]),
        field("scientificName"),
        field("count", "integer", minimum=1),
        field("lifeStage", enum=["adult", "subadult", "juvenile"]),
        field("sex", enum=["female", "male"]),
        *texts("behavior", "individualID"),
        field("individualPositionRadius", "number", minimum=0),
        field("individualPositionAngle", "number", minimum=-90, maximum=90),
        field("individualSpeed", "number", minimum=0),
        field("bboxX", "number", minimum=0, maximum=1),
        field("bboxY", "number", minimum=0, maximum=1),
        field("bboxWidth", "number", minimum=1e-15, maximum=1),
        field("bboxHeight", "number", minimum=1e-15, maximum=1),
        field("classificationMethod", enum=["human", "machine"]),
        field("classifiedBy"),
        field("classificationTimestamp", "datetime"),
        field("classificationProbability", "number", minimum=0, maximum=1),
        *texts("observationTags", "observationComments"),
    ],
    refers("deploymentID", "deployments"),
    refers("mediaID", "media"),
)
TABLES = {"deployments": DEPLOYMENTS, "media": MEDIA, "observations": OBSERVATIONS}

POSITION = {"type": "array", "minItems": 2, "items": {"type": "number"}}
RING = {"type": "array", "minItems": 4, "items": POSITION}
DAY = {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
TABLE_RESOURCE = {
    "required": ["name", "path", "profile", "schema"],
    "properties": {
        "name": {"enum": list(TABLES)},
        "profile": {"enum": ["tabular-data-resource"]},
        "schema": {"type": "string", "format": "uri", "pattern": r"1\.0\.2"},
    },
}
OTHER_RESOURCE = {"required": ["name"], "properties": {"name": {"not": {"enum": list(TABLES)}}}}
PROJECT = {
    "type": "object",
    "required": ["title", "samplingDesign", "captureMethod", "individualAnimals", "observationLevel"],
    "properties": {
        "title": {"type": "string"},
        "samplingDesign": {"enum": DESIGNS},
        "captureMethod": {
            "type": "array",
            "minItems": 1,
            "uniqueItems": True,
            "items": {"enum": ["activityDetection", "timeLapse"]},
        },
        "individualAnimals": {"type": "boolean"},
        "observationLevel": {"type": "array", "items": {"enum": ["media", "event"]}},
    },
}
PROFILE = {
    "$schema": "http://json-schema.org/draft-04/schema#",
    "type": "object",
    "required": [
        *("resources", "profile", "created", "contributors", "project"),
        *("spatial", "temporal", "taxonomic"),
    ],
    "properties": {
        "resources": {
            "type": "array",
            "minItems": 3,
            "items": {"type": "object", "oneOf": [TABLE_RESOURCE, OTHER_RESOURCE]},
        },
        "profile": {"type": "string", "format": "uri", "pattern": r"1\.0\.2"},
        "name": {"type": "string", "pattern": "^([-a-z0-9._/])+$"},
        "created": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)$"},
        "title": {"type": "string"},
        "contributors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["title"],
                "properties": {
                    "title": {"type": "string"},
                    "role": {"enum": ROLES},
                },
            },
        },
        "sources": {"type": "array", "items": {"type": "object", "required": ["title"]}},
        "licenses": {
            "type": "array",
            "minItems": 2,
            "items": {
                "type": "object",
                "required": ["scope"],
                "properties": {"scope": {"enum": ["data", "media"]}},
                "anyOf": [{"required": ["name"]}, {"required": ["path"]}],
            },
        },
        "project": PROJECT,
        "spatial": {
            "type": "object",
            "required": ["type", "coordinates"],
            "oneOf": [
                {
                    "properties": {
                        "type": {"enum": ["Polygon"]},
                        "coordinates": {"type": "array", "minItems": 1, "items": RING},
                    }
                },
                {
                    "properties": {
                        "type": {"enum": ["MultiPoint"]},
                        "coordinates": {"type": "array", "minItems": 1, "items": POSITION},
                    }
                },
            ],
        },
        "temporal": {
            "type": "object",
            "required": ["start", "end"],
            "properties": {"start": DAY, "end": DAY},
        },
        "taxonomic": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["scientificName"],
                "properties": {"scientificName": {"type": "string"}},
            },
        },
    },
}

RESPONSES = {f"{BASE}/{name}-table-schema.json": schema for name, schema in TABLES.items()}
RESPONSES[f"{BASE}/camtrap-dp-profile.json"] = PROFILE


# Other standards to which the true profile refers. Frictionless checks packages by the first in any case.
REFERRED = {
    "https://specs.frictionlessdata.io/schemas/data-package.json": {"type": "object"},
    "http://json.schemastore.org/geojson.json": GEOJSON_PROFILE,
}


def published(schemas: Path) -> dict[str, Any]:
    """The responses at the addresses of the standard from the files that it publishes."""
    names = ["camtrap-dp-profile", *(f"{table}-table-schema" for table in TABLES)]
    read = {f"{BASE}/{name}.json": json.loads((schemas / f"{name}.json").read_text()) for name in names}
    return {**read, **REFERRED}


class Standard(BaseAdapter):
    """Responds at the addresses of the standard; any other address is an error in the test."""

    def __init__(self, responses: Mapping[str, Any]) -> None:
        super().__init__()
        self._responses = responses

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        response = requests.Response()
        response.status_code = 200 if request.url in self._responses else 404
        response.raw = Raw(json.dumps(self._responses.get(request.url or "")).encode())
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is open."""


class Raw(io.BytesIO):
    """The part of urllib3's response that frictionless uses."""

    decode_content = False

    def release_conn(self) -> None:
        """There is no connection."""


def problems(package: Path, responses: Mapping[str, Any] = RESPONSES) -> list[str]:
    """Errors that frictionless and the profile report for a package, a folder or a zip file.

    `responses` are those at the addresses of the standard: the statement here, or what is `published`.
    """
    session = requests.Session()
    session.mount("https://", Standard(responses))
    session.mount("http://", Standard(responses))
    place = package if package.suffix == ".zip" else package / "datapackage.json"
    with frictionless.system.use_context(http_session=session, trusted=True):
        try:
            report = frictionless.Package(str(place)).validate()
        except frictionless.FrictionlessException as exc:
            return [str(each) for each in (exc.reasons or [exc.error])]
    errors = [str(row) for row in report.flatten(["type", "rowNumber", "fieldName", "note"])]
    if package.suffix != ".zip":
        checked = jsonschema.Draft4Validator(PROFILE)
        about = json.loads((package / "datapackage.json").read_text("utf-8"))
        errors += [f"{list(error.path)}: {error.message}" for error in checked.iter_errors(about)]
    return errors
