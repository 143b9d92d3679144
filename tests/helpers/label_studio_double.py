"""A Label Studio in memory: the client's methods, over dicts, with the server's rules that matter here."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import LabelStudioError
from pipeline.label_studio.config import render
from pipeline.label_studio.connection import ApiResponseError


class LabelStudioDouble:
    """One project. Times rise by a second with each import of predictions, unless `clock` is set."""

    url = "http://label-studio.example"

    def __init__(self, project_id: int = 7, species: Sequence[str] = ("deer", "fox")) -> None:
        self.fields: dict[str, Any] = {
            "id": project_id,
            "title": "Park",
            "label_config": render(species),
            "sampling": "Uncertainty sampling",
            "show_collab_predictions": True,
            "model_version": "",
        }
        self.data: dict[int, dict[str, Any]] = {}
        self.predictions: list[dict[str, Any]] = []
        self.imports: list[int] = []  # how many tasks each call brought
        self.storages: list[dict[str, Any]] = []
        self.hooks: list[dict[str, Any]] = []
        self.connected: list[dict[str, Any]] = []
        self.served: dict[str, bytes] = {}
        self.refusals: dict[str, str] = {}  # by address
        self.uses_legacy_token = True
        self.clock = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
        self._numbers = itertools.count(101)

    def version(self) -> str:
        return "1.23.2"

    def whoami(self) -> dict[str, Any]:
        return {"email": "ann@example.org"}

    def content(self, path: str) -> bytes:
        if path not in self.served:
            raise ApiResponseError(f"fetching {path}", status=404, detail="")
        return self.served[path]

    def project(self, project_id: int) -> dict[str, Any]:
        if project_id != self.fields["id"]:
            raise ApiResponseError(f"reading project {project_id}", status=404, detail="No Project matches")
        return {**self.fields, "task_number": len(self.data)}

    def update_project(self, project_id: int, **fields: Any) -> dict[str, Any]:
        version = fields.get("model_version")
        if version and version not in self.prediction_versions(project_id):
            raise ApiResponseError("changing model_version", status=400, detail="Model version doesn't exist")
        self.fields.update(fields)
        return self.fields

    def task_count(self, project_id: int) -> int:
        return len(self.data)

    def tasks(self, project_id: int) -> Iterator[dict[str, Any]]:
        for number, data in sorted(self.data.items()):
            yield {"id": number, "data": data}

    def import_tasks(self, project_id: int, data: Sequence[Mapping[str, Any]]) -> list[int]:
        self.imports.append(len(data))
        numbers = [next(self._numbers) for _ in data]
        self.data.update(zip(numbers, map(dict, data), strict=True))
        return numbers

    def existing_tasks(self, project_id: int, task_ids: Iterable[int]) -> set[int]:
        return set(task_ids) & self.data.keys()

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        unknown = {each["task"] for each in predictions} - self.data.keys()
        if unknown:
            raise LabelStudioError(f"task ID {unknown} not found in project")
        self.clock += dt.timedelta(seconds=1)
        self.predictions += [{**each, "created_at": self.clock} for each in predictions]
        return len(predictions)

    def prediction_versions(self, project_id: int) -> dict[str, dt.datetime]:
        newest: dict[str, dt.datetime] = {}
        for each in self.predictions:
            newest[each["model_version"]] = max(
                each["created_at"], newest.get(each["model_version"], each["created_at"])
            )
        return newest

    def delete_version(self, project_id: int, version: str) -> int:
        before = len(self.predictions)
        self.predictions = [each for each in self.predictions if each["model_version"] != version]
        if self.fields["model_version"] == version:
            self.fields["model_version"] = None
        return before - len(self.predictions)

    def local_storages(self, project_id: int) -> list[dict[str, Any]]:
        return self.storages

    def backends(self, project_id: int) -> list[dict[str, Any]]:
        return self.connected

    def webhooks(self, project_id: int) -> list[dict[str, Any]]:
        return self.hooks

    def refusal_of(self, what: str, path: str, body: Any) -> str:
        return self.refusals.get(path, "")

    def queue(self) -> list[tuple[str, float]]:
        """What the label stream would serve: detection and score, of the chosen version, lowest first."""
        chosen = [each for each in self.predictions if each["model_version"] == self.fields["model_version"]]
        return sorted(
            ((self.data[each["task"]]["detection_id"], each["score"]) for each in chosen),
            key=lambda one: one[1],
        )
