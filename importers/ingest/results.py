"""What becomes of one photograph of a source, ready to be written to the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from importers.detectors import DetectedBox
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
    known: bool = False  # imported before: no look was needed
    write: bool = True  # whether the record differs from what the store has
    scan: str | None = None
    detections: tuple[DetectionRecord, ...] = ()
    labels: tuple[SourceLabel, ...] = ()  # of the photograph
    box_labels: Mapping[str, tuple[SourceLabel, ...]] = field(default_factory=dict)  # by detection id
    looked: bool = True  # by a detector, or the source brought boxes
    stored: bool = False  # the store has a photograph of this content at this path
    left_out: Mapping[str, int] = field(default_factory=dict)  # findings, by category
    superseded: tuple[str, ...] = ()  # failures of the same file that are no more
    changed: bool = False  # the store has the file with other content
    moved: bool = False  # the store has it at another location, `former`
    former: str | None = None


def merged(old: ImageRecord, new: ImageRecord, *, is_told: bool) -> ImageRecord:
    """A photograph in the store with what a source says of it now; what the source leaves open stays.

    `is_told`: the source, or a rule of the user's, names the location; a folder's name is but a guess.
    """
    sequence = new if new.seq_id is not None else old
    return replace(
        old,
        width=new.width or old.width,
        height=new.height or old.height,
        location=new.location if is_told or old.location is None else old.location,
        datetime=new.datetime or old.datetime,
        seq_id=sequence.seq_id,
        frame_num=sequence.frame_num,
        seq_num_frames=sequence.seq_num_frames,
        deployment_id=new.deployment_id or old.deployment_id,
        source_id=new.source_id or old.source_id,
    )


def failed(record: ImageRecord, error: PhotoError, failures: Sequence[str]) -> IngestResult:
    """A photograph that cannot be used; `failures` are the ids of its earlier failures."""
    id_ = image_id(record.file_name, record.content_hash)
    record = replace(record, id=id_, failure=error.failure, failure_detail=as_text(error.detail))
    return IngestResult(record=record, superseded=others(failures, id_))


def unchanged_of(found: FileStat | None, looked: Sequence[StoredImage]) -> StoredImage | None:
    """The photograph, of those looked at, whose file need not be read again."""
    if found is None:
        return looked[-1] if looked else None  # its crops are cut: that the file went away changes nothing
    at = (found.size, found.mtime)
    return next((one for one in looked if (one.record.size, one.record.mtime) == at), None)


def has_all(known: StoredImage, detector: str, brought: Iterable[DetectedBox]) -> bool:
    """Whether the store has every box that the source brings: a corrected source may come again."""
    return all(detection_id(known.record.id, detector, found.box) in known.detection_ids for found in brought)


def records_of(image_id: str, detector: str, boxes: Iterable[DetectedBox]) -> list[DetectionRecord]:
    """The detections of a photograph, without crops; of boxes that coincide, the most confident one."""
    records: dict[str, DetectionRecord] = {}
    for box in boxes:
        record = box.record(image_id, detector)
        if record.id not in records or box.confidence >= (records[record.id].bbox_confidence or 0.0):
            records[record.id] = record
    return list(records.values())


def labels_of(
    boxes: Iterable[DetectionRecord], found: Sequence[DetectedBox]
) -> dict[str, tuple[SourceLabel, ...]]:
    """The labels of the findings by detection id."""
    labels = {one.box: one.labels for one in found if one.labels}
    return {box.id: labels[box.box] for box in boxes if box.box in labels} if labels else {}


def labels_left(found: Iterable[DetectedBox], detector: str) -> tuple[SourceLabel, ...]:
    """What findings that are not kept say of the whole photograph: somebody is there, it is not empty."""
    labels: dict[tuple[str, str | None], SourceLabel] = {}
    for one in found:
        plain = SourceLabel(
            category=one.category, source=detector, weak=True, confidence=one.confidence, annotator=detector
        )
        for label in one.labels or (plain,):
            labels.setdefault((label.source, label.category), replace(label, level=Level.IMAGE))
    return tuple(labels.values())


def others(ids: Iterable[str], own: str) -> tuple[str, ...]:
    """The ids but `own`."""
    return tuple(id_ for id_ in ids if id_ != own)
