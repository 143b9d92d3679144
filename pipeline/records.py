"""The records that travel between floors, and the identities that make every step repeatable."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

EMPTY = "empty"  # the category 0: nothing to see in the crop
ANIMAL, PERSON, VEHICLE = "animal", "person", "vehicle"  # what detectors tell apart
PEOPLE_NAMES = frozenset({"person", "human", "people", "homo sapiens"})  # categories that speak of people
VEHICLE_NAMES = frozenset(
    {"vehicle", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"}
)
NOBODY = "nobody"  # begins the scan of a photograph that came without boxes and that no detector saw
ROWS_OF = "rows:"  # begins a scan whose boxes are stored and whose crops are not cut
UNSURE = "unsure"  # no category: somebody looked and cannot tell
UNCLASSIFIED = "unclassified"  # no category: nobody looked yet
OBSERVATION_TYPE = "observationType"  # Camtrap DP's, among the details of a label without a category


class DetectionKind(IntEnum):
    """The ancestor's `detection.kind`: where the detection's label comes from."""

    ACTIVE = 0  # in the pool: nobody has labelled it
    MODEL = 1  # a model's label, in exports
    CONFIRMED = 2  # a person agreed with the prediction shown
    USER = 3  # a person's own label, or "unsure"


class Verdict(StrEnum):
    """What an annotation said about its detection."""

    LABEL = "label"  # a category, `empty` among them
    UNSURE = "unsure"
    WEAK = "weak"  # a machine's label that came with the photographs
    SKIPPED = "skipped"
    DELETED = "deleted"  # the annotation was taken back


class Role(StrEnum):
    """Which of two pools a photograph is in; they never mix."""

    TARGET = "target"  # to be labelled in Label Studio
    PRETRAINING = "pretraining"  # comes with labels, for training embedders


class Level(StrEnum):
    """What a source's label was given to."""

    BOX = "box"
    IMAGE = "image"
    SEQUENCE = "sequence"


class RunKind(StrEnum):
    """What a run does."""

    TRAIN = "train"  # train, or make a cold start, and push the queue
    SYNC = "sync"  # make the oracle equal to Label Studio's annotations


class RunState(StrEnum):
    """A run's life: queued, running, and one of two ends."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box in fractions of the frame, 0 to 1, origin at the top left; x2 > x1 and y2 > y1."""

    x1: float
    y1: float
    x2: float
    y2: float

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1


WHOLE_FRAME = Box(x1=0.0, y1=0.0, x2=1.0, y2=1.0)


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One photograph. `failure` is set where it could not be used; it then has no detections."""

    id: str
    file_name: str  # as the user knows it: below the imported folder, with forward slashes
    path: str  # where it lies now
    width: int | None = None  # pixels, after EXIF rotation
    height: int | None = None
    location: str | None = None
    datetime: dt.datetime | None = None  # the camera's clock, no time zone
    frame_num: int | None = None  # from 0, within its sequence
    seq_id: str | None = None
    seq_num_frames: int | None = None
    deployment_id: str | None = None
    role: Role = Role.TARGET
    source_id: str | None = None  # what the source calls it
    content_hash: str | None = None  # None where the file was never read
    size: int | None = None  # bytes
    mtime: float | None = None  # seconds since the epoch
    failure: str | None = None
    failure_detail: str | None = None


@dataclass(frozen=True, kw_only=True)
class DetectionRecord:
    """One box of one detector on one photograph, with its crop once that is written."""

    id: str
    image_id: str
    box: Box
    bbox_confidence: float | None
    detector: str
    detector_category: str = "animal"
    crop_path: str | None = None  # below the data folder, with forward slashes
    frame_path: str | None = None  # the whole photograph, small, with this box drawn
    kind: DetectionKind = DetectionKind.ACTIVE
    category_id: int | None = None
    category_confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class DeploymentRecord:
    """A camera at one place for one period. Times are the camera's clock."""

    id: str
    location: str
    latitude: float | None = None  # degrees, WGS 84
    longitude: float | None = None
    timezone: str | None = None  # of the camera's clock: an IANA name, or an offset such as +02:00
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SourceLabel:
    """A label that came with the photographs: of a box, a whole photograph or a whole sequence."""

    category: str | None  # in any case; EMPTY where there is nothing to see; None: who looked cannot tell
    source: str  # provenance, such as coco:ena24; never oracle.PEOPLE
    level: Level = Level.IMAGE
    weak: bool = False  # a machine's
    confidence: float | None = None  # of a machine, 0 to 1
    annotator: str | None = None  # the person or model that the source names
    annotated_at: dt.datetime | None = None  # aware
    count: int | None = None  # individuals
    key: str = ""  # tells apart two observations of one species: the source's id of it
    details: Mapping[str, str] | None = field(default=None, hash=False)  # what else it says, by its columns

    @property
    def is_unclassified(self) -> bool:
        """Whether the source says that nobody named it yet, rather than that who looked cannot tell."""
        return self.category is None and (self.details or {}).get(OBSERVATION_TYPE) == UNCLASSIFIED


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """A detection as Label Studio knows it."""

    project_id: int
    detection_id: str
    task_id: int


