"""Labels that look wrong (confident learning: Northcutt et al., arXiv 1911.00068), and their reviews."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from pipeline import heads
from pipeline.arrays import Floats, Ints
from pipeline.current_label import OracleEntry, current_label
from pipeline.errors import StoreError
from pipeline.label_studio.roles import StockClient
from pipeline.records import Purpose, TaskKind, Verdict
from pipeline.steps.labelling.ask import PlannedTask, ask
from pipeline.steps.labelling.stock import top_up
from pipeline.steps.learning.training_set import TrainingSet, read_training_set
from pipeline.store import detections, oracle, projects, reviews, tasks
from pipeline.store.reviews import FIRST_SCORE
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A label that looks wrong."""

    detection_id: str
    file_name: str
    task_id: int | None  # where it was labelled; None for a source's label of a crop not published here
    label: int  # a category id
    label_name: str
    labelled_by: tuple[str, ...]  # annotators, or the source
    predicted: str  # what a head predicts instead that did not learn from this crop's fold
    probability: float  # calibrated, of the prediction
    quality: float  # calibrated probability of the label itself


@dataclass(frozen=True, kw_only=True)
class ReviewReport:
    """The current labels of embedded crops that look wrong."""

    suspects: tuple[Suspect, ...]  # worst first, without labels whose review was requested before
    labels: int  # how many labels were examined
    waiting: int  # requested reviews that nobody has answered yet


@dataclass(frozen=True, kw_only=True)
class ReviewRequest:
    """What a request for reviews did."""

    created: int  # new review tasks
    waiting: int  # reviews that nobody has answered yet, these included


def review(workspace: Workspace, project_id: int) -> ReviewReport:
    """The labels of the project that look wrong; changes nothing.

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
        waiting = len(reviews.unanswered(conn, project_id))
    suspects: list[Suspect] = []
    if crops.ids:
        fitted = heads.fit(crops.examples(), embedder=project.embedder)
        suspects = _suspects(workspace, project_id, crops, fitted, requested)
    return ReviewReport(suspects=tuple(suspects), labels=len(crops.ids), waiting=waiting)


def suspicious(held_out: Floats, labels: Ints) -> list[int]:
    """The rows whose label looks wrong, worst first.

    `held_out` (N, C) are the calibrated probabilities of each row by a head that did not learn from it,
    0 for a class that this head does not have; `labels` (N,) is the column of each row's label.
    Confident learning estimates how many labels of each class are wrong; of each class, that many of the
    least likely labels are taken if the head predicts another class. A row whose head does not have the
    row's own class is left out: there is no evidence against its label.
    """
    likelihood = held_out[np.arange(len(labels)), labels]
    comparable = np.flatnonzero(likelihood > 0)
    classes, inner = np.unique(labels[comparable], return_inverse=True)
    if len(classes) < 2:
        return []
    from cleanlab.filter import find_label_issues

    probabilities = held_out[np.ix_(comparable, classes)]
    # Of cleanlab's filters and rankings these had the best average precision over 5% flipped labels of
    # fish and plankton (300 to 3,000), and found 92 to 97% of them.
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    wrong = find_label_issues(inner, probabilities, filter_by="prune_by_class", n_jobs=1)
    rows = comparable[wrong]
    rows = rows[held_out[rows].argmax(axis=1) != labels[rows]]
    return [int(row) for row in rows[np.argsort(likelihood[rows], kind="stable")]]


def request_reviews(
    workspace: Workspace,
    client: StockClient,
    project_id: int,
    suspects: Sequence[Suspect],
    *,
    limit: int,
) -> ReviewRequest:
    """Create a further task for the worst suspects, first in the queue and without a suggestion.

    At most `limit` reviews wait at a time, so running this again changes nothing until people answer. A
    vote on a review task is one more vote on the detection. Raises StoreError if the project has no
    version yet, and LabelStudioError.
    """
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
        waiting = reviews.unanswered(conn, project_id)
    if version is None:
        raise StoreError(f"project {project_id} has no model version yet", remedy="run `wildloop publish`")
    under_review = {review.detection_id for review in waiting}
    chosen = [suspect for suspect in suspects if suspect.detection_id not in under_review]
    planned = [
        PlannedTask(
            kind=TaskKind.SINGLE,
            purpose=Purpose.REVIEW,
            detections=(suspect.detection_id,),
            score=FIRST_SCORE + suspect.quality,
            details={"label": suspect.label, "quality": suspect.quality},
        )
        for suspect in chosen[: max(0, limit - len(waiting))]
    ]
    created = ask(workspace, client, project_id, planned, version=version)
    top_up(workspace, client, project_id)
    with workspace.database.read() as conn:
        waiting = reviews.unanswered(conn, project_id)
    return ReviewRequest(created=len(created), waiting=len(waiting))


def _suspects(
    workspace: Workspace,
    project_id: int,
    crops: TrainingSet,
    fitted: heads.Fitted,
    requested: Set[tuple[str, int]],
) -> list[Suspect]:
    """The labels that look wrong, worst first, without those that `review` leaves out.

    `requested` are the detections and labels whose review was requested before.
    """
    if fitted.held_out is None:
        return []
    column = {category: place for place, category in enumerate(fitted.head.classes)}
    labels = np.array([column[crops.labels[crop]] for crop in crops.ids], np.intp)
    rows = {crops.ids[row]: row for row in suspicious(fitted.held_out, labels)}
    rows = {crop: row for crop, row in rows.items() if (crop, crops.labels[crop]) not in requested}
    with workspace.database.read() as conn:
        histories = oracle.histories(conn, rows)
        task_of = tasks.by_detection(conn, project_id, rows)
        file_names = detections.file_names(conn, rows)
    suspects = []
    for crop, row in rows.items():
        if _is_ground_truth(histories[crop]):
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
                predicted=crops.names[fitted.head.classes[int(probabilities.argmax())]],
                probability=float(probabilities.max()),
                quality=float(probabilities[labels[row]]),
            )
        )
    return suspects


def _is_ground_truth(history: Sequence[OracleEntry]) -> bool:
    """Whether an annotation that is not deleted is marked as ground truth."""
    last = {entry.annotation_uid: entry for entry in history}  # oldest first
    return any(entry.ground_truth and entry.verdict is not Verdict.DELETED for entry in last.values())
