"""A Label Studio in memory: the client's methods over dicts, and what annotators do."""

from __future__ import annotations

import datetime as dt
import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import LabelStudioError
from pipeline.label_studio.client import LabelStudio, ProjectDeletedError
from pipeline.label_studio.config import render
from pipeline.label_studio.connection import ApiResponseError

Json = dict[str, Any]
START = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


class FakeLabelStudio(LabelStudio):
    """One project, with the server's rules that matter here.

    Ids of annotations are used again, the listing of tasks leaves out their unique ids, a model version
    without predictions is refused. Time passes with each annotation and each import of predictions.
    """

    uses_legacy_token = True

    def __init__(
        self, project_id: int = 7, tasks: Mapping[int, str] | None = None, *, species: Sequence[str] = ()
    ) -> None:
        """`tasks`: the detection that each shows. There is no connection that a method could use."""
        self.url = "http://label-studio.example"
        self.fields: Json = {
            "id": project_id,
            "title": "Park",
            "label_config": render(species or ("deer", "fox")),
            "sampling": "Uncertainty sampling",
            "show_collab_predictions": True,
            "model_version": "",
            "expert_instruction": "",
            "show_instruction": False,
        }
        self.rows: dict[int, Json] = {}  # every task with its annotations, by id
        for number, detection in (tasks or {}).items():
            self.add_task(number, {"detection_id": detection, "crop": f"/data/{detection}.jpg"})
        self.predictions: list[Json] = []
        self.imports: list[int] = []  # number of tasks in each call
        self.deleted: list[int] = []  # every task that the client deleted
        self.drafts: set[int] = set()  # tasks in which somebody has begun an annotation
        self.locks: dict[int, int] = {}  # who got each task from the label stream
        self.exported: list[int] = []  # every task whose export was requested
        self.storages: list[Json] = []
        self.hooks: list[Json] = []
        self.connected: list[Json] = []
        self.views: list[Json] = []  # the tabs of the Data Manager
        self.served: dict[str, bytes] = {}
        self.path = ""  # below which browsers reach it
        self.refusals: dict[str, str] = {}  # by address
        self.clock = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)  # of imports
        self.now = START  # of annotations
        self.webhook: Callable[[Json], Any] | None = None  # receives each event; without it they are lost
        self.while_listing: Callable[[], None] | None = None  # happens once, while tasks are listed
        self._numbers = itertools.count(max([100, *self.rows]) + 1)

    # --- what tests look at

    @property
    def data(self) -> dict[int, Json]:
        """The data of each task."""
        return {number: row["data"] for number, row in self.rows.items()}

    @property
    def model_version(self) -> str:
        """The version whose predictions the project shows."""
        version: str = self.fields["model_version"]
        return version

    def queue(self) -> list[tuple[str, float]]:
        """What the label stream serves: detection and score, of the chosen version, lowest first."""
        chosen = [each for each in self.predictions if each["model_version"] == self.model_version]
        queue = [
            (self.shows(each["task"]), each["score"])
            for each in chosen
            if not self.rows[each["task"]]["is_labeled"]
        ]
        return sorted(queue, key=lambda place: place[1])

    def asked(self) -> set[str]:
        """The detections that the queue of the chosen version asks about."""
        tasks = {each["task"] for each in self.predictions if each["model_version"] == self.model_version}
        rows = [self.rows[task] for task in tasks if not self.rows[task]["is_labeled"]]
        return {crop for row in rows for crop in row["data"].get("detections") or ()}

    def shows(self, task: int) -> str:
        """The first detection of a task."""
        data = self.rows[task]["data"]
        return str(data["detections"][0] if "detections" in data else data["detection_id"])

    def next_task(self, by: int = 1) -> int | None:
        """What the "All" label stream serves this person; None: "No More Tasks Left in Queue"."""
        free = [
            number
            for number, row in sorted(self.rows.items())
            if not row["is_labeled"]
            and self.locks.get(number, by) == by
            and by not in {each["completed_by"] for each in row["annotations"]}
        ]
        mine = [number for number in free if number in self.locks]
        scores = {
            each["task"]: each["score"]
            for each in self.predictions
            if each["model_version"] == self.model_version and each["task"] in free
        }
        found = (mine or sorted(scores, key=lambda number: scores[number]) or free)[:1]
        self.locks.update(dict.fromkeys(found, by))
        return found[0] if found else None

    def labels(self) -> dict[str, list[str]]:
        """The label of each annotation, by detection."""
        return {
            self.shows(row["id"]): [
                annotation["result"][0]["value"]["choices"][0]
                for annotation in row["annotations"]
                if annotation["result"]
            ]
            for row in self.rows.values()
            if any(annotation["result"] for annotation in row["annotations"])
        }

    # --- what people do

    def add_task(self, number: int, data: Json) -> None:
        """Create a task."""
        row = {
            "id": number,
            "data": data,
            "updated_at": START,
            "annotations": [],
            "touched": False,
            "is_labeled": False,
        }
        self.rows[number] = row

    def annotate(
        self,
        task: int,
        choice: str | None,
        *,
        by: int = 1,
        skip: bool = False,
        truth: bool = False,
        shown: str | None = None,
    ) -> int:
        """Annotate a task; None as choice with `skip`. The id is the lowest free one, as on SQLite."""
        prediction = {"model_version": "v1", "result": self.result(shown)} if shown else {}
        return self.submit(task, self.result(choice), by=by, skip=skip, truth=truth, prediction=prediction)

    def submit(
        self,
        task: int,
        result: list[Json],
        *,
        by: int = 1,
        skip: bool = False,
        truth: bool = False,
        prediction: Json | None = None,
    ) -> int:
        """Annotate a task with this `result`.

        Raises KeyError for a task that is deleted: Label Studio refuses the annotation.
        """
        self.rows[task]
        self.locks.pop(task, None)
        annotation = self._annotation(task, result, by, skip=skip, truth=truth, prediction=prediction)
        self.rows[task]["annotations"].append(annotation)
        self._count(task)
        self.touch(task)
        self._send("ANNOTATION_CREATED", annotation=_json(annotation), task=self._task(task, whole=False))
        return int(annotation["id"])

    def _annotation(
        self,
        task: int,
        result: list[Json],
        by: int,
        *,
        skip: bool = False,
        truth: bool = False,
        prediction: Json | None = None,
    ) -> Json:
        used = {each["id"] for row in self.rows.values() for each in row["annotations"]}
        moment = self._tick()
        return {
            "id": max(used, default=0) + 1,
            "unique_id": str(uuid.uuid4()),
            "task": task,
            "result": result,
            "was_cancelled": skip,
            "ground_truth": truth,
            "lead_time": 1.5,
            "completed_by": by,
            "created_at": moment,
            "updated_at": moment,
            "prediction": prediction or {},
        }

    def change(self, annotation_id: int, choice: str) -> None:
        """Give an annotation another label."""
        self.update(annotation_id, self.result(choice))

    def update(self, annotation_id: int, result: list[Json]) -> None:
        """Give an annotation another `result`, as its author can."""
        annotation = self.annotation(annotation_id)
        annotation.update(result=result, was_cancelled=False, updated_at=self._tick())
        self.touch(annotation["task"])
        task = self._task(annotation["task"], whole=False)
        self._send("ANNOTATION_UPDATED", annotation=_json(annotation), task=task)

    def delete(self, annotation_id: int) -> None:
        """Delete an annotation."""
        annotation = self.annotation(annotation_id)
        self.rows[annotation["task"]]["annotations"].remove(annotation)
        self._tick()
        self._count(annotation["task"])
        self.touch(annotation["task"])
        self._send("ANNOTATIONS_DELETED", annotations=[{"id": annotation_id}])

    def delete_task(self, task: int) -> None:
        """Delete a task with its annotations and predictions."""
        del self.rows[task]
        self.predictions = [each for each in self.predictions if each["task"] != task]
        self._send("TASKS_DELETED", tasks=[{"id": task}])

    def annotation(self, annotation_id: int) -> Json:
        """The annotation of this id."""
        found: Json
        [found] = [
            each for row in self.rows.values() for each in row["annotations"] if each["id"] == annotation_id
        ]
        return found

    def _count(self, task: int) -> None:
        """Label Studio counts annotations anew after each: a skip leaves the task to others."""
        row = self.rows[task]
        row["is_labeled"] = any(not each["was_cancelled"] for each in row["annotations"])

    def touch(self, task: int) -> None:
        """Move a task's `updated_at`, as every change of its annotations does."""
        self.rows[task].update(updated_at=self.now + dt.timedelta(milliseconds=30), touched=True)

    @staticmethod
    def result(choice: str | None) -> list[Json]:
        """The `result` of an annotation or prediction of this label."""
        value = {"choices": [choice]}
        region = {"from_name": "species", "to_name": "crop", "type": "choices", "value": value}
        return [region] if choice else []

    # --- the client's methods

    def delete_annotation(self, annotation_id: int) -> None:
        if annotation_id in {each["id"] for row in self.rows.values() for each in row["annotations"]}:
            self.delete(annotation_id)

    def annotators(self) -> dict[str, str]:
        return {"1": "ann@example.org", "2": "bob@example.org"}

    def version(self) -> str:
        return "1.23.2"

    def whoami(self) -> Json:
        return {"email": "ann@example.org"}

    def user_names(self) -> dict[str, str]:
        return {"1": "ann@example.org", "2": "bea@example.org"}

    def browser_path(self) -> str:
        return self.path

    def content(self, path: str, *, limit: int = 0) -> bytes:
        if path not in self.served:
            raise ApiResponseError(f"fetching {path}", status=404, detail="")
        return self.served[path]

    def project(self, project_id: int) -> Json:
        if project_id != self.fields["id"]:
            raise ProjectDeletedError(project_id)
        return {**self.fields, "task_number": len(self.rows)}

    def update_project(self, project_id: int, **fields: Any) -> Json:
        version = fields.get("model_version")
        if version and version not in self.prediction_versions(project_id):
            raise ApiResponseError("changing model_version", status=400, detail="Model version doesn't exist")
        self.fields.update(fields)
        return self.fields

    def used_choices(self, project_id: int, controls: Iterable[str]) -> dict[str, int]:
        wanted = set(controls)
        chosen = (item for item in self._results() if item["from_name"] in wanted)
        return dict(Counter(choice for item in chosen for choice in item["value"].get("choices", ())))

    def used_controls(self, project_id: int) -> dict[str, int]:
        return dict(Counter(item["from_name"] for item in self._results()))

    def _results(self) -> Iterator[Json]:
        for row in self.rows.values():
            for annotation in row["annotations"]:
                yield from () if annotation["was_cancelled"] else annotation["result"]

    def task(self, task_id: int) -> Json:
        return self._task(task_id)

    def task_ids(self, project_id: int) -> list[int]:
        return sorted(self.rows)

    def tasks(self, project_id: int, query: Mapping[str, Any] | None = None) -> Iterator[Json]:
        for number, data in sorted(self.data.items()):
            yield {"id": number, "data": data}

    def some_tasks(self, project_id: int, task_ids: Iterable[int]) -> Iterator[Json]:
        for number in sorted(set(task_ids) & self.rows.keys()):
            annotations = self.rows[number]["annotations"]
            skips = sum(each["was_cancelled"] for each in annotations)
            yield {
                "id": number,
                "data": self.rows[number]["data"],
                "total_annotations": len(annotations) - skips,
                "cancelled_annotations": skips,
            }

    def tasks_in_stream(self, project_id: int) -> set[int]:
        return {number for number, row in self.rows.items() if not row["is_labeled"]}

    def tasks_with_drafts(self, project_id: int) -> set[int]:
        return self.drafts & self.rows.keys()

    def park_task(self, task_id: int) -> bool:
        if task_id in self.rows:
            self.rows[task_id]["is_labeled"] = True
        return task_id in self.rows

    def unpark_task(self, task_id: int) -> bool:
        if task_id in self.rows:
            self.rows[task_id]["is_labeled"] = False
        return task_id in self.rows

    def delete_tasks(self, project_id: int, task_ids: Iterable[int]) -> None:
        for number in sorted(task_ids):
            self.deleted.append(number)
            self.delete_task(number)

    def import_tasks(
        self,
        project_id: int,
        data: Sequence[Mapping[str, Any]],
        predictions: Sequence[Mapping[str, Any]] | None = None,
        skipped_by: Sequence[int | None] | None = None,
    ) -> list[int]:
        self.imports.append(len(data))
        numbers = [next(self._numbers) for _ in data]
        for number, entry in zip(numbers, data, strict=True):
            self.add_task(number, dict(entry))
        for number, user in zip(numbers, skipped_by or (), strict=skipped_by is not None):
            if user is not None:  # imported skips are counted as answers, and no webhook tells of them
                self.rows[number]["annotations"].append(self._annotation(number, [], user, skip=True))
                self.rows[number]["is_labeled"] = True
        if predictions:
            rows = [{"task": task, **each} for task, each in zip(numbers, predictions, strict=True)]
            self.import_predictions(project_id, rows)
        return numbers

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterator[Json]:
        changed = [
            number
            for number, row in sorted(self.rows.items())
            if row["touched"] and (moment is None or row["updated_at"] > moment)
        ]
        listed = [self._task(number, unique_ids=False) for number in changed]
        if self.while_listing:
            happens, self.while_listing = self.while_listing, None
            happens()
        yield from listed

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterator[Json]:
        self.exported += task_ids
        return iter([self._task(number) for number in task_ids if number in self.rows])

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        unknown = {each["task"] for each in predictions} - self.rows.keys()
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

    def local_storages(self, project_id: int) -> list[Json]:
        return self.storages

    def backends(self, project_id: int) -> list[Json]:
        return self.connected

    def webhooks(self, project_id: int) -> list[Json]:
        return self.hooks

    def columns(self, project_id: int) -> list[str]:
        return ["tasks:id", "tasks:completed_at", "tasks:total_annotations", "tasks:data.hash"]

    def tabs(self, project_id: int) -> list[Json]:
        return self.views

    def create_tab(self, project_id: int, data: Mapping[str, Any]) -> Json:
        self.views.append({"id": next(self._numbers), "data": dict(data)})
        return self.views[-1]

    def change_tab(self, project_id: int, tab_id: int, data: Mapping[str, Any]) -> None:
        [tab] = [tab for tab in self.views if tab["id"] == tab_id]
        tab["data"] = dict(data)

    def refusal_of(self, what: str, path: str, body: Any) -> str:
        return self.refusals.get(path, "")

    # --- how it answers

    def _task(self, number: int, *, whole: bool = True, unique_ids: bool = True) -> Json:
        row = self.rows[number]
        task = {"id": row["id"], "data": row["data"], "updated_at": _text(row["updated_at"])}
        if whole:
            task["annotations"] = [_json(each) for each in row["annotations"]]
            if not unique_ids:
                for each in task["annotations"]:
                    del each["unique_id"], each["prediction"]
        return task

    def _tick(self) -> dt.datetime:
        self.now += dt.timedelta(seconds=100)
        return self.now

    def _send(self, action: str, **payload: Any) -> None:
        if self.webhook:
            self.webhook({"action": action, **payload, "project": {"id": self.fields["id"]}})


class EmptyLabelStudio(FakeLabelStudio):
    """Has no project until one is created, which gets the id that a project may have had before."""

    def __init__(self, project_id: int = 7) -> None:
        super().__init__(project_id)
        self.exists = False

    def projects(self, title: str) -> list[Json]:
        return [self.fields] if self.exists and self.fields["title"] == title else []

    def create_project(self, **fields: Any) -> Json:
        self.exists = True
        self.fields.update(fields)
        return self.fields

    def add_local_storage(self, project_id: int, *, path: str, title: str) -> Json:
        self.storages.append({"path": path, "title": title})
        return self.storages[-1]


def _json(annotation: Json) -> Json:
    times = {key: _text(annotation[key]) for key in ("created_at", "updated_at")}
    return {**annotation, **times}


def _text(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