@dataclass(frozen=True, kw_only=True)
class AnnotationRecord:
    """One state of one Label Studio annotation, as it enters the oracle."""

    project_id: int | None
    detection_id: str
    annotation_uid: str  # Label Studio's unique_id; ids are re-used after a deletion
    annotation_id: int | None
    task_id: int | None
    verdict: Verdict
    label: int | None  # a category id, with Verdict.LABEL only
    annotator: str | None
    annotated_at: dt.datetime  # UTC: when this state came to be
    lead_time: float | None = None  # seconds
    ground_truth: bool = False
    model_version: str | None = None  # of the prediction that was shown
    shown: int | None = None  # the category that this prediction named
    source: str = "label-studio"
    confidence: float | None = None  # of a machine, with Verdict.WEAK
    result: Any = None  # Label Studio's own JSON, kept whole


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """What one model version says of one detection, and its place in the queue."""

    detection_id: str
    rank: int  # 0 comes first
    score: float  # Label Studio's order: lowest first
    # None where nothing is pre-selected: the version has no head yet, the crop is an audit crop, which people
    # label without being told, or it is novel.
    category_id: int | None
    probability: float | None  # calibrated
    novel: bool = False  # far from everything labelled


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A model version: immutable, its weights in `path`, everything else here and in its manifest."""

    version: str
    project_id: int
    embedder: str
    digest: str  # of its inputs: the same inputs give the same version
    labels: int  # how many it was trained on; 0 for the covering order before any label
    path: str | None  # folder below the data folder; None where it has no head
    parent: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    created_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ProjectRecord:
    """A Label Studio project that Wildloop feeds."""

    id: int  # Label Studio's
    title: str
    embedder: str
    current_model: str | None = None
    watermark: dt.datetime | None = None  # newest task.updated_at that sync has seen
    synced_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A piece of background work: a row first, whoever carries it out."""

    id: int
    project_id: int | None
    kind: RunKind
    state: RunState
    trigger: str  # labels, button, command, timer
    requested_at: dt.datetime
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None
    heartbeat_at: dt.datetime | None = None
    worker: str | None = None
    attempts: int = 0
    error: str | None = None
    result: Any = None


def category_name(text: str) -> str:
    """The name under which `category` keeps a species: lower case, single spaces."""
    return " ".join(text.split()).lower()


def kind_of(category: str) -> str:
    """What a detector would call a category: PERSON, VEHICLE, or ANIMAL for every other, EMPTY among them."""
    name = category_name(category).replace("_", " ")
    return PERSON if name in PEOPLE_NAMES else VEHICLE if name in VEHICLE_NAMES else ANIMAL


def digest(*parts: str, size: int = 12) -> str:
    """A stable name for `parts`: `2 * size` hexadecimal digits of BLAKE2b."""
    encoded = [part.encode("utf-8", "surrogateescape") for part in parts]
    framed = b"".join([len(data).to_bytes(8, "little") + data for data in encoded])
    return hashlib.blake2b(framed, digest_size=size).hexdigest()


def json_digest(value: Any, size: int = 12) -> str:
    """A stable name for a JSON value, whatever the order of its keys."""
    return digest(json.dumps(value, sort_keys=True, separators=(",", ":")), size=size)


def image_id(file_name: str, content_hash: str | None) -> str:
    """Identity of a photograph: its content and its path below the imported folder."""
    return digest(file_name, content_hash or "")


def detection_id(image: str, detector: str, box: Box) -> str:
    """Identity of a detection: image, detector and box (to a hundred-thousandth of the frame)."""
    return digest(image, detector, f"{box.x1:.5f},{box.y1:.5f},{box.x2:.5f},{box.y2:.5f}")


_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-5][0-9]))?")


def zone_of(text: str) -> dt.tzinfo:
    """The zone that `DeploymentRecord.timezone` names: an IANA name, or an offset such as +02:00.

    Raises ValueError where there is no such zone.
    """
    name = text.strip()
    if name.upper() in ("Z", "UTC", "GMT"):
        return dt.UTC
    offset = _OFFSET.fullmatch(name.upper())
    if offset is not None and int(offset[2]) < 24:
        length = dt.timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return dt.timezone(length if offset[1] == "+" else -length)
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:  # a folder of the zone data is an OSError
        raise ValueError(f"{text!r} is no time zone") from exc


def detector_of(scan: str) -> str | None:
    """The detector of a scan as `scan.detector` keeps it; None where none looked."""
    detector = scan.removeprefix(ROWS_OF).rpartition("@")[0]
    return None if detector == NOBODY else detector


def utc_now() -> dt.datetime:
    """The time now, aware, in UTC."""
    return dt.datetime.now(dt.UTC)
