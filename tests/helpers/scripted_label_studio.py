"""A Label Studio of a few lists: it re-uses ids, forgets unique ids in lists, and can lose its webhooks."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

Json = dict[str, Any]
START = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


class ScriptedLabelStudio:
    """What `pipeline.steps.labelling.sync` asks of Label Studio, and what annotators do to it.

    `tell` receives each webhook's payload; None loses it. `during` is called while tasks are listed.
    """

    def __init__(self, project_id: int, tasks: dict[int, str]) -> None:
        self.project_id = project_id
        self.tasks: dict[int, Json] = {
            number: {
                "id": number,
                "data": {"detection_id": detection, "crop": f"/data/{detection}.jpg"},
                "updated_at": START,
                "annotations": [],
                "touched": False,
            }
            for number, detection in tasks.items()
        }
        self.now = START
        self.tell: Callable[[Json], Any] | None = None
        self.during: Callable[[], None] | None = None
        self.exported: list[int] = []  # every task that an export was asked of

    # --- what annotators do

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
        """A new annotation; None as choice with `skip`. The id is the lowest free one, as on SQLite."""
        used = {one["id"] for other in self.tasks.values() for one in other["annotations"]}
        number = max(used, default=0) + 1
        moment = self._tick()
        annotation = {
            "id": number,
            "unique_id": str(uuid.uuid4()),
            "task": task,
            "result": self.result(choice),
            "was_cancelled": skip,
            "ground_truth": truth,
            "lead_time": 1.5,
            "completed_by": by,
            "created_at": moment,
            "updated_at": moment,
            "prediction": {"model_version": "v1", "result": self.result(shown)} if shown else {},
        }
        self.tasks[task]["annotations"].append(annotation)
        self._touch(task)
        self._send(
            "ANNOTATION_CREATED", annotation=self._json(annotation), task=self._task(task, whole=False)
        )
        return number

    def change(self, annotation_id: int, choice: str) -> None:
        annotation = self._find(annotation_id)
        annotation.update(result=self.result(choice), was_cancelled=False, updated_at=self._tick())
        self._touch(annotation["task"])
        told = self._task(annotation["task"], whole=False)
        self._send("ANNOTATION_UPDATED", annotation=self._json(annotation), task=told)

    def delete(self, annotation_id: int) -> None:
        annotation = self._find(annotation_id)
        self.tasks[annotation["task"]]["annotations"].remove(annotation)
        self._tick()
        self._touch(annotation["task"])
        self._send("ANNOTATIONS_DELETED", annotations=[{"id": annotation_id}])

    def delete_task(self, task: int) -> None:
        del self.tasks[task]
        self._send("TASKS_DELETED", tasks=[{"id": task}])

    # --- what reconciliation asks

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterator[Json]:
        changed = [
            number
            for number, task in sorted(self.tasks.items())
            if task["touched"] and (moment is None or task["updated_at"] > moment)
        ]
        listed = [self._task(number, unique_ids=False) for number in changed]
        if self.during:
            during, self.during = self.during, None
            during()
        yield from listed

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterable[Json]:
        self.exported += task_ids
        return [self._task(number) for number in task_ids if number in self.tasks]

    def task_count(self, project_id: int) -> int:
        return len(self.tasks)

    def task_ids(self, project_id: int) -> list[int]:
        return sorted(self.tasks)

    # --- how it tells

    def labels(self) -> dict[str, list[str]]:
        """What each detection is called here, annotation by annotation."""
        return {
            task["data"]["detection_id"]: [
                one["result"][0]["value"]["choices"][0] for one in task["annotations"] if one["result"]
            ]
            for task in self.tasks.values()
            if any(one["result"] for one in task["annotations"])
        }

    @staticmethod
    def result(choice: str | None) -> list[Json]:
        value = {"choices": [choice]}
        made = {"from_name": "species", "to_name": "crop", "type": "choices", "value": value}
        return [made] if choice else []

    def _task(self, number: int, *, whole: bool = True, unique_ids: bool = True) -> Json:
        task = self.tasks[number]
        told = {key: task[key] for key in ("id", "data")} | {"updated_at": _text(task["updated_at"])}
        if whole:
            told["annotations"] = [self._json(one) for one in task["annotations"]]
            if not unique_ids:
                for one in told["annotations"]:
                    del one["unique_id"], one["prediction"]
        return told

    @staticmethod
    def _json(annotation: Json) -> Json:
        times = {key: _text(annotation[key]) for key in ("created_at", "updated_at")}
        return {**annotation, **times}

    def _find(self, annotation_id: int) -> Json:
        found: Json
        [found] = [
            one for task in self.tasks.values() for one in task["annotations"] if one["id"] == annotation_id
        ]
        return found

    def _tick(self) -> dt.datetime:
        self.now += dt.timedelta(seconds=100)
        return self.now

    def _touch(self, task: int) -> None:
        self.tasks[task].update(updated_at=self.now + dt.timedelta(milliseconds=30), touched=True)

    def _send(self, action: str, **payload: Any) -> None:
        if self.tell:
            self.tell({"action": action, **payload, "project": {"id": self.project_id}})


def _text(moment: dt.datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
