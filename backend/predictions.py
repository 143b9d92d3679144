"""Predictions of the current version for the tasks that Label Studio asks about.

Each has two numbers: `result[].score` is the calibrated probability, `score` the place in the queue, lowest
first. Crops in the version's queue keep their place, tasks that somebody asked for on purpose theirs;
all others come after them. A screen can only show a suggestion that its task has room for: one that was made
before the version may have none, and its prediction is empty then.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from backend.external_tasks import ExternalTasks
from backend.payloads import project_number
from pipeline import version_files
from pipeline.acquisition.measures import margin
from pipeline.errors import WildloopError
from pipeline.heads import LinearHead
from pipeline.label_studio.results import choice_result
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.screen.task import suggestible, suggestion_result
from pipeline.records import ModelRecord, PredictionRecord, TaskKind, TaskRecord
from pipeline.steps.labelling.ask import UNBIASED
from pipeline.steps.labelling.choices import see_choices
from pipeline.steps.labelling.record import claimed
from pipeline.steps.labelling.stock_plan import asks_first
from pipeline.store import (
    audits,
    categories,
    choices,
    detections,
    embeddings,
    models,
    predictions,
    projects,
    tasks,
)
from pipeline.workspace import Workspace

log = logging.getLogger(__name__)

NO_VERSION = "none"
QUEUE_END = 1.0  # highest score of a queue; crops outside the queue follow by their margin, at most 1
LAST_SCORE = 2.0  # after all margins
INGEST_SECONDS = 60.0  # for unknown photographs in one request: Label Studio waits 100 s
MAX_HEADS = 8  # kept in memory, one per project in use

Task = Mapping[str, Any]
Prediction = dict[str, Any]

# It names no version, so that Label Studio asks again: the photograph may be available by then.
NO_PREDICTION: Prediction = {"result": [], "score": LAST_SCORE, "model_version": NO_VERSION}


class Predictor:
    """Predicts from stored embeddings. Heads are cached by version, as versions are immutable."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._external_tasks = ExternalTasks(workspace)
        self._heads: dict[str, LinearHead] = {}

    def version(self, project_id: int | None) -> str:
        """The name of the project's current version; "none" before the first."""
        if project_id is None:
            return NO_VERSION
        with self._workspace.database.read() as conn:
            current = models.current(conn, project_id)
        return current.version if current else NO_VERSION

    def versions(self, project_id: int | None) -> list[str]:
        """The names of the project's versions, newest first; of all projects if None."""
        with self._workspace.database.read() as conn:
            ids = [project.id for project in projects.all(conn)] if project_id is None else [project_id]
            return [record.version for id_ in ids for record in reversed(models.all(conn, id_))]

    def predict(
        self, project_tasks: Sequence[Task], project_id: int | None = None, label_config: str | None = None
    ) -> list[Prediction]:
        """One prediction for each task, in the same order. Raises WildloopError if a head is damaged.

        `project_id` is the project of tasks that do not name their project, and `label_config` is its label
        config. Only what the project offers is suggested.
        """
        if project_id is not None and label_config:
            self._see(project_id, label_config)
        by_project: dict[int | None, list[int]] = defaultdict(list)
        for position, task in enumerate(project_tasks):
            named = project_number(_field(task, "project"))
            by_project[named if named is not None else project_id].append(position)
        answers = [dict(NO_PREDICTION) for _ in project_tasks]
        for number, positions in by_project.items():
            if number is not None:
                found = self._predict_project(number, [project_tasks[position] for position in positions])
                for position, prediction in zip(positions, found, strict=True):
                    answers[position] = prediction
        return answers

    def _see(self, project_id: int, label_config: str) -> None:
        """Learn from a request what can be chosen in the project."""
        try:
            see_choices(self._workspace, project_id, label_config)
        except WildloopError as exc:
            log.warning("project %d: its choices stay as they were seen last: %s", project_id, exc)

    def _predict_project(self, project_id: int, project_tasks: Sequence[Task]) -> list[Prediction]:
        shown = self._shown(project_id, project_tasks)
        with self._workspace.database.read() as conn:
            current = models.current(conn, project_id)
            if current is None:
                return [dict(NO_PREDICTION) for _ in project_tasks]
            alone = {record.detections[0] for record in shown if record is not None and _is_single(record)}
            by_detection = self._suggestions(conn, current, sorted(alone))
            least = ScreenOptions.from_json(projects.get(conn, project_id).options).suggest_from
            offered = choices.offered(conn, project_id)
        answers = []
        for task, record in zip(project_tasks, shown, strict=True):
            if record is None:
                answers.append(dict(NO_PREDICTION))
            elif not asks_first(record) or not _is_single(record):
                answers.append(_prediction(current, _as_asked(record, task, offered), _score(record)))
            elif record.detections[0] in by_detection:
                found = by_detection[record.detections[0]]
                answers.append(_prediction(current, found.result(record, task, least), found.score))
            else:
                answers.append(dict(NO_PREDICTION))
        return answers

    def _shown(self, project_id: int, project_tasks: Sequence[Task]) -> list[TaskRecord | None]:
        """What each task asks; photographs that are not in the store are ingested."""
        with self._workspace.database.read() as conn:
            shown = _stored_tasks(conn, project_id, project_tasks)
        deadline = time.monotonic() + INGEST_SECONDS
        return [
            self._external_tasks.ingest(project_id, task, deadline)
            if record is None and isinstance(task, Mapping)
            else record
            for record, task in zip(shown, project_tasks, strict=True)
        ]

    def _suggestions(
        self, conn: sa.Connection, current: ModelRecord, detection_ids: Sequence[str]
    ) -> dict[str, _Suggestion]:
        """What the version says of each detection; a head says nothing of those without an embedding."""
        queue = predictions.by_detection(conn, current.version, detection_ids)
        if current.path is None:
            return {
                detection_id: _Suggestion(score=_queue_score(queue.get(detection_id), LAST_SCORE))
                for detection_id in detection_ids
            }
        vectors = embeddings.vectors(conn, current.embedder, detection_ids)
        if not vectors:
            return {}
        offered = choices.offered(conn, current.project_id)
        audited = audits.drawn_among(conn, current.project_id, detection_ids)
        head = self._head(current).merged(categories.resolved(conn))
        probabilities = head.probabilities(np.stack(list(vectors.values())))
        likeliest, margins = probabilities.argmax(axis=1), margin(probabilities)
        found = {}
        for row, detection_id in enumerate(vectors):
            queued = queue.get(detection_id)
            word = offered.get(head.classes[int(likeliest[row])])
            if detection_id in audited or (queued is not None and queued.novel):
                word = None  # people must see these crops without a suggestion
            found[detection_id] = _Suggestion(
                score=_queue_score(queued, QUEUE_END + float(margins[row])),
                word=word,
                probability=float(probabilities[row, likeliest[row]]),
            )
        return found

    def _head(self, current: ModelRecord) -> LinearHead:
        head = self._heads.get(current.version)
        if head is None:
            head = version_files.load_head(self._workspace.data_dir, current)
            while len(self._heads) >= MAX_HEADS:
                self._heads.pop(next(iter(self._heads)), None)
            self._heads[current.version] = head
        return head


