"""Label Studio's API, as far as Wildloop needs it. Every method raises LabelStudioError.

Answers are plain dicts in Label Studio's own words. SDK methods carry the calls; addresses that the
SDK lacks, or whose paging and bulk it slows down, are asked directly over the same connection.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.label_studio.connection import ApiResponseError, Connection

PAGE_TASKS = 1_000  # a page of the task list without annotations
EXPORT_TASKS = 250  # ids in one address: 4 kB, which the smallest web server in front still takes
BASIC_AUTH = "BASIC_AUTH"

Json = dict[str, Any]


class LabelStudio:
    """A client of one Label Studio. Reads are tried again, writes never."""

    def __init__(self, url: str, api_key: str | None, *, timeout: float = 60.0) -> None:
        self._connection = Connection(url, api_key, timeout=timeout)
        self._sdk = self._connection.sdk
        self.url = self._connection.url

    # --- the server -----------------------------------------------------------------------------

    @property
    def uses_legacy_token(self) -> bool:
        """Whether the token is one of the old kind, which an organization can switch off."""
        return self._connection.uses_legacy_token

    def version(self) -> str:
        """The release, such as `1.23.2`. Needs no valid token."""
        answer: Json = self._connection.get("asking for the version", "api/version", timeout=10.0)
        return str(answer.get("release", "unknown"))

    def whoami(self) -> Json:
        """The account that the token belongs to."""
        answer: Json = self._connection.get("asking whose token this is", "api/current-user/whoami")
        return answer

    def content(self, path: str, *, limit: int = 256 * 1024 * 1024) -> bytes:
        """A file that Label Studio serves, such as the crop of a task, of at most `limit` bytes."""
        return self._connection.content(f"fetching {path}", path.lstrip("/"), limit)

    # --- projects -------------------------------------------------------------------------------

    def projects(self, title: str) -> list[Json]:
        """The projects of exactly this title, oldest first."""
        found: list[Json] = []
        page = 1
        while True:
            answer = self._connection.get(
                "listing the projects", "api/projects", {"title": title, "page": page, "page_size": 100}
            )
            found += answer["results"]
            if answer["next"] is None:
                break
            page += 1
        return sorted((each for each in found if each["title"] == title), key=lambda each: int(each["id"]))

    def project(self, project_id: int) -> Json:
        """One project, with its label config, sampling, model version and task count."""
        answer: Json = self._connection.get(f"reading project {project_id}", f"api/projects/{project_id}/")
        return answer

    def create_project(self, **fields: Any) -> Json:
        """A new project; the fields are Label Studio's."""
        return _plain(self._connection.write("creating the project", self._sdk.projects.create, **fields))

    def update_project(self, project_id: int, **fields: Any) -> Json:
        """Change fields of a project."""
        what = f"changing {', '.join(fields)} of project {project_id}"
        return _plain(self._connection.write(what, self._sdk.projects.update, project_id, **fields))

    def used_choices(self, project_id: int, control: str) -> dict[str, int]:
        """How many annotations chose each value of a control, skipped and deleted ones not counted."""
        answer: Json = self._connection.get(
            f"reading the labels of project {project_id}", f"api/projects/{project_id}/summary"
        )
        counts: dict[str, int] = (answer.get("created_labels") or {}).get(control, {})
        return counts

    # --- tasks ----------------------------------------------------------------------------------

    def import_tasks(self, project_id: int, data: Sequence[Mapping[str, Any]]) -> list[int]:
        """Make a task of each entry, in one call; returns the task ids in the same order."""
        answer: Json = self._connection.send(
            f"importing {len(data)} tasks into project {project_id}",
            "POST",
            f"api/projects/{project_id}/import",
            [{"data": dict(entry)} for entry in data],
            {"return_task_ids": "true"},
        )
        ids: list[int] = answer.get("task_ids", [])
        if len(ids) != len(data):
            raise ApiResponseError(
                f"importing {len(data)} tasks into project {project_id}: Label Studio named {len(ids)} ids",
                status=201,
                detail=str(answer),
                remedy="only the Community edition's answer is interpreted; run the step again",
            )
        return ids

    def task(self, task_id: int) -> Json:
        """One task with its annotations and predictions (annotations lack their `unique_id` here)."""
        answer: Json = self._connection.get(f"reading task {task_id}", f"api/tasks/{task_id}/")
        return answer

    def tasks(self, project_id: int, query: Mapping[str, Any] | None = None) -> Iterator[Json]:
        """The tasks of a project by rising id: `id`, `data`, `updated_at` and counts of annotations.

        `query` is the Data Manager's: filters, selectedItems.
        """
        params = {
            "project": project_id,
            "fields": "task_only",
            "include": "id,data,updated_at,total_annotations,cancelled_annotations",
            "query": json.dumps({**(query or {}), "ordering": ["tasks:id"]}),
            "page_size": PAGE_TASKS,
        }
        page, seen, total, last = 1, 0, 1, 0
        while seen < total:
            answer = self._connection.get(
                f"listing the tasks of project {project_id}", "api/tasks/", {**params, "page": page}
            )
            if answer["total"] < total and page > 1:  # a deletion moved others to pages already read
                page, seen, total = 1, 0, 1
                continue
            new = [task for task in answer["tasks"] if int(task["id"]) > last]
            yield from new
            if not answer["tasks"]:
                return
            last = max(last, int(answer["tasks"][-1]["id"]))
            page, seen, total = page + 1, seen + len(answer["tasks"]), answer["total"]

    def task_ids(self, project_id: int) -> list[int]:
        """The ids of every task of a project, rising."""
        return [int(task["id"]) for task in self.tasks(project_id)]

    def existing_tasks(self, project_id: int, task_ids: Iterable[int]) -> set[int]:
        """Those of `task_ids` that the project still has."""
        found: set[int] = set()
        for ids in _chunks(sorted(task_ids)):
            chosen = {"all": False, "included": ids}
            found.update(int(task["id"]) for task in self.tasks(project_id, {"selectedItems": chosen}))
        return found

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterator[Json]:
        """Tasks that somebody touched later than `moment` (ever, where None), by rising id.

        A task's `updated_at` moves when an annotation of it is made, changed or deleted, and when it is
        imported: a task that has no annotation and no "updated by" was only imported, and is left out.
        Each has `id`, `data`, `updated_at` and whole `annotations`, but for their `unique_id`: that is
        written by no listing of tasks (see `exported_tasks`). Tasks changed while this lists may be missed.
        """
        for ids in _chunks(self._touched(project_id, moment)):
            query = {"selectedItems": {"all": False, "included": ids}, "ordering": ["tasks:id"]}
            answer = self._connection.get(
                f"reading {len(ids)} tasks of project {project_id}",
                "api/tasks/",
                {"project": project_id, "fields": "all", "query": json.dumps(query), "page_size": len(ids)},
            )
            yield from answer["tasks"]

    def _touched(self, project_id: int, moment: dt.datetime | None) -> list[int]:
        """The ids behind `tasks_updated_since`."""
        later: Json = {}
        if moment is not None:
            value = moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # the one form it reads
            later = {"child_filter": _filter("updated_at", "greater", "Datetime", value)}
        touched = [
            _filter("updated_by", "empty", "List", False) | later,
            _filter("total_annotations", "greater", "Number", 0) | later,
            _filter("cancelled_annotations", "greater", "Number", 0) | later,
        ]
        query = {"filters": {"conjunction": "or", "items": touched}}
        return [int(task["id"]) for task in self.tasks(project_id, query)]

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterator[Json]:
        """These tasks with their annotations, whole and with `unique_id`, as far as they still exist.

        Label Studio keeps a copy of every export in its own `export` folder: ask for what is needed.
        """
        for ids in _chunks(task_ids):
            yield from self._connection.get(
                f"exporting annotations of project {project_id}",
                f"api/projects/{project_id}/export",
                {"exportType": "JSON", "download_all_tasks": "true", "ids[]": ids},
            )

    def task_count(self, project_id: int) -> int:
        """How many tasks the project has."""
        return int(self.project(project_id)["task_number"])

    # --- predictions ----------------------------------------------------------------------------

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Add predictions (`task`, `result`, `score`, `model_version`), in one call; returns how many."""
        answer: Json = self._connection.send(
            f"importing {len(predictions)} predictions into project {project_id}",
            "POST",
            f"api/projects/{project_id}/import/predictions",
            [dict(prediction) for prediction in predictions],
        )
        return int(answer["created"])

    def delete_predictions(self, project_id: int, task_ids: Iterable[int]) -> None:
        """Remove every prediction of these tasks, of whatever version."""
        included = sorted(task_ids)
        if included:
            self._connection.send(
                f"removing the predictions of {len(included)} tasks of project {project_id}",
                "POST",
                "api/dm/actions",
                {"selectedItems": {"all": False, "included": included}},
                {"id": "delete_tasks_predictions", "project": project_id},
            )

    def prediction_versions(self, project_id: int) -> dict[str, dt.datetime]:
        """The versions of which the project has predictions, and when the newest of each was stored."""
        answer: Json = self._connection.get(
            f"reading the model versions of project {project_id}",
            f"api/projects/{project_id}/model-versions/",
            {"extended": "true"},
        )
        return {
            str(each["model_version"]): dt.datetime.fromisoformat(each["latest"]) for each in answer["static"]
        }

    def delete_version(self, project_id: int, version: str) -> int:
        """Remove every prediction of one version; returns how many."""
        answer: Json = self._connection.send(
            f"removing the predictions of {version} from project {project_id}",
            "DELETE",
            f"api/projects/{project_id}/model-versions/",
            {"model_version": version},
        )
        return int(answer["deleted_predictions"])

    # --- what is connected to a project ---------------------------------------------------------

    def backends(self, project_id: int) -> list[Json]:
        """The ML backends of a project; asking makes Label Studio check whether each is up."""
        what = f"listing the ML backends of project {project_id}"
        return [_plain(each) for each in self._connection.read(what, self._sdk.ml.list, project=project_id)]

    def connect_backend(
        self,
        project_id: int,
        *,
        url: str,
        title: str,
        user: str,
        password: str,
        backend_id: int | None = None,
    ) -> Json:
        """Connect an ML backend under basic auth, or change the one of that id.

        Label Studio asks its `/health` and `/setup` at once, so it must be up.
        """
        fields = {
            "project": project_id,
            "url": url,
            "title": title,
            "auth_method": BASIC_AUTH,
            "basic_auth_user": user,
            "basic_auth_pass": password,
            "is_interactive": False,
        }
        what = f"connecting the ML backend {url} to project {project_id}"
        if backend_id is None:
            return _plain(self._connection.write(what, self._sdk.ml.create, **fields))
        return _plain(self._connection.write(what, self._sdk.ml.update, backend_id, **fields))

    def delete_backend(self, backend_id: int) -> None:
        """Disconnect an ML backend. Label Studio leaves its webhook behind."""
        self._connection.write(f"removing the ML backend {backend_id}", self._sdk.ml.delete, backend_id)

    def webhooks(self, project_id: int) -> list[Json]:
        """The webhooks of a project."""
        what = f"listing the webhooks of project {project_id}"
        answer = self._connection.read(what, self._sdk.webhooks.list, project=str(project_id))
        return [_plain(each) for each in answer]

    def create_webhook(self, project_id: int, *, url: str, headers: Mapping[str, str]) -> Json:
        """A webhook for every action of a project."""
        fields = {"url": url, "headers": dict(headers), "send_payload": True, "send_for_all_actions": True}
        what = f"adding the webhook {url} to project {project_id}"
        return _plain(self._connection.write(what, self._sdk.webhooks.create, project=project_id, **fields))

    def update_webhook(self, webhook_id: int, *, url: str, headers: Mapping[str, str]) -> Json:
        """Make an existing webhook what `create_webhook` would have made, and switch it on."""
        fields = {
            "url": url,
            "headers": dict(headers),
            "send_payload": True,
            "send_for_all_actions": True,
            "is_active": True,
        }
        what = f"changing the webhook {webhook_id}"
        return _plain(self._connection.write(what, self._sdk.webhooks.update, webhook_id, **fields))

    def delete_webhook(self, webhook_id: int) -> None:
        """Remove a webhook."""
        self._connection.write(f"removing the webhook {webhook_id}", self._sdk.webhooks.delete, webhook_id)

    def local_storages(self, project_id: int) -> list[Json]:
        """The local-files import storages of a project."""
        what = f"listing the local storages of project {project_id}"
        answer = self._connection.read(what, self._sdk.import_storage.local.list, project=project_id)
        return [_plain(each) for each in answer]

    def add_local_storage(self, project_id: int, *, path: str, title: str) -> Json:
        """Let Label Studio serve the files below `path` (its own path) to those who see the project."""
        fields = {
            "path": path,
            "title": title,
            "use_blob_urls": False,
            "regex_filter": "(?!)",  # matches nothing: the Sync button then imports nothing
        }
        what = f"adding the local storage {path} to project {project_id}"
        return _plain(
            self._connection.write(what, self._sdk.import_storage.local.create, project=project_id, **fields)
        )

    # --- what doctor asks -----------------------------------------------------------------------

    def refusal_of(self, what: str, path: str, body: Any) -> str:
        """Send what cannot be accepted, so that nothing comes of it, and return why; "" where it was."""
        try:
            self._connection.send(what, "POST", path, body)
        except ApiResponseError as refusal:
            return refusal.detail
        return ""


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many ids as one address takes, at a time."""
    return (ids[start : start + EXPORT_TASKS] for start in range(0, len(ids), EXPORT_TASKS))


def _filter(column: str, operator: str, kind: str, value: Any) -> Json:
    """A condition of the Data Manager."""
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _plain(answer: Any) -> Json:
    """An SDK object as the dict that Label Studio sent."""
    plain: Json = answer.model_dump(mode="json")
    return plain
