"""Labels that are expected to be wrong, and their reviews: boards of crops that are called alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from pipeline import heads
from pipeline.current_label import active_entries, current_label
from pipeline.errors import StoreError
from pipeline.label_errors import error_probabilities, expected_errors
from pipeline.label_studio.roles import StockClient
from pipeline.records import Purpose, TaskKind
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.look_again import FIRST_REVIEW, plan_objections
from pipeline.steps.learning.training_set import TrainingSet, read_training_set
from pipeline.store import audits, detections, oracle, projects, reviews, tasks
from pipeline.store.database import chunks
from pipeline.workspace import Workspace

BOARD = 24  # crops on a board
FEWEST = 3  # crops called alike that make a board


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A label that is expected to be wrong."""

    detection_id: str
    file_name: str
    task_id: int | None  # where it was labelled alone; None for labels of groups and of sources
    label: int  # a category id
    label_name: str
    labelled_by: tuple[str, ...]  # annotators, or the source
    wrong: float  # the probability that the label is wrong
    predicted: str  # what a head predicts instead that did not learn from this crop's fold
    probability: float  # calibrated, of the prediction


@dataclass(frozen=True, kw_only=True)
class ReviewReport:
    """The current labels of embedded crops that are expected to be wrong."""

    suspects: tuple[Suspect, ...]  # most probable first, without labels whose review was requested before
    expected: float  # how many of these are expected to be wrong
    labels: int  # how many labels were examined
    waiting: int  # labels under review that nobody has answered yet


@dataclass(frozen=True, kw_only=True)
class ReviewRequest:
    """What a request for reviews did."""

    created: int  # labels that are under review now
    tasks: int  # new tasks, of one crop or of several
    waiting: int  # labels under review that nobody has answered yet, these included


def review(workspace: Workspace, project_id: int) -> ReviewReport:
    """The labels of the project that are expected to be wrong; changes nothing.

    Each crop is compared with the prediction of a head that did not learn from its location (or its
    sequence, or the crop: as the folds of a training). Left out are labels marked as ground truth, which
    no further vote changes, and labels whose review was requested before. Raises StoreError for an
    unknown project.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    pool = workspace.pool(project.embedder)
    with workspace.database.read() as conn:
        crops = read_training_set(conn, pool, project_id, with_audit=True)
        requested = reviews.requested_labels(conn, project_id)
        waiting = reviews.waiting_crops(conn, project_id)
    suspects: list[Suspect] = []
    if crops.ids:
        fitted = heads.fit(crops.examples(), embedder=project.embedder)
        suspects = _suspects(workspace, project_id, crops, fitted, requested)
    return ReviewReport(
        suspects=tuple(suspects),
        expected=sum(suspect.wrong for suspect in suspects),
        labels=len(crops.ids),
        waiting=waiting,
    )


def request_reviews(
    workspace: Workspace,
    client: StockClient,
    project_id: int,
    suspects: Sequence[Suspect],
    *,
    limit: int,
) -> ReviewRequest:
    """Put the most probable suspects before people, first in the queue.

    Crops that are called alike come as a board: what is struck out comes back alone, and a label that is kept
    is not listed again. A crop of the audit, and a label that few others share, comes alone and without a
    suggestion. At most `limit` labels are under review at a time, so running this again changes nothing until
    people answer. Raises StoreError if the project has no version yet, and LabelStudioError.
    """
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
        room = max(0, limit - reviews.waiting_crops(conn, project_id))
        planned = plan_objections(conn, project_id) + _planned(conn, project_id, suspects[:room])
    if version is None:
        raise StoreError(f"project {project_id} has no model version yet", remedy="run `wildloop publish`")
    created = ask(workspace, client, project_id, planned, version=version)
    with workspace.database.read() as conn:
        waiting = reviews.waiting_crops(conn, project_id)
    crops = sum(len(record.detections) for record in created)
    return ReviewRequest(created=crops, tasks=len(created), waiting=waiting)


def _planned(conn: sa.Connection, project_id: int, suspects: Sequence[Suspect]) -> list[PlannedTask]:
    audited = audits.drawn_among(conn, project_id, [suspect.detection_id for suspect in suspects])
    alike: dict[int, list[Suspect]] = defaultdict(list)
    alone: list[Suspect] = []
    for suspect in suspects:
        together = alone if suspect.detection_id in audited else alike[suspect.label]
        together.append(suspect)
    alone += [suspect for few in alike.values() if len(few) < FEWEST for suspect in few]
    boards = [board for many in alike.values() if len(many) >= FEWEST for board in chunks(many, BOARD)]
    return [_task([suspect]) for suspect in alone] + [_task(board) for board in boards]


def _task(suspects: Sequence[Suspect]) -> PlannedTask:
    """One crop without a suggestion, or crops that are called alike."""
    first = suspects[0]
    is_board = len(suspects) > 1
    return PlannedTask(
        kind=TaskKind.BOARD if is_board else TaskKind.SINGLE,
        purpose=Purpose.REVIEW,
        detections=tuple(suspect.detection_id for suspect in suspects),
        score=FIRST_REVIEW + 1 - max(suspect.wrong for suspect in suspects),
        suggested=first.label if is_board else None,
        reason=f"These were called {first.label_name}: strike out what is not" if is_board else "",
        details={reviews.LABEL: first.label},
    )


def _suspects(
    workspace: Workspace,
    project_id: int,
    crops: TrainingSet,
    fitted: heads.Fitted,
    requested: Set[tuple[str, int]],
) -> list[Suspect]:
    """The labels that are expected to be wrong, most probable first, without those that `review` leaves out.

    `requested` are the detections and labels whose review was requested before.
    """
    if fitted.held_out is None or fitted.folds is None:
        return []
    column = {category: place for place, category in enumerate(fitted.head.classes)}
    labels = np.array([column[crops.labels[crop]] for crop in crops.ids], np.intp)
    wrong = error_probabilities(fitted.held_out, labels, fitted.folds)
    rows = {crops.ids[row]: row for row in expected_errors(wrong)}
    rows = {crop: row for crop, row in rows.items() if (crop, crops.labels[crop]) not in requested}
    with workspace.database.read() as conn:
        histories = oracle.histories(conn, rows)
        task_of = tasks.by_detection(conn, project_id, rows)
        file_names = detections.file_names(conn, rows)
    suspects = []
    for crop, row in rows.items():
        if any(entry.ground_truth for entry in active_entries(histories[crop])):
            continue
        label, probabilities = current_label(histories[crop]), fitted.held_out[row]
        suspects.append(
            Suspect(
                detection_id=crop,
                file_name=file_names[crop],
                task_id=task_of.get(crop),
                label=crops.labels[crop],
                label_name=crops.names[crops.labels[crop]],
                labelled_by=label.by or ((label.source,) if label.source else ()),
                wrong=float(wrong[row]),
                predicted=crops.names[fitted.head.classes[int(probabilities.argmax())]],
                probability=float(probabilities.max()),
            )
        )
    return suspects
