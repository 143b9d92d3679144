"""A simulated annotator: takes the next task from Label Studio's label stream and submits the true label."""

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
    """Submits the true label of each task, or `unsure` for crops without one.

    Raises SourceError if the truth names species that the project does not offer.
    """

    def __init__(self, database: Database, connection: Connection, project_id: int, truth: Truth) -> None:
        self._database = database
        self._connection = connection
        self._project_id = project_id
        self._truth = truth
        self.given = 0  # labels submitted: species or `empty`, not `unsure`
        project = connection.get("reading the project", f"api/projects/{project_id}/")
        unknown = sorted(set(truth.names) - set(species_of(project["label_config"])))
        if unknown:
            raise SourceError(
                f"the truth names species that the project does not offer: {', '.join(unknown[:10])}",
                remedy="add them to the species list",
            )

    def next_task(self) -> Mapping[str, Any] | None:
        """The task that Label Studio would show now; None if there is none."""
        try:
            task: Mapping[str, Any] = self._connection.get(
                "reading the next task", f"api/projects/{self._project_id}/next"
            )
        except ApiResponseError as refusal:
            if refusal.status == 404:
                return None
            raise
        return task

    def label_next(self) -> bool:
        """Label the next task; False if there is none."""
        started = time.monotonic()
        task = self.next_task()
        if task is None:
            return False
        choice = self._true_label(task)
        annotation: dict[str, Any] = {"result": choice_result(choice, None)}
        if task["predictions"]:
            annotation["parent_prediction"] = task["predictions"][0]["id"]
        annotation["lead_time"] = time.monotonic() - started
        self._connection.send(
            f"labelling task {task['id']}", "POST", f"api/tasks/{task['id']}/annotations", annotation
        )
        self.given += choice != UNSURE
        return True

    def _true_label(self, task: Mapping[str, Any]) -> str:
        detection_id = task["data"]["detection_id"]
        with self._database.read() as conn:
            detection = detections.get(conn, [detection_id])[detection_id]
            image = images.get(conn, [detection.image_id])[detection.image_id]
        return self._truth.label(image.file_name, detection.box) or UNSURE
