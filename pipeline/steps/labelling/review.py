"""Labels that look wrong (confident learning, Northcutt et al., arXiv 1911.00068), asked again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline import heads
from pipeline.arrays import Floats, Ints
from pipeline.errors import StoreError
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.roles import ReviewClient
from pipeline.oracle import OracleEntry, current_label
from pipeline.records import Verdict
from pipeline.steps.labelling.publish import CALL_TASKS, task_data
from pipeline.steps.labelling.push import push, review_row
from pipeline.steps.labelling.record import forget_tasks
from pipeline.steps.learning.pool_state import examples_of
from pipeline.store import candidates, categories, detections, oracle, projects, reviews, tasks
from pipeline.store.database import chunks
from pipeline.store.reviews import Review
from pipeline.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A label that looks wrong."""

    detection_id: str
    file_name: str
    task_id: int | None  # where it was labelled; None for a source's label of a crop not published here
    label: int  # a category id
    given: str  # its name
    by: tuple[str, ...]  # annotators, or the source
    says: str  # what the head says instead, which learned nothing from this crop's fold
    probability: float  # calibrated, of what the head says
    quality: float  # calibrated probability of the label itself


@dataclass(frozen=True, kw_only=True)
class ReviewReport:
    """What was found among the current labels of embedded crops."""

    suspects: tuple[Suspect, ...]  # worst first, without those that people were asked to look at again
    labels: int  # looked at
    waiting: int  # reviews that nobody has answered yet


@dataclass(frozen=True, kw_only=True)
class AskReport:
    """What became of some suspects."""

    asked: int  # new review tasks
    recovered: int  # review tasks that an interrupted run left in Label Studio
    waiting: int  # reviews that nobody has answered yet, these among them


def review(workspace: Workspace, project_id: int) -> ReviewReport:
    """The labels of the project that look wrong; changes nothing.

    Each crop is judged by a head that did not learn from its location (sequence, or crop, as in
    training). Left out are labels that somebody marked as ground truth, which no further vote changes,
    and those that were put before people again as this same label. Raises StoreError where the project
    is unknown.
    """
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
        labels = oracle.labels(conn, project_id)
        names = categories.names(conn)
        asked = reviews.requested_labels(conn, project_id)
        waiting = len(reviews.unanswered(conn, project_id))
    pool = workspace.pool(project.embedder)
    ids = sorted(one for one in labels if one in pool.index)
    if not ids:
        return ReviewReport(suspects=(), labels=0, waiting=waiting)
    with workspace.database.read() as conn:
        places = candidates.places(conn, ids)
    fitted = heads.fit(
        examples_of(pool, labels, places, names),
        embedder=project.embedder,
    )
    if fitted.held_out is None:
        return ReviewReport(suspects=(), labels=len(ids), waiting=waiting)
    column = {category: at for at, category in enumerate(fitted.head.classes)}
    rows = suspicious(fitted.held_out, np.array([column[labels[one]] for one in ids], np.intp))
    rows = [row for row in rows if (ids[row], labels[ids[row]]) not in asked]
    chosen = [ids[row] for row in rows]
    with workspace.database.read() as conn:
        histories = oracle.histories(conn, chosen)
        task_of = tasks.by_detection(conn, project_id, chosen)
        file_names = detections.file_names(conn, chosen)
    suspects = []
    for row, one in zip(rows, chosen, strict=True):
        if _settled(histories[one]):
            continue
        answer = current_label(histories[one])
        likely = int(fitted.held_out[row].argmax())
        suspects.append(
            Suspect(
                detection_id=one,
                file_name=file_names[one],
                task_id=task_of.get(one),
                label=labels[one],
                given=names[labels[one]],
                by=answer.by or ((answer.source,) if answer.source else ()),
                says=names[fitted.head.classes[likely]],
                probability=float(fitted.held_out[row, likely]),
                quality=float(fitted.held_out[row, column[labels[one]]]),
            )
        )
    return ReviewReport(suspects=tuple(suspects), labels=len(ids), waiting=waiting)


