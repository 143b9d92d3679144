"""The records and enums that the store, the steps and the importers exchange."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

EMPTY = "empty"  # category 0: nothing to see in the crop
ANIMAL, PERSON, VEHICLE = "animal", "person", "vehicle"  # what detectors tell apart
UNSURE = "unsure"  # not a category: somebody looked and cannot tell
UNCLASSIFIED = "unclassified"  # not a category: nobody has looked yet
OBSERVATION_TYPE = "observationType"  # Camtrap DP column, kept in `details` of a label without a category
LARGEST = 2**31 - 1  # the largest whole number that every database stores
NOT_BY = "not_by"  # key in the details of a task: an annotator to whom Label Studio must not serve it
LABEL_STUDIO_SOURCE = "label-studio"  # the source of people's annotations; all other sources are imported


class DetectionKind(IntEnum):
    """Where the current label of a detection comes from (column `detection.kind`)."""

    ACTIVE = 0  # no label yet
    MODEL = 1  # a weak label
    CONFIRMED = 2  # a person chose the category that the prediction showed
    USER = 3  # a person or a source chose the category, or a person is unsure


class Verdict(StrEnum):
    """What an annotation states about its detection."""

    LABEL = "label"  # a category, including `empty`
    UNSURE = "unsure"
    WEAK = "weak"  # a weak label: given by a machine before the import
    SKIPPED = "skipped"
    STRUCK = "struck"  # struck out of a sequence or a board: not what that is, and waits to be asked alone
    DELETED = "deleted"  # the annotation was deleted


class Way(StrEnum):
    """How an annotator made a label."""

    SINGLE = "single"  # looking at the crop alone
    SEQUENCE = "sequence"  # with the crops of its sequence
    BOARD = "board"  # with crops that the version names alike
    SUGGESTION = "suggestion"  # with crops that resemble an example or each other


class TaskKind(StrEnum):
    """What a task shows."""

    SINGLE = "single"  # one crop
    SEQUENCE = "sequence"  # crops of one sequence
    BOARD = "board"  # crops that are alike
    FRAMES = "frames"  # whole photographs in which the detector saw nothing
    FRAME = "frame"  # one whole photograph, to draw boxes on


class Purpose(StrEnum):
    """Why a task is asked."""

    QUEUE = "queue"  # its labels teach most
    AUDIT = "audit"  # a random crop that judges the machine
    REVIEW = "review"  # a label that is expected to be wrong
    OPINION = "opinion"  # a second opinion, by another annotator
    CONFIRMATION = "confirmation"  # a random crop that people confirmed with others
    EXPERT = "expert"  # an annotator wants an expert to see it
    DISPUTED = "disputed"  # annotators disagree
    SUGGESTION = "suggestion"  # crops that resemble an example, a species or each other
    EMPTIES = "empties"  # photographs in which the detector saw nothing


class Role(StrEnum):
    """Which of the two pools a photograph belongs to. A photograph never changes its pool."""

    TARGET = "target"  # to be labelled in Label Studio
    PRETRAINING = "pretraining"  # comes with labels, for training embedders


class Level(StrEnum):
    """What a source gave its label to."""

    BOX = "box"
    IMAGE = "image"
    SEQUENCE = "sequence"


class RunKind(StrEnum):
    """What a run does. After an import, the first three follow one another."""

    EMBED = "embed"  # embed the project's crops; published crops follow
    PUBLISH = "publish"  # top the stock up, and request the first order
    TRAIN = "train"  # train, or make a cold start, and ask the queue
    SYNC = "sync"  # make the oracle equal to Label Studio's annotations


class RunState(StrEnum):
    """The state of a run: queued, running, then done or failed."""

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

    @classmethod
    def from_xywh(cls, xywh: Sequence[float]) -> Box | None:
        """The box of x, y, width, height in fractions of the frame, clipped to it; None without area."""
        x, y, width, height = xywh
        x1, y1 = max(0.0, x), max(0.0, y)
        x2, y2 = min(1.0, x + width), min(1.0, y + height)
        return cls(x1=x1, y1=y1, x2=x2, y2=y2) if x2 > x1 and y2 > y1 else None

    @property
    def width(self) -> float:
        return self.x2 - self.x1

    @property
    def height(self) -> float:
        return self.y2 - self.y1


WHOLE_FRAME = Box(x1=0.0, y1=0.0, x2=1.0, y2=1.0)
WHOLE_FRAME_DETECTOR = "whole-frame"  # the detector of photographs that are one detection, WHOLE_FRAME
# The detector of WHOLE_FRAME on a photograph that people sign off as empty. It is no crop and in no export.
SIGN_OFF_DETECTOR = "sign-off"
DRAWN_DETECTOR = LABEL_STUDIO_SOURCE  # the detector of boxes that people drew


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """One photograph. If `failure` is set, it could not be used and has no detections."""

    id: str
    file_name: str  # path below the imported folder, with forward slashes
    path: str  # where the file is now
    width: int | None = None  # pixels, after EXIF rotation
    height: int | None = None
    location: str | None = None
    datetime: dt.datetime | None = None  # by the camera's clock, without a time zone
    frame_num: int | None = None  # from 0, within its sequence
    seq_id: str | None = None
    seq_num_frames: int | None = None
    deployment_id: str | None = None
    role: Role = Role.TARGET
    source_id: str | None = None  # the photograph's id in its source
    content_hash: str | None = None  # None if the file has never been read
    size: int | None = None  # bytes
    mtime: float | None = None  # seconds since the epoch
    failure: str | None = None
    failure_detail: str | None = None
    defect: str | None = None  # what is wrong with a file that could be used nevertheless
    video: str | None = None  # of a frame of a video: the video's path below the imported folder
    video_frame: int | None = None  # from 0, in the video
    video_frame_rate: float | None = None  # of the video, frames a second
    source: str | None = None  # provenance of `details`, such as camtrap-dp:meetnetten
    details: Mapping[str, Any] | None = field(default=None, hash=False)  # further columns of the source


@dataclass(frozen=True, kw_only=True)
class DetectionRecord:
    """One box of one detector on one photograph, and the crop once it is written."""

    id: str
    image_id: str
    box: Box
    bbox_confidence: float | None
    detector: str
    detector_category: str = "animal"
    crop_path: str | None = None  # below the data folder, with forward slashes
    frame_path: str | None = None  # the whole photograph, reduced, with this box drawn; below the data folder
    # The detection of the box that a person drew instead; its own id if who drew this box took it back.
    replaced_by: str | None = None
    kind: DetectionKind = DetectionKind.ACTIVE
    category_id: int | None = None
    category_confidence: float | None = None


@dataclass(frozen=True, kw_only=True)
class DeploymentRecord:
    """One camera at one place for one period. Times are by the camera's clock, without a time zone."""

    id: str
    location: str
    latitude: float | None = None  # degrees, WGS 84
    longitude: float | None = None
    timezone: str | None = None  # of the camera's clock: an IANA name, or an offset such as +02:00
    started_at: dt.datetime | None = None
    ended_at: dt.datetime | None = None
    source: str | None = None  # provenance; None: a table of deployments
    details: Mapping[str, Any] | None = field(default=None, hash=False)  # further columns of the source


