"""Boxes that people drew or moved -> detections; their crops, from the photographs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import sqlalchemy as sa

from pipeline.crops import cut_crops, stored_photo
from pipeline.errors import PhotoError
from pipeline.identity import detection_id
from pipeline.label_studio.annotations import Annotation
from pipeline.label_studio.answers import DrawnBox
from pipeline.records import (
    DRAWN_DETECTOR,
    EMPTY,
    SIGN_OFF_DETECTOR,
    Box,
    DetectionRecord,
    ImageRecord,
    TaskKind,
    TaskRecord,
    Verdict,
)
from pipeline.steps.labelling.votes import Vote
from pipeline.store import boxes, detections, images
from pipeline.workspace import Workspace

PIXELS = 2.0  # a side that moved less was not moved, and a box with a shorter side was not drawn
UNKNOWN_SIDE = 1_000  # pixels: of a photograph whose size is not known
OVERLAP = 0.5  # intersection over union from which two boxes are around one animal


@dataclass(frozen=True, kw_only=True)
class CutReport:
    """What became of boxes without a crop."""

    cut: int
    failed: tuple[tuple[str, str], ...]  # file name and failure of each photograph that cannot be read


def box_votes(
    conn: sa.Connection, task: TaskRecord, annotation: Annotation, of_task: Sequence[Vote]
) -> list[Vote]:
    """Store the boxes of an annotation; returns what it says of each.

    The box that stands for the crop has all that was said of the crop. Another has its species, unless the
    crop is empty or shows several. What has no species, as on a whole photograph, waits to be asked alone.
    """
    if annotation.uid is None or annotation.is_skip or not annotation.answer.boxes:
        return []
    ids = store_boxes(conn, task, annotation.uid, annotation.answer.boxes)
    asked = detections.get(conn, task.detections[:1])[task.detections[0]]
    [of_crop] = of_task
    has_species = task.kind is TaskKind.SINGLE and of_crop.verdict is not Verdict.SKIPPED
    is_shared = has_species and of_crop.category != EMPTY and not of_crop.attributes.get("also")
    attributes = {name: value for name, value in of_crop.attributes.items() if name != "boxes"}
    said = []
    for id_ in ids:
        if has_species and id_ == asked.replaced_by:
            said.append(replace(of_crop, detection_id=id_, shown=None, attributes=attributes))
        elif is_shared:
            said.append(replace(of_crop, detection_id=id_, shown=None, attributes={}))
        else:
            said.append(Vote(detection_id=id_, verdict=Verdict.STRUCK))
    return said


def store_boxes(
    conn: sa.Connection, task: TaskRecord, annotation_uid: str, drawn: Sequence[DrawnBox]
) -> tuple[str, ...]:
    """Store the boxes that an annotation of a task drew or moved; returns the ids of their detections.

    The annotation speaks of these beside those of the task. What was drawn before, by anybody, is the same
    detection, and so is a box around an animal that has one already. A moved box replaces the one that the
    task asks about, as does a drawn one around the same animal. A box that hardly moved, or is hardly a
    box, is none. Call `store.boxes.settle` once the annotation is stored.
    """
    asked = detections.get(conn, task.detections[:1]).get(task.detections[0])
    if asked is None or not drawn:
        return ()
    [photograph] = images.get(conn, [asked.image_id]).values()
    known = detections.of_images(conn, [photograph.id]).get(photograph.id, [])
    known = [each for each in known if each.detector != SIGN_OFF_DETECTOR]
    by_annotation = boxes.authors(conn, (each.id for each in known))
    by_others = [
        each
        for each in known
        if each.id != asked.id
        and each.replaced_by is None
        and (each.detector != DRAWN_DETECTOR or by_annotation.get(each.id, set()) - {annotation_uid})
    ]
    spoken_of: dict[str, DrawnBox] = {}
    for each in drawn:
        is_unmoved = asked.detector != SIGN_OFF_DETECTOR and _is_same(each.box, asked.box, photograph)
        if is_unmoved or _is_speck(each.box, photograph):
            continue
        record = _known_as(each.box, known, by_others, photograph)
        if record is None:
            record = DetectionRecord(
                id=detection_id(photograph.id, DRAWN_DETECTOR, each.box),
                image_id=photograph.id,
                box=each.box,
                bbox_confidence=None,
                detector=DRAWN_DETECTOR,
            )
            detections.add(conn, [record])
            known.append(record)
        if record.id != asked.id:
            spoken_of.setdefault(record.id, each)
    if task.kind is TaskKind.SINGLE:
        new = _replacement(conn, asked, spoken_of)
        former = asked.replaced_by
        is_own = former not in spoken_of and by_annotation.get(former or "", set()) <= {annotation_uid}
        if new is not None and (former is None or is_own):
            boxes.replace(conn, asked.id, new)
    return tuple(spoken_of)


def cut_drawn(workspace: Workspace) -> CutReport:
    """Cut the crops of all boxes that people drew and that have none yet.

    A photograph that cannot be read is reported, and the next call tries it again: its boxes keep their
    labels and are no crops until then.
    """
    with workspace.database.read() as conn:
        waiting = boxes.without_crop(conn)
        photographs = images.get(conn, {each.image_id for each in waiting})
    cut, failed = 0, []
    for image_id, group in groupby(waiting, key=lambda each: each.image_id):
        try:
            records = cut_crops(stored_photo(photographs[image_id]), group, workspace.data_dir)
        except PhotoError as exc:
            failed.append((photographs[image_id].file_name, str(exc)))
            continue
        with workspace.database.write() as conn:
            cut += detections.set_crops(conn, records)
    return CutReport(cut=cut, failed=tuple(failed))


def _replacement(
    conn: sa.Connection, asked: DetectionRecord, spoken_of: Mapping[str, DrawnBox]
) -> str | None:
    """The box that stands for the one that was asked about, if any does."""
    records = detections.get(conn, spoken_of)
    drawn = [id_ for id_ in spoken_of if records[id_].detector == DRAWN_DETECTOR]
    moved = [id_ for id_ in drawn if spoken_of[id_].moved]
    redrawn = [id_ for id_ in drawn if overlap(spoken_of[id_].box, asked.box) >= OVERLAP]
    return next(iter(moved or redrawn), None)


def _known_as(
    box: Box, known: Iterable[DetectionRecord], by_others: Iterable[DetectionRecord], photograph: ImageRecord
) -> DetectionRecord | None:
    """The detection that a box is of, if there is one: the same box, or one around the same animal."""
    for each in known:
        if each.detector == DRAWN_DETECTOR and _is_same(box, each.box, photograph):
            return each
    nearest = max(by_others, key=lambda each: overlap(box, each.box), default=None)
    return nearest if nearest is not None and overlap(box, nearest.box) >= OVERLAP else None


def _is_same(one: Box, other: Box, photograph: ImageRecord) -> bool:
    """Whether no side of a box is more than some pixels from that of the other."""
    across, down = _pixel(photograph)
    return (
        abs(one.x1 - other.x1) <= across
        and abs(one.x2 - other.x2) <= across
        and abs(one.y1 - other.y1) <= down
        and abs(one.y2 - other.y2) <= down
    )


def _is_speck(box: Box, photograph: ImageRecord) -> bool:
    """Whether a box is no larger than a click makes it."""
    across, down = _pixel(photograph)
    return box.width <= across or box.height <= down


def _pixel(photograph: ImageRecord) -> tuple[float, float]:
    """`PIXELS` as fractions of the width and height of a photograph."""
    return PIXELS / (photograph.width or UNKNOWN_SIDE), PIXELS / (photograph.height or UNKNOWN_SIDE)


def overlap(one: Box, other: Box) -> float:
    """The intersection of two boxes over their union, 0 to 1."""
    width = min(one.x2, other.x2) - max(one.x1, other.x1)
    height = min(one.y2, other.y2) - max(one.y1, other.y1)
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / (one.width * one.height + other.width * other.height - common)