def suspicious(held_out: Floats, given: Ints) -> list[int]:
    """Rows whose label looks wrong, worst first.

    `held_out` (N, C) are calibrated probabilities of each row by a head that did not learn from it, 0
    for a class that this head did not know; `given` (N,) is the column of each row's label. Confident
    learning estimates how many labels of each class are wrong, and so many of the least likely ones are
    taken where the head says something else. A row whose own class its head did not know has no evidence
    against it and is left out.
    """
    likelihood = held_out[np.arange(len(given)), given]
    known = np.flatnonzero(likelihood > 0)
    classes, inner = np.unique(given[known], return_inverse=True)
    if len(classes) < 2:
        return []
    from cleanlab.filter import find_label_issues

    among = held_out[np.ix_(known, classes)]
    # Of cleanlab's filters and rankings these had the best average precision over 5% flipped labels of
    # fish and plankton (300 to 3,000), and found 92 to 97% of them.
    shares = among / among.sum(axis=1, keepdims=True)
    wrong = find_label_issues(inner, shares, filter_by="prune_by_class", n_jobs=1)
    rows = known[wrong]
    rows = rows[held_out[rows].argmax(axis=1) != given[rows]]
    return [int(row) for row in rows[np.argsort(likelihood[rows], kind="stable")]]


def ask_again(
    workspace: Workspace,
    client: ReviewClient,
    project_id: int,
    suspects: Sequence[Suspect],
    *,
    limit: int,
) -> AskReport:
    """Give the worst suspects a further task, first in the queue and without an answer chosen.

    So many that at most `limit` reviews wait: running it again changes nothing until people answer.
    A vote on such a task is one more vote on the detection. Raises StoreError before the first version,
    LabelStudioError; review tasks made until then are found by the next run.
    """
    served = ServedFiles.of(workspace.settings)
    with workspace.database.read() as conn:
        version = projects.get(conn, project_id).current_model
    if version is None:
        raise StoreError(f"project {project_id} has no model version yet", remedy="run `wildloop publish`")
    recovered = _reconcile(workspace, client, project_id, version, suspects)
    found = {one.detection_id for one in recovered}
    with workspace.database.read() as conn:
        room = max(0, limit - len(reviews.unanswered(conn, project_id)))
        shown = tasks.contents(conn, [one.detection_id for one in suspects if one.detection_id not in found])
    chosen = [one for one in suspects if one.detection_id in shown][:room]
    for batch in chunks(chosen, CALL_TASKS):
        data = [task_data(served, shown[one.detection_id]) | {reviews.MARK: True} for one in batch]
        numbers = client.import_tasks(project_id, data)
        made = [_review(project_id, number, one) for number, one in zip(numbers, batch, strict=True)]
        _put_first(workspace, client, version, made)
    push(workspace, client, project_id)
    with workspace.database.read() as conn:
        waiting = len(reviews.unanswered(conn, project_id))
    return AskReport(asked=len(chosen), recovered=len(recovered), waiting=waiting)


def _reconcile(
    workspace: Workspace, client: ReviewClient, project_id: int, version: str, suspects: Sequence[Suspect]
) -> list[Review]:
    """Forget reviews whose tasks are gone, and take over tasks that an interrupted run left behind."""
    with workspace.database.read() as conn:
        ours = set(reviews.ids(conn, project_id))
        known = ours.union(tasks.ids(conn, project_id))
    if client.task_count(project_id) == len(known):
        return []
    claims: dict[int, Any] = {}
    present: set[int] = set()
    for task in client.tasks(project_id):
        present.add(int(task["id"]))
        if int(task["id"]) not in known and task["data"].get(reviews.MARK):
            claims[int(task["id"])] = task["data"].get("detection_id")
    forget_tasks(workspace, project_id, ours - present)
    suspect = {one.detection_id: one for one in suspects}
    left = [
        _review(project_id, number, suspect[claim]) for number, claim in claims.items() if claim in suspect
    ]
    if left:
        client.delete_predictions(project_id, [one.task_id for one in left])
        _put_first(workspace, client, version, left)
    return left


def _put_first(workspace: Workspace, client: ReviewClient, version: str, made: Sequence[Review]) -> None:
    """Send the predictions of new review tasks, then note the tasks: what is noted is in the queue."""
    client.import_predictions(made[0].project_id, [review_row(one, version) for one in made])
    with workspace.database.write() as conn:
        reviews.add(conn, made)


def _review(project_id: int, task_id: int, suspect: Suspect) -> Review:
    return Review(
        project_id=project_id,
        task_id=task_id,
        detection_id=suspect.detection_id,
        label=suspect.label,
        quality=suspect.quality,
    )


def _settled(history: Sequence[OracleEntry]) -> bool:
    """Whether an annotation that stands is marked as ground truth."""
    last = {entry.annotation_uid: entry for entry in history}  # oldest first
    return any(entry.ground_truth and entry.verdict is not Verdict.DELETED for entry in last.values())