@dataclass(frozen=True, kw_only=True)
class Taxon:
    """What is known of a category as a taxon, beyond its name."""

    category: str  # its name, as in `category`
    scientific_name: str | None = None
    rank: str | None = None  # Darwin Core's taxonRank: species, genus, family, ...
    parent: str | None = None  # name or scientific name of the next higher taxon
    taxon_id: str | None = None  # in the catalogue that the source uses
    vernacular_names: Mapping[str, str] = field(default_factory=dict, hash=False)  # by language, ISO 639-3
    lineage: Mapping[str, str] = field(default_factory=dict, hash=False)  # scientific names by rank
    details: Mapping[str, Any] = field(default_factory=dict, hash=False)  # further properties of the source
    source: str | None = None  # provenance, such as speciesnet:predictions; None: the manager's species list


@dataclass(frozen=True, kw_only=True)
class SourceLabel:
    """A label from a source: of a box, a whole photograph or a whole sequence."""

    category: str | None  # any letter case; EMPTY: nothing to see; None: unsure or unclassified
    source: str  # provenance, such as coco:ena24; never LABEL_STUDIO_SOURCE
    level: Level = Level.IMAGE
    weak: bool = False  # whether a machine gave it
    confidence: float | None = None  # of the machine, 0 to 1
    annotator: str | None = None  # the person or model that the source names
    annotated_at: dt.datetime | None = None  # with a time zone
    count: int | None = None  # individuals
    key: str = ""  # the source's id of the observation: separates two observations of one species
    details: Mapping[str, str] | None = field(default=None, hash=False)  # further columns of the source

    @property
    def is_unclassified(self) -> bool:
        """Whether nobody has looked yet, as opposed to somebody who looked and cannot tell."""
        return self.category is None and (self.details or {}).get(OBSERVATION_TYPE) == UNCLASSIFIED


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """A Label Studio task that asks about detections.

    It is open until it is answered, parked or deleted. A parked task is out of the label stream, but whoever
    has it open can still answer it.
    """

    project_id: int
    task_id: int
    detections: tuple[str, ...]  # in the order of the screen
    kind: TaskKind = TaskKind.SINGLE
    purpose: Purpose = Purpose.QUEUE
    model_version: str | None = None  # that it shows
    score: float | None = None  # its place in Label Studio's queue, lowest first
    details: Mapping[str, Any] | None = field(default=None, hash=False)
    created_at: dt.datetime | None = None
    answered_at: dt.datetime | None = None  # None: no annotation of it counts
    parked_at: dt.datetime | None = None
    deleted_at: dt.datetime | None = None

    @property
    def kept_from(self) -> str | None:
        """The annotator whose skip came with the task, so that Label Studio serves it to others only."""
        return (self.details or {}).get(NOT_BY)

    @property
    def way(self) -> Way:
        """How a label is made that answers this task."""
        if self.kind in (TaskKind.SINGLE, TaskKind.FRAME):
            return Way.SINGLE
        if self.purpose is Purpose.SUGGESTION:
            return Way.SUGGESTION
        return Way.SEQUENCE if self.kind is TaskKind.SEQUENCE else Way.BOARD


