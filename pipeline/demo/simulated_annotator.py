"""Plays an annotator: asks Label Studio for the next task as its label stream does, and answers."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from pipeline.demo.truth import Truth
from pipeline.errors import SourceError
from pipeline.label_studio.config import species_of
from pipeline.label_studio.connection import ApiResponseError, Connection
from pipeline.label_studio.results import choice_result
from pipeline.records import UNSURE
from pipeline.store import detections, images
from pipeline.store.database import Database


class SimulatedAnnotator:
    """Someone who always knows the truth, where there is one, and else is unsure.

    Raises SourceError where the truth names species that the project does not offer.
    """

    def __init__(self, database: Database, connection: Connection, project_id: int, truth: Truth) -> None:
        self._database = database
        self._connection = connection
        self._project_id = project_id
        self._truth = truth
        self.given = 0  # labels: answers that name a species, or say that nothing is there
        project = connection.get("reading the project", f"api/projects/{project_id}/")
        unknown = sorted(set(truth.names) - set(species_of(project["label_config"])))
        if unknown:
            raise SourceError(
                f"the truth names species that the project does not offer: {', '.join(unknown[:10])}",
                remedy="add them to the species list",
            )

    def next_task(self) -> Mapping[str, Any] | None:
        """The task that Label Studio would show now; None where it has no more."""
        try:
            task: Mapping[str, Any] = self._connection.get(
                "asking for the next task", f"api/projects/{self._project_id}/next"
            )
        except ApiResponseError as refusal:
            if refusal.status == 404:
                return None
            raise
        return task

    def label_next(self) -> bool:
        """Label the next task; False where there is none."""
        asked = time.monotonic()
        task = self.next_task()
        if task is None:
            return False
        choice = self._answer(task)
        answer: dict[str, Any] = {"result": choice_result(choice, None)}
        if task["predictions"]:
            answer["parent_prediction"] = task["predictions"][0]["id"]
        answer["lead_time"] = time.monotonic() - asked
        self._connection.send(
            f"labelling task {task['id']}", "POST", f"api/tasks/{task['id']}/annotations", answer
        )
        self.given += choice != UNSURE
        return True

    def _answer(self, task: Mapping[str, Any]) -> str:
        detection_id = task["data"]["detection_id"]
        with self._database.read() as conn:
            detection = detections.get(conn, [detection_id])[detection_id]
            image = images.get(conn, [detection.image_id])[detection.image_id]
        return self._truth.label(image.file_name, detection.box) or UNSURE
