"""A simulated annotator: takes the next task from Label Studio's label stream and submits the true label."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from typing import Any

from pipeline.demo.truth import Truth
from pipeline.errors import SourceError
from pipeline.label_studio.config import species_of
from pipeline.label_studio.connection import ApiResponseError, Connection
from pipeline.label_studio.screen import controls
from pipeline.records import UNSURE, category_name
from pipeline.store import detections, images
from pipeline.store.database import Database


class SimulatedAnnotator:
    """Answers each task by the true labels of its crops, or `unsure` for crops without one.

    Raises SourceError if the truth names species that the project does not offer.
    """

    def __init__(self, database: Database, connection: Connection, project_id: int, truth: Truth) -> None:
        self._database = database
        self._connection = connection
        self._project_id = project_id
        self._truth = truth
        self._labelled: set[str] = set()  # crops that got a species or `empty`
        project = connection.get("reading the project", f"api/projects/{project_id}/")
        unknown = sorted(set(truth.names) - set(species_of(project["label_config"])))
        if unknown:
            raise SourceError(
                f"the truth names species that the project does not offer: {', '.join(unknown[:10])}",
                remedy="add them to the species list",
            )

    @property
    def given(self) -> int:
        """How many crops got a label; some are asked about more than once."""
        return len(self._labelled)

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
        truth = self._true_labels(task["data"]["detections"])
        annotation: dict[str, Any] = {"result": _answer(task["data"], truth)}
        if task["predictions"]:
            annotation["parent_prediction"] = task["predictions"][0]["id"]
        annotation["lead_time"] = time.monotonic() - started
        self._connection.send(
            f"labelling task {task['id']}", "POST", f"api/tasks/{task['id']}/annotations", annotation
        )
        struck = _struck(task["data"], truth)
        self._labelled |= {crop for crop, label in truth.items() if label != UNSURE and crop not in struck}
        return True

    def _true_labels(self, detection_ids: Sequence[str]) -> dict[str, str]:
        with self._database.read() as conn:
            records = detections.get(conn, detection_ids)
            photographs = images.get(conn, {record.image_id for record in records.values()})
        return {
            crop: self._truth.label(photographs[record.image_id].file_name, record.box) or UNSURE
            for crop, record in records.items()
        }


def _answer(data: Mapping[str, Any], truth: Mapping[str, str]) -> list[dict[str, Any]]:
    """The `result` of an annotation that says what is true of the crops of a task."""
    if data["single"]:
        [label] = truth.values()
        offered = {each["value"] for each in data["single"][0]["choices"]}
        return _picked(label, offered, controls.SPECIES, controls.ANOTHER, controls.CROP)
    offered = {each["value"] for each in data["group"][0]["choices"]}
    picked = _picked(_wanted(data, truth), offered, controls.ALL, controls.ALL_ANOTHER, controls.ASK)
    struck = _struck(data, truth)
    return [*picked, _choice(controls.STRUCK, controls.ASK, struck)] if struck else picked


def _wanted(data: Mapping[str, Any], truth: Mapping[str, str]) -> str:
    """What the task is said to show: its suggestion if any of its crops does, else what most of them do."""
    counts = Counter(truth.values())
    suggested = category_name(str(data["species"]))
    return suggested if counts[suggested] else counts.most_common(1)[0][0]


def _struck(data: Mapping[str, Any], truth: Mapping[str, str]) -> list[str]:
    """The crops of a group that show something else than most of it."""
    if not data["group"]:
        return []
    wanted = _wanted(data, truth)
    return [crop for crop, label in truth.items() if label != wanted]


def _picked(label: str, offered: Set[str], control: str, another: str, to: str) -> list[dict[str, Any]]:
    """The choice of a species that the screen offers, or else from the list of the project."""
    word = next((word for word in offered if category_name(word) == label), None)
    if word is not None:
        return [_choice(control, to, [word])]
    return [_choice(control, to, [controls.ANOTHER_SPECIES]), _choice(another, to, [label])]


def _choice(control: str, to: str, chosen: Sequence[str]) -> dict[str, Any]:
    return {"from_name": control, "to_name": to, "type": "choices", "value": {"choices": list(chosen)}}