@dataclass(frozen=True, kw_only=True)
class AnnotationRecord:
    """One state of one annotation, as a row of the oracle."""

    project_id: int | None
    detection_id: str
    annotation_uid: str  # Label Studio's unique_id, because it reuses ids after a deletion
    annotation_id: int | None
    task_id: int | None
    verdict: Verdict
    label: int | None  # a category id, with Verdict.LABEL only
    annotator: str | None
    annotated_at: dt.datetime  # UTC; when the annotation got this state
    lead_time: float | None = None  # seconds
    ground_truth: bool = False
    model_version: str | None = None  # of the prediction that the annotator saw
    shown: int | None = None  # category id of that prediction
    source: str = LABEL_STUDIO_SOURCE
    confidence: float | None = None  # of the machine, with Verdict.WEAK only
    result: Any = None  # the `result` JSON of Label Studio, unchanged; of a group, with the first row only
    way: Way | None = None  # None for labels from a source
    kept: bool | None = None  # whether the suggestion was kept; None: there was none
    attributes: Mapping[str, Any] | None = field(default=None, hash=False)  # count, sex, comment, ...


@dataclass(frozen=True, kw_only=True)
class PredictionRecord:
    """The prediction of one model version for one detection, and its place in the queue."""

    detection_id: str
    rank: int  # 0 comes first
    score: float  # Label Studio shows the lowest score first
    # None if no category is suggested: the version has no head, or the crop is novel or an audit crop.
    category_id: int | None
    probability: float | None  # calibrated, 0 to 1
    novel: bool = False  # far from everything labelled


@dataclass(frozen=True, kw_only=True)
class ModelRecord:
    """A model version. It is immutable; the weights are in `path`, all else here and in its manifest."""

    version: str
    project_id: int
    embedder: str
    digest: str  # of the inputs: the same inputs give the same version
    labels: int  # number of training labels; 0 for a cold start
    path: str | None  # folder below the data folder; None if the version has no head
    parent: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    created_at: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ProjectRecord:
    """A Label Studio project that Wildloop feeds."""

    id: int  # in Label Studio
    title: str
    embedder: str
    current_model: str | None = None
    watermark: dt.datetime | None = None  # newest `updated_at` of a task that sync has read
    synced_at: dt.datetime | None = None
    choices: Sequence[str] | None = field(default=None, hash=False)  # that its label config offers, last seen
    served_from: str | None = None  # what the addresses of pictures in its tasks begin with
    forgotten_at: dt.datetime | None = None  # when it was deleted in Label Studio
    # Of its screens, see label_studio.screen.options; None: it has the screen of earlier releases.
    options: Mapping[str, Any] | None = field(default=None, hash=False)
    replaced_by: int | None = None  # the project that goes on with its labels


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One piece of background work."""

    id: int
    project_id: int | None
    kind: RunKind
    state: RunState
    trigger: str  # labels, button, command, timer, import, project, retry, or the run that it follows
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


def utc_now() -> dt.datetime:
    """The current time, with time zone UTC."""
    return dt.datetime.now(dt.UTC)
