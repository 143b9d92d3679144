"""Photographs that machines alone call empty -> a random sample, which people sign off on whole frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pipeline.crops import stored_photo, write_frame
from pipeline.errors import PhotoError, SourceError
from pipeline.identity import detection_id
from pipeline.label_studio.roles import AskClient
from pipeline.records import (
    EMPTY,
    SIGN_OFF_DETECTOR,
    WHOLE_FRAME,
    DetectionRecord,
    ImageRecord,
    Purpose,
    TaskKind,
    TaskRecord,
    utc_now,
)
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.store import categories, empties, projects, tasks
from pipeline.store.database import chunks
from pipeline.store.empties import Finding, SignOff
from pipeline.workspace import Workspace

SHOWN = 12  # photographs of one board
SIDE = 1_280  # pixels: the longer side of a frame to sign off, larger than that of a crop's
REASON = "The detector saw nothing in these photographs. Strike out each that shows an animal."
REASON_ALONE = "Somebody saw something here that the detector missed: draw a box around each animal."


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A photograph of the sample that cannot be shown."""

    file_name: str
    failure: str  # the kind of PhotoError
    detail: str


@dataclass(frozen=True, kw_only=True)
class DrawnEmpties:
    """What a draw added to the sample."""

    drawn: int  # photographs that people can sign off
    unreadable: tuple[Unreadable, ...]  # they stay in the sample, and the next draw tries them again


def draw(workspace: Workspace, count: int) -> DrawnEmpties:
    """Draw `count` more of the photographs that machines alone call empty, and write their frames.

    More if so many came since the last draw that the sample would have too few of those. Raises SourceError,
    and draws nothing, if none of them can be read.
    """
    drawn_at = utc_now()
    with workspace.database.read() as conn:
        again = empties.without_frame(conn)
        new = empties.next_to_draw(conn, count)
    records: list[DetectionRecord] = []
    unreadable: list[Unreadable] = []
    for photograph in (*again, *new):
        try:
            records.append(_with_frame(workspace, photograph))
        except PhotoError as exc:
            records.append(_whole(photograph))
            unreadable.append(
                Unreadable(file_name=photograph.file_name, failure=exc.failure, detail=exc.detail)
            )
    if unreadable and len(unreadable) == len(records):
        first = unreadable[0]
        raise SourceError(
            f"none of {len(records):,} photographs can be read, beginning with {first.file_name}: "
            f"{first.failure}, {first.detail}",
            remedy="make the photographs available where they were imported from, or import them again",
        )
    with workspace.database.write() as conn:
        empties.add(conn, records, drawn_at)
    return DrawnEmpties(drawn=len(records) - len(unreadable), unreadable=tuple(unreadable))


def ask_due(workspace: Workspace, client: AskClient, project_id: int) -> list[TaskRecord]:
    """Ask the project's annotators about the sample, as `plan` says; returns the tasks.

    Raises LabelStudioError.
    """
    with workspace.database.read() as conn:
        planned = plan(conn, project_id)
        version = projects.get(conn, project_id).current_model
    return ask(workspace, client, project_id, planned, version=version) if planned else []


def is_struck_due(conn: sa.Connection, project_id: int) -> bool:
    """Whether a photograph was struck out that nobody is asked to draw boxes on yet."""
    struck = empties.struck_ids(conn)
    asked = tasks.of_detections(conn, project_id, struck)
    return any(not _is_open(asked.get(id_, ()), TaskKind.FRAME) for id_ in struck)


def plan(conn: sa.Connection, project_id: int) -> list[PlannedTask]:
    """The tasks about the sample that the project lacks.

    What nobody has answered comes on boards of whole frames, before the rest of the queue. What was struck
    out comes first of all, alone, so that boxes are drawn on it.
    """
    if not empties.is_drawn(conn):
        return []
    sample = [each for each in empties.sample(conn) if each.frame_path is not None]
    asked = tasks.of_detections(conn, project_id, (each.detection_id for each in sample))
    empty = categories.numbers(conn).get(EMPTY)
    boards = [each for each in sample if each.finding in (Finding.OPEN, Finding.UNDECIDED)]
    boards = [each for each in boards if not _is_asked(asked.get(each.detection_id, ()))]
    alone = [each for each in sample if each.finding is Finding.STRUCK]
    alone = [each for each in alone if not _is_open(asked.get(each.detection_id, ()), TaskKind.FRAME)]
    planned = [
        PlannedTask(
            kind=TaskKind.FRAME,
            purpose=Purpose.EMPTIES,
            detections=(each.detection_id,),
            score=-4 + place / len(alone),
            reason=REASON_ALONE,
        )
        for place, each in enumerate(alone)
    ]
    groups: list[Sequence[SignOff]] = list(chunks(boards, SHOWN))
    return planned + [
        PlannedTask(
            kind=TaskKind.FRAMES,
            purpose=Purpose.EMPTIES,
            detections=tuple(each.detection_id for each in group),
            score=-1 + place / len(groups),
            suggested=empty,
            reason=REASON,
        )
        for place, group in enumerate(groups)
    ]


def _is_asked(records: Iterable[TaskRecord]) -> bool:
    """Whether one of these tasks is answered, or waits for an answer."""
    return any(record.answered_at is not None or record.parked_at is None for record in records)


def _is_open(records: Iterable[TaskRecord], kind: TaskKind) -> bool:
    """Whether one of these tasks, of this kind, waits for an answer."""
    return any(
        record.kind is kind and record.answered_at is None and record.parked_at is None for record in records
    )


def _whole(photograph: ImageRecord) -> DetectionRecord:
    """The detection that stands for a photograph as a whole."""
    return DetectionRecord(
        id=detection_id(photograph.id, SIGN_OFF_DETECTOR, WHOLE_FRAME),
        image_id=photograph.id,
        box=WHOLE_FRAME,
        bbox_confidence=None,
        detector=SIGN_OFF_DETECTOR,
    )


def _with_frame(workspace: Workspace, photograph: ImageRecord) -> DetectionRecord:
    return write_frame(stored_photo(photograph), _whole(photograph), workspace.data_dir, side=SIDE)
