"""What becomes of one photograph of a source, ready to be written to the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from importers.detectors import Finding
from importers.paths import as_text
from pipeline.errors import PhotoError
from pipeline.files import Found
from pipeline.records import DetectionRecord, ImageRecord, SourceLabel, detection_id, image_id
from pipeline.store.images import Known


@dataclass(frozen=True, kw_only=True)
class Outcome:
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


def merged(old: ImageRecord, new: ImageRecord) -> ImageRecord:
    """What another source says of a photograph in the store; what it leaves open stays."""
    return replace(
        new,
        id=old.id,
        file_name=old.file_name,
        role=old.role,
        width=new.width or old.width,
        height=new.height or old.height,
        datetime=new.datetime or old.datetime,
        content_hash=old.content_hash,
        size=old.size,
        mtime=old.mtime,
    )


def failed(record: ImageRecord, error: PhotoError, failures: Sequence[str]) -> Outcome:
    """A photograph that cannot be used; `failures` are the ids of its earlier failures."""
    id_ = image_id(record.file_name, record.content_hash)
    record = replace(record, id=id_, failure=error.failure, failure_detail=as_text(error.detail))
    return Outcome(record=record, superseded=others(failures, id_))


def unchanged_of(found: Found | None, looked: Sequence[Known]) -> Known | None:
    """The photograph, of those looked at, whose file need not be read again."""
    if found is None:
        return looked[-1] if looked else None  # its crops are cut: that the file went away changes nothing
    at = (found.size, found.mtime)
    return next((one for one in looked if (one.record.size, one.record.mtime) == at), None)


def has_all(known: Known, detector: str, brought: Iterable[Finding]) -> bool:
    """Whether the store has every box that the source brings: a corrected source may come again."""
    return all(detection_id(known.record.id, detector, found.box) in known.boxes for found in brought)


def labels_of(
    boxes: Iterable[DetectionRecord], found: Sequence[Finding]
) -> dict[str, tuple[SourceLabel, ...]]:
    """The labels of the findings by detection id."""
    labels = {one.box: one.labels for one in found if one.labels}
    return {box.id: labels[box.box] for box in boxes if box.box in labels} if labels else {}


def others(ids: Iterable[str], own: str) -> tuple[str, ...]:
    """The ids but `own`."""
    return tuple(id_ for id_ in ids if id_ != own)