@dataclass(frozen=True, kw_only=True)
class _Suggestion:
    """What a version says of one crop."""

    score: float  # the place in the queue
    word: str | None = None  # the choice that it suggests
    probability: float = 0.0  # of that

    def result(self, record: TaskRecord, task: Task, least: float) -> list[dict[str, Any]]:
        """The result of a prediction for a task that asks about the crop alone."""
        if self.word is None or record.purpose in UNBIASED:
            return []
        data = _field(task, "data")
        if not isinstance(_field(data, "single"), list):  # the screen of earlier releases
            return choice_result(self.word, self.probability)
        if self.probability < least or self.word not in suggestible(data):
            return []
        return suggestion_result(record.kind, self.word, self.probability)


def _as_asked(record: TaskRecord, task: Task, offered: Mapping[int, str]) -> list[dict[str, Any]]:
    """The result of a prediction for a task that somebody asked for: what it suggests, it suggested then."""
    details, data = record.details or {}, _field(task, "data")
    word = offered.get(details.get("suggested", -1))
    if word is None or record.purpose in UNBIASED or word not in suggestible(data):
        return []
    return suggestion_result(record.kind, word, details.get("probability"))


def _is_single(record: TaskRecord) -> bool:
    return record.kind is TaskKind.SINGLE


def _score(record: TaskRecord) -> float:
    return LAST_SCORE if record.score is None else record.score


def _stored_tasks(
    conn: sa.Connection, project_id: int, project_tasks: Sequence[Task]
) -> list[TaskRecord | None]:
    """What each task asks, by its id or by its own data; None if it shows no detection of the store."""
    stored = tasks.get(conn, project_id, _task_ids(project_tasks))
    claims = [
        claimed(project_id, task) if isinstance(task, Mapping) and task.get("id") not in stored else None
        for task in project_tasks
    ]
    named = {crop for claim in claims if claim is not None for crop in claim.detections}
    existing = detections.get(conn, sorted(named)) if named else {}
    return [
        stored.get(_field(task, "id"))
        or (claim if claim is not None and existing.keys() >= set(claim.detections) else None)
        for task, claim in zip(project_tasks, claims, strict=True)
    ]


def _task_ids(project_tasks: Sequence[Task]) -> list[int]:
    return [number for task in project_tasks if isinstance(number := _field(task, "id"), int)]


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _queue_score(queued: PredictionRecord | None, otherwise: float) -> float:
    """The score of a queued detection, else `otherwise`."""
    return otherwise if queued is None else queued.score


def _prediction(current: ModelRecord, result: list[dict[str, Any]], score: float) -> Prediction:
    return {"result": result, "score": score, "model_version": current.version}
