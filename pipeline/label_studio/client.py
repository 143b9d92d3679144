"""The client of Label Studio's API. Every method raises LabelStudioError.

Answers are dicts as Label Studio sends them. Most changes go through the SDK; calls that the SDK lacks,
or whose paging or bulk operations it slows down, go directly to the API over the same HTTP client.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import LabelStudioError
from pipeline.label_studio import task_list
from pipeline.label_studio.connection import ApiResponseError, Connection

BASIC_AUTH = "BASIC_AUTH"
LOGIN = "/user/login/"

Json = dict[str, Any]


class ProjectDeletedError(LabelStudioError):
    """The project is not in Label Studio any more."""

    def __init__(self, project_id: int) -> None:
        super().__init__(
            f"project {project_id} is not in Label Studio any more",
            remedy=f"if it was deleted there, run `wildloop project forget {project_id}`: its labels stay",
        )


class LabelStudio:
    """A client of one Label Studio. Failed reads are repeated, failed writes are not."""

    def __init__(self, url: str, api_key: str | None, *, timeout: float = 60.0) -> None:
        self._connection = Connection(url, api_key, timeout=timeout)
        self._sdk = self._connection.sdk
        self.url = self._connection.url

    @property
    def uses_legacy_token(self) -> bool:
        """Whether the token is a legacy token, which organizations can disable."""
        return self._connection.uses_legacy_token

    def version(self) -> str:
        """The release of Label Studio, such as `1.23.2`. Needs no valid token."""
        answer: Json = self._connection.get("reading the version", "api/version", timeout=10.0)
        return str(answer.get("release", "unknown"))

    def whoami(self) -> Json:
        """The account to which the token belongs."""
        answer: Json = self._connection.get("reading the account of the token", "api/current-user/whoami")
        return answer

    def browser_path(self) -> str:
        """The path below which browsers reach Label Studio, such as `/label`; "" at the root of its host.

        That of LABEL_STUDIO_HOST, as the redirect to its login page shows: the address that Wildloop uses
        can be another one, behind the proxy that adds the path.
        """
        page = urlsplit(self._connection.redirect_of("") or "").path
        if page.endswith(LOGIN):
            return page.removesuffix(LOGIN)
        return urlsplit(self.url).path

    def content(self, path: str, *, limit: int = 256 * 1024 * 1024) -> bytes:
        """A file that Label Studio serves, such as the crop of a task, with at most `limit` bytes.

        `path` is below Label Studio, see `files.within`.
        """
        return self._connection.content(f"fetching {path}", path.lstrip("/"), limit)

    def projects(self, title: str) -> list[Json]:
        """The projects with exactly this title, oldest first."""
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
        same_title = (project for project in found if project["title"] == title)
        return sorted(same_title, key=lambda project: int(project["id"]))

    def project(self, project_id: int) -> Json:
        """One project, with `label_config`, `sampling`, `model_version` and `task_number`.

        Raises ProjectDeletedError if there is none with this id.
        """
        try:
            answer: Json = self._connection.get(
                f"reading project {project_id}", f"api/projects/{project_id}/"
            )
        except ApiResponseError as error:
            if error.status == 404:
                raise ProjectDeletedError(project_id) from error
            raise
        return answer

    def create_project(self, **fields: Any) -> Json:
        """Create a project with these fields of Label Studio's API."""
        return _dict(self._connection.write("creating the project", self._sdk.projects.create, **fields))

    def delete_project(self, project_id: int) -> None:
        """Delete a project with everything in it."""
        self._connection.write(f"deleting project {project_id}", self._sdk.projects.delete, project_id)

    def update_project(self, project_id: int, **fields: Any) -> Json:
        """Change these fields of a project."""
        what = f"changing {', '.join(fields)} of project {project_id}"
        return _dict(self._connection.write(what, self._sdk.projects.update, project_id, **fields))

    def used_choices(self, project_id: int, controls: Iterable[str]) -> dict[str, int]:
        """The number of annotations by choice of these controls, without skipped and deleted ones."""
        by_control = self._summary(project_id).get("created_labels") or {}
        counts: Counter[str] = Counter()
        for control in controls:
            counts.update(by_control.get(control, {}))
        return dict(counts)

    def used_controls(self, project_id: int) -> dict[str, int]:
        """The number of annotations by control, without skipped and deleted ones."""
        counts: Counter[str] = Counter()
        for described, count in (self._summary(project_id).get("created_annotations") or {}).items():
            counts[described.partition("|")[0]] += count
        return dict(counts)

    def _summary(self, project_id: int) -> Json:
        what = f"reading the labels of project {project_id}"
        answer: Json = self._connection.get(what, f"api/projects/{project_id}/summary")
        return answer

    def import_tasks(
        self,
        project_id: int,
        data: Sequence[Mapping[str, Any]],
        predictions: Sequence[Mapping[str, Any]] | None = None,
        skipped_by: Sequence[int | None] | None = None,
    ) -> list[int]:
        """Create a task for each entry, in one call; returns the task ids in the same order.

        `predictions`, one for each task, come with them (`model_version`, `score`, `result`). `skipped_by`,
        one for each task, is the user to whom it is never served, as if they had skipped it: such a task
        is out of the label stream until `unpark_task`.
        """
        what = f"importing {len(data)} tasks into project {project_id}"
        entries: list[Json] = [{"data": dict(entry)} for entry in data]
        for entry, prediction in zip(entries, predictions or (), strict=predictions is not None):
            entry["predictions"] = [dict(prediction)]
        for entry, user in zip(entries, skipped_by or (), strict=skipped_by is not None):
            if user is not None:
                # Without `ground_truth`, Label Studio marks what is imported as ground truth.
                skip = {"completed_by": user, "was_cancelled": True, "ground_truth": False, "result": []}
                entry["annotations"] = [skip]
        answer: Json = self._connection.send(
            what, "POST", f"api/projects/{project_id}/import", entries, {"return_task_ids": "true"}
        )
        ids: list[int] = answer.get("task_ids", [])
        if len(ids) != len(data):
            raise ApiResponseError(
                f"{what}: Label Studio returned {len(ids)} ids",
                status=201,
                detail=str(answer),
                remedy="use the Community edition of Label Studio: other editions return no task ids",
            )
        return ids

    def user_names(self) -> dict[str, str]:
        """The e-mail address of each user, or else the name, by id as annotations have it."""
        answer: Any = self._connection.get("listing the users", "api/users/")
        return {
            str(user["id"]): str(user.get("email") or user.get("username") or user["id"])
            for user in _dicts(answer)
        }

    def task(self, task_id: int) -> Json:
        """One task with its annotations (without `unique_id`) and predictions."""
        answer: Json = self._connection.get(f"reading task {task_id}", f"api/tasks/{task_id}/")
        return answer

    def task_ids(self, project_id: int) -> list[int]:
        """The ids of all tasks of a project, sorted."""
        return [int(task["id"]) for task in task_list.list_tasks(self._connection, project_id)]

    def some_tasks(self, project_id: int, task_ids: Iterable[int]) -> Iterator[Json]:
        """Those of these tasks that the project has, see `task_list.some_tasks`."""
        return task_list.some_tasks(self._connection, project_id, task_ids)

    def tasks_in_stream(self, project_id: int) -> set[int]:
        """The tasks that are neither answered nor parked, see `task_list.in_stream`."""
        return task_list.in_stream(self._connection, project_id)

    def tasks_with_drafts(self, project_id: int) -> set[int]:
        """The tasks in which somebody has begun an annotation, see `task_list.with_drafts`."""
        return task_list.with_drafts(self._connection, project_id)

    def park_task(self, task_id: int) -> bool:
        """Take a task out of the label stream; whoever has it open can still submit. False if it is gone.

        There is no call for several tasks; one takes 40 ms.
        """
        return self._set_labeled(task_id, True)

    def unpark_task(self, task_id: int) -> bool:
        """Put a task into the label stream that was parked, or imported with a skip. False if it is gone."""
        return self._set_labeled(task_id, False)

    def _set_labeled(self, task_id: int, value: bool) -> bool:
        try:
            self._connection.send(
                f"parking task {task_id}", "PATCH", f"api/tasks/{task_id}/", {"is_labeled": value}
            )
        except ApiResponseError as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def delete_tasks(self, project_id: int, task_ids: Iterable[int]) -> None:
        """Delete these tasks with all that is in them. Whoever has one open cannot submit it any more."""
        included = sorted(task_ids)
        if included:
            self._connection.send(
                f"deleting {len(included)} tasks of project {project_id}",
                "POST",
                "api/dm/actions",
                {"selectedItems": {"all": False, "included": included}},
                {"id": "delete_tasks", "project": project_id},
            )

    def tasks_updated_since(self, project_id: int, moment: dt.datetime | None) -> Iterator[Json]:
        """The tasks with activity by people after `moment`, see `task_list.updated_since`."""
        return task_list.updated_since(self._connection, project_id, moment)

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterator[Json]:
        """These tasks with complete annotations, see `task_list.export_tasks`."""
        return task_list.export_tasks(self._connection, project_id, task_ids)

    def delete_annotation(self, annotation_id: int) -> None:
        """Delete an annotation, if it is there; the task is served again once it has no other."""
        try:
            self._connection.send(
                f"deleting annotation {annotation_id}", "DELETE", f"api/annotations/{annotation_id}/", None
            )
        except ApiResponseError as refusal:
            if refusal.status != 404:
                raise

    def annotators(self) -> dict[str, str]:
        """The e-mail address of each user, by id."""
        answer = self._connection.get("listing the users", "api/users/")
        return {str(user["id"]): str(user["email"]) for user in answer}

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Add predictions (`task`, `result`, `score`, `model_version`), in one call; returns their number."""
        answer: Json = self._connection.send(
            f"importing {len(predictions)} predictions into project {project_id}",
            "POST",
            f"api/projects/{project_id}/import/predictions",
            [dict(prediction) for prediction in predictions],
        )
        return int(answer["created"])

    def prediction_versions(self, project_id: int) -> dict[str, dt.datetime]:
        """The versions with predictions in the project, and the time of the newest prediction of each."""
        answer: Json = self._connection.get(
            f"reading the model versions of project {project_id}",
            f"api/projects/{project_id}/model-versions/",
            {"extended": "true"},
        )
        return {
            str(version["model_version"]): dt.datetime.fromisoformat(version["latest"])
            for version in answer["static"]
        }

    def backends(self, project_id: int) -> list[Json]:
        """The ML backends of a project. The call makes Label Studio check whether each is running."""
        what = f"listing the ML backends of project {project_id}"
        return _dicts(self._connection.read(what, self._sdk.ml.list, project=project_id))

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
        """Connect an ML backend with basic auth, or change the one with this id.

        Label Studio immediately calls its `/health` and `/setup`, so it must be running.
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
            return _dict(self._connection.write(what, self._sdk.ml.create, **fields))
        return _dict(self._connection.write(what, self._sdk.ml.update, backend_id, **fields))

    def delete_backend(self, backend_id: int) -> None:
        """Disconnect an ML backend. Label Studio keeps its webhook."""
        self._connection.write(f"deleting the ML backend {backend_id}", self._sdk.ml.delete, backend_id)

    def webhooks(self, project_id: int) -> list[Json]:
        """The webhooks of a project."""
        what = f"listing the webhooks of project {project_id}"
        return _dicts(self._connection.read(what, self._sdk.webhooks.list, project=str(project_id)))

    def create_webhook(self, project_id: int, *, url: str, headers: Mapping[str, str]) -> Json:
        """Add a webhook for all actions of a project."""
        what = f"adding the webhook {url} to project {project_id}"
        fields = _webhook_fields(url, headers)
        return _dict(self._connection.write(what, self._sdk.webhooks.create, project=project_id, **fields))

    def update_webhook(self, webhook_id: int, *, url: str, headers: Mapping[str, str]) -> Json:
        """Give a webhook the same fields as `create_webhook`, and activate it."""
        what = f"changing the webhook {webhook_id}"
        fields = _webhook_fields(url, headers) | {"is_active": True}
        return _dict(self._connection.write(what, self._sdk.webhooks.update, webhook_id, **fields))

    def delete_webhook(self, webhook_id: int) -> None:
        """Delete a webhook."""
        self._connection.write(f"deleting the webhook {webhook_id}", self._sdk.webhooks.delete, webhook_id)

    def local_storages(self, project_id: int) -> list[Json]:
        """The local-files import storages of a project."""
        what = f"listing the local storages of project {project_id}"
        return _dicts(self._connection.read(what, self._sdk.import_storage.local.list, project=project_id))

    def add_local_storage(self, project_id: int, *, path: str, title: str) -> Json:
        """Let Label Studio serve the files below `path`, a path on its machine, to users of the project."""
        fields = {
            "path": path,
            "title": title,
            "use_blob_urls": False,
            "regex_filter": "(?!)",  # matches nothing, so that the Sync button imports nothing
        }
        what = f"adding the local storage {path} to project {project_id}"
        return _dict(
            self._connection.write(what, self._sdk.import_storage.local.create, project=project_id, **fields)
        )

    def refusal_of(self, what: str, path: str, body: Any) -> str:
        """The error that Label Studio returns for an invalid body; "" if it accepts it.

        The body must be invalid, so that the call changes nothing.
        """
        try:
            self._connection.send(what, "POST", path, body)
        except ApiResponseError as refusal:
            return refusal.detail
        return ""

    def columns(self, project_id: int) -> list[str]:
        """The columns of a project's Data Manager, such as `tasks:completed_at` or `tasks:data.place`."""
        what = f"listing the columns of project {project_id}"
        answer: Json = self._connection.get(what, "api/dm/columns", {"project": project_id})
        return [
            f"tasks:data.{column['id']}" if column.get("parent") == "data" else f"tasks:{column['id']}"
            for column in answer["columns"]
            if not column.get("children")
        ]

    def tabs(self, project_id: int) -> list[Json]:
        """The tabs of a project's Data Manager, with `id` and `data`."""
        what = f"listing the tabs of project {project_id}"
        tabs: list[Json] = self._connection.get(what, "api/dm/views/", {"project": project_id})
        return tabs

    def create_tab(self, project_id: int, data: Mapping[str, Any]) -> Json:
        """Add a tab behind the present ones."""
        body = {"project": project_id, "data": dict(data)}
        what = f"adding the tab {data['title']!r} to project {project_id}"
        tab: Json = self._connection.send(what, "POST", "api/dm/views/", body)
        return tab

    def change_tab(self, project_id: int, tab_id: int, data: Mapping[str, Any]) -> None:
        """Give a tab other filters and columns."""
        body = {"project": project_id, "data": dict(data)}
        what = f"changing the tab {data['title']!r} of project {project_id}"
        self._connection.send(what, "PATCH", f"api/dm/views/{tab_id}/", body)


def _webhook_fields(url: str, headers: Mapping[str, str]) -> Json:
    return {"url": url, "headers": dict(headers), "send_payload": True, "send_for_all_actions": True}


def _dict(answer: Any) -> Json:
    """An SDK object as the dict that Label Studio sent."""
    plain: Json = answer.model_dump(mode="json")
    return plain


def _dicts(answer: Iterable[Any]) -> list[Json]:
    return [_dict(each) for each in answer]
