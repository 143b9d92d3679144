"""Answers of the current version for whatever task Label Studio asks about, in milliseconds.

Two numbers: `result[].score` is the calibrated probability, `score` the place in the queue, lowest
first. What the version has in its queue keeps the score that was pushed; everything else comes behind.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from backend.external_tasks import ExternalTasks
from backend.payloads import project_number
from pipeline import registry
from pipeline.acquisition.measures import margin
from pipeline.heads import LinearHead
from pipeline.label_studio.results import choice_result
from pipeline.records import ModelRecord, PredictionRecord
from pipeline.store import (
    audits,
    categories,
    detections,
    embeddings,
    models,
    predictions,
    projects,
    reviews,
    tasks,
)
from pipeline.workspace import Workspace

NO_VERSION = "none"
BEHIND = 1.0  # pushed scores end here; what was not pushed follows, by its margin
LAST = 2.0  # behind every margin
PATIENCE = 60.0  # seconds for photographs never seen, in one request: Label Studio gives up after 100
HEADS = 8  # kept in memory, for as many projects

Task = Mapping[str, Any]
Prediction = dict[str, Any]

# Of no version, so that Label Studio asks again: the photograph may be in reach by then.
UNANSWERED: Prediction = {"result": [], "score": LAST, "model_version": NO_VERSION}


class Predictor:
    """Predictions from the store. Heads are kept by version: a version never changes."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._newcomers = ExternalTasks(workspace)
        self._heads: dict[str, LinearHead] = {}

    def version(self, project_id: int | None) -> str:
        """The name of the project's current version; "none" before the first."""
        if project_id is None:
            return NO_VERSION
        with self._workspace.database.read() as conn:
            current = models.current(conn, project_id)
        return current.version if current else NO_VERSION

    def versions(self, project_id: int | None) -> list[str]:
        """Every version of the project, newest first; of every project where none is named."""
        with self._workspace.database.read() as conn:
            asked = [project.id for project in projects.all(conn)] if project_id is None else [project_id]
            return [one.version for each in asked for one in reversed(models.all(conn, each))]

    def answer(self, asked: Sequence[Task], project_id: int | None = None) -> list[Prediction]:
        """One prediction for each task, in their order. Raises WildloopError where a head is damaged.

        A task names its project itself; `project_id` stands in where it does not.
        """
        places: dict[int | None, list[int]] = defaultdict(list)
        for place, task in enumerate(asked):
            own = project_number(task.get("project")) if isinstance(task, Mapping) else None
            places[own if own is not None else project_id].append(place)
        answers = [dict(UNANSWERED) for _ in asked]
        for number, at in places.items():
            if number is not None:
                found = self._of_project(number, [asked[place] for place in at])
                for place, prediction in zip(at, found, strict=True):
                    answers[place] = prediction
        return answers

    def _of_project(self, project_id: int, asked: Sequence[Task]) -> list[Prediction]:
        with self._workspace.database.read() as conn:
            shows = _shows(conn, project_id, asked)
            numbers = [number for task in asked if isinstance(number := _field(task, "id"), int)]
            asked_again = reviews.by_task(conn, project_id, numbers)
        if None in shows:
            deadline = time.monotonic() + PATIENCE
            shows = [
                known or self._newcomers.ingest(project_id, task, deadline)
                for known, task in zip(shows, asked, strict=True)
            ]
        wanted = sorted({detection for detection in shows if detection is not None})
        with self._workspace.database.read() as conn:
            current = models.current(conn, project_id)
            if current is None:
                return [dict(UNANSWERED) for _ in asked]
            queue = predictions.by_detection(conn, current.version, wanted)
            if current.path is None:
                found = {one: _placed(current, [], queue.get(one), LAST) for one in wanted}
            else:
                found = self._scored(conn, current, wanted, queue)
        answers = [found.get(one, dict(UNANSWERED)) if one else dict(UNANSWERED) for one in shows]
        for place, task in enumerate(asked):
            review = asked_again.get(number) if isinstance(number := _field(task, "id"), int) else None
            if review is not None:  # the second look is a fresh one: no answer, before the queue
                answers[place] = {"result": [], "score": review.score, "model_version": current.version}
        return answers

    def _scored(
        self,
        conn: sa.Connection,
        current: ModelRecord,
        wanted: Sequence[str],
        queue: Mapping[str, PredictionRecord],
    ) -> dict[str, Prediction]:
        vectors = embeddings.vectors(conn, current.embedder, wanted)
        if not vectors:
            return {}
        names = categories.names(conn)
        audited = audits.drawn_among(conn, current.project_id, wanted)
        head = self._head(current)
        probabilities = head.probabilities(np.stack(list(vectors.values())))
        likeliest, margins = probabilities.argmax(axis=1), margin(probabilities)
        found = {}
        for row, detection in enumerate(vectors):
            queued = queue.get(detection)
            category = names[head.classes[int(likeliest[row])]]
            result = choice_result(category, float(probabilities[row, likeliest[row]]))
            if detection in audited or (queued is not None and queued.novel):
                result = []  # people shall look at it without being told
            found[detection] = _placed(current, result, queued, BEHIND + float(margins[row]))
        return found

    def _head(self, current: ModelRecord) -> LinearHead:
        head = self._heads.get(current.version)
        if head is None:
            head = registry.load_head(self._workspace.data_dir, current)
            while len(self._heads) >= HEADS:
                self._heads.pop(next(iter(self._heads)), None)
            self._heads[current.version] = head
        return head


def _shows(conn: sa.Connection, project_id: int, asked: Sequence[Task]) -> list[str | None]:
    """The detection that each task shows, by its number or by what its data claims."""
    numbers = [number for task in asked if isinstance(number := _field(task, "id"), int)]
    published = tasks.by_task(conn, project_id, numbers)
    claims = [_field(_field(task, "data"), "detection_id") for task in asked]
    unsettled = {claim for claim in claims if isinstance(claim, str)} - set(published.values())
    ours = detections.get(conn, sorted(unsettled)) if unsettled else {}
    return [
        published.get(_field(task, "id")) or (claim if isinstance(claim, str) and claim in ours else None)
        for task, claim in zip(asked, claims, strict=True)
    ]


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def _placed(
    current: ModelRecord, result: list[dict[str, Any]], queued: PredictionRecord | None, behind: float
) -> Prediction:
    score = behind if queued is None else queued.score
    return {"result": result, "score": score, "model_version": current.version}
