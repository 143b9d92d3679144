"""The result of ingesting one photograph: the rows to write, and what the report counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from importers.detectors import DetectedBox
from importers.ingest.source_image import ImportOptions, interpreted
from importers.reading.locations import Origin
from importers.reading.paths import as_text
from pipeline.errors import PhotoError
from pipeline.files.reading import FileStat
from pipeline.identity import detection_id, image_id
from pipeline.records import DetectionRecord, ImageRecord, Level, SourceLabel
from pipeline.store.images import StoredImage


@dataclass(frozen=True, kw_only=True)
class IngestResult:
    """One photograph, ready to be written to the store."""

    record: ImageRecord
    is_known: bool = False  # imported before: nothing was scanned
    needs_write: bool = True  # the record differs from the row in the store
    scan: str | None = None
    detections: tuple[DetectionRecord, ...] = ()
    labels: tuple[SourceLabel, ...] = ()  # of the photograph
    box_labels: Mapping[str, tuple[SourceLabel, ...]] = field(default_factory=dict)  # by detection id
    has_detector: bool = True  # a detector, or the source, looked for boxes
    is_stored: bool = False  # the store has a photograph of this content at this path
    left_out: Mapping[str, int] = field(default_factory=dict)  # boxes not kept, by category
    superseded: tuple[str, ...] = ()  # ids of earlier failures of the file
    is_changed: bool = False  # the store has the file with other content
    is_moved: bool = False  # the store has it at another location, `former_location`
    former_location: str | None = None
    origin: Origin | None = None  # of its location


class Boxes(NamedTuple):
    """The boxes of a photograph that are sure enough, by whether their category is kept."""

    kept: Sequence[DetectedBox]
    left: Sequence[DetectedBox]

    def counted(self) -> Counter[str] | dict[str, int]:
        """The boxes that are not kept, by category."""
        return Counter(box.category for box in self.left) if self.left else {}


def chosen(boxes: Sequence[DetectedBox], options: ImportOptions) -> Boxes:
    """The boxes that reach the threshold, or that people labelled."""
    sure = [box for box in boxes if box.confidence >= options.threshold or _is_by_people(box)]
    kept = [box for box in sure if box.category in options.keep]
    left = [box for box in sure if box.category not in options.keep] if len(kept) < len(sure) else []
    return Boxes(kept=kept, left=left)


def _is_by_people(box: DetectedBox) -> bool:
    return any(not label.weak for label in box.labels)


def merged(old: ImageRecord, new: ImageRecord, *, has_location: bool) -> ImageRecord:
    """A stored photograph, updated by what a source says now; what is None in `new` stays.

    `has_location`: the location of `new` comes from the source or a pattern of the user's. A location
    guessed from a folder's name does not replace another. Further columns of a source stay when another
    has some. A photograph that an earlier version stored with a name that begins with `./`, and with the
    location `.`, gets the name and location that it has now.
    """
    if old.path != new.path:
        old = replace(old, path=new.path, file_name=new.file_name)
        old = replace(old, location=None) if old.location == "." else old
    sequence = new if new.seq_id is not None else old
    has_details = new.details is not None and (old.details is None or old.source == new.source)
    return replace(
        old,
        width=new.width or old.width,
        height=new.height or old.height,
        location=new.location if has_location or old.location is None else old.location,
        datetime=new.datetime or old.datetime,
        seq_id=sequence.seq_id,
        frame_num=sequence.frame_num,
        seq_num_frames=sequence.seq_num_frames,
        deployment_id=new.deployment_id or old.deployment_id,
        source_id=new.source_id or old.source_id,
        video=new.video or old.video,
        video_frame=old.video_frame if new.video_frame is None else new.video_frame,
        video_frame_rate=new.video_frame_rate or old.video_frame_rate,
        source=new.source if has_details else old.source,
        details=new.details if has_details else old.details,
    )


def origin_of(
    record: ImageRecord, described: ImageRecord, *, named: str | None, read: str | None
) -> Origin | None:
    """Where the location of a record comes from; None if it has none.

    `described` is the photograph as its source describes it, `named` the location in the source, and `read`
    the one that the user's pattern reads.
    """
    if record.location is None:
        return None
    if record.location != described.location:
        return Origin.STORE
    if read == record.location:
        return Origin.PATTERN
    if named is not None:
        return Origin.SOURCE
    name = record.video or record.file_name
    return Origin.FOLDER if record.location in name.split("/")[:-1] else Origin.ROOT


def failed(record: ImageRecord, error: PhotoError, failures: Iterable[str]) -> IngestResult:
    """The result for a photograph that cannot be used; `failures` are the ids of its earlier failures."""
    id_ = image_id(record.file_name, record.content_hash)
    record = replace(record, id=id_, failure=error.failure, failure_detail=as_text(error.detail))
    return IngestResult(record=record, superseded=without(failures, id_))


def unchanged_of(file: FileStat | None, scanned: Sequence[StoredImage]) -> StoredImage | None:
    """The photograph, of those scanned, whose file need not be read again; None if there is none."""
    if file is None:  # it cannot be found any more, but its crops are cut
        return scanned[-1] if scanned else None
    state = (file.size, file.mtime)
    return next((known for known in scanned if (known.record.size, known.record.mtime) == state), None)


def has_all(known: StoredImage, detector: str, boxes: Iterable[DetectedBox]) -> bool:
    """Whether the store has every box of the source: a source may be corrected and imported again."""
    return all(detection_id(known.record.id, detector, box.box) in known.detection_ids for box in boxes)


def records_of(image_id: str, detector: str, boxes: Iterable[DetectedBox]) -> list[DetectionRecord]:
    """The detections of a photograph, without crops; of boxes that coincide, the most confident one."""
    records: dict[str, DetectionRecord] = {}
    for box in boxes:
        record = box.record(image_id, detector)
        if record.id not in records or box.confidence >= (records[record.id].bbox_confidence or 0.0):
            records[record.id] = record
    return list(records.values())


def labels_of(
    detections: Iterable[DetectionRecord], boxes: Iterable[DetectedBox]
) -> dict[str, tuple[SourceLabel, ...]]:
    """The labels of the boxes by detection id."""
    labels = {box.box: box.labels for box in boxes if box.labels}
    if not labels:
        return {}
    return {detection.id: labels[detection.box] for detection in detections if detection.box in labels}


def labels_left(boxes: Iterable[DetectedBox], detector: str) -> tuple[SourceLabel, ...]:
    """Labels of the photograph from boxes that are not kept: it shows a person, so it is not empty."""
    labels: dict[tuple[str, str | None], SourceLabel] = {}
    for box in boxes:
        by_detector = SourceLabel(
            category=box.category, source=detector, weak=True, confidence=box.confidence, annotator=detector
        )
        for label in box.labels or (by_detector,):
            of_photograph = interpreted(replace(label, level=Level.IMAGE))
            if of_photograph is not None:
                labels.setdefault((label.source, label.category), of_photograph)
    return tuple(labels.values())


def without(ids: Iterable[str], own: str) -> tuple[str, ...]:
    """The ids other than `own`."""
    return tuple(id_ for id_ in ids if id_ != own)
