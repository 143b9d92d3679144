"""The parts of Label Studio's API that callers need; `pipeline.label_studio.client` implements them all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

Json = dict[str, Any]


class AskClient(Protocol):
    """Creates tasks with what the project's label config can show."""

    def browser_path(self) -> str:
        """The path below which browsers reach Label Studio."""

    def import_tasks(
        self,
        project_id: int,
        data: Sequence[Mapping[str, Any]],
        predictions: Sequence[Mapping[str, Any]] | None = None,
        skipped_by: Sequence[int | None] | None = None,
    ) -> list[int]:
        """Create a task for each entry, with its prediction; returns the task ids in the same order.

        `skipped_by`: the user to whom each is never served. Such a task waits for `unpark_task`.
        """

    def project(self, project_id: int) -> Json:
        """The project, with `label_config`."""

    def unpark_task(self, task_id: int) -> bool:
        """Put a task into the label stream; False if it is gone."""


class QueueClient(Protocol):
    """Maintains the predictions of a project and the version that its queue follows."""

    def project(self, project_id: int) -> Json:
        """The project, with `model_version`."""

    def update_project(self, project_id: int, **fields: Any) -> Json:
        """Change fields of a project."""

    def import_predictions(self, project_id: int, predictions: Sequence[Mapping[str, Any]]) -> int:
        """Add predictions; returns their number."""

    def prediction_versions(self, project_id: int) -> dict[str, dt.datetime]:
        """The versions with predictions in the project, and the time of the newest prediction of each."""


class StockClient(AskClient, QueueClient, Protocol):
    """Keeps what people are asked."""

    def tasks_in_stream(self, project_id: int) -> set[int]:
        """The tasks that are neither answered nor parked."""

    def some_tasks(self, project_id: int, task_ids: Iterable[int]) -> Iterator[Json]:
        """Those of these tasks that the project has, with `data` and counts of annotations."""

    def tasks_with_drafts(self, project_id: int) -> set[int]:
        """The tasks in which somebody has begun an annotation."""

    def park_task(self, task_id: int) -> bool:
        """Take a task out of the label stream; False if it is gone."""

    def delete_tasks(self, project_id: int, task_ids: Iterable[int]) -> None:
        """Delete these tasks."""


class SpeciesClient(StockClient, Protocol):
    """Changes what can be chosen."""

    def used_choices(self, project_id: int, controls: Iterable[str]) -> dict[str, int]:
        """The number of annotations by choice of these controls."""


class WithdrawClient(Protocol):
    """Takes annotations back."""

    def annotators(self) -> dict[str, str]:
        """The e-mail address of each user, by id."""

    def exported_tasks(self, project_id: int, task_ids: Sequence[int]) -> Iterator[Json]:
        """Those of these tasks that exist, with their annotations' unique ids."""

    def delete_annotation(self, annotation_id: int) -> None:
        """Delete an annotation, if it is there."""


class ConnectionClient(Protocol):
    """Connects ML backends and webhooks to a project."""

    def backends(self, project_id: int) -> list[Json]:
        """The ML backends of a project."""

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
        """Connect an ML backend, or change the one with this id."""

    def delete_backend(self, backend_id: int) -> None:
        """Disconnect an ML backend."""

    def webhooks(self, project_id: int) -> list[Json]:
        """The webhooks of a project."""

    def create_webhook(self, project_id: int, *, url: str, headers: Mapping[str, str]) -> Json:
        """Add a webhook for all actions."""

    def update_webhook(self, webhook_id: int, *, url: str, headers: Mapping[str, str]) -> Json:
        """Give a webhook the same fields as `create_webhook`."""

    def delete_webhook(self, webhook_id: int) -> None:
        """Delete a webhook."""


class InstructionsClient(Protocol):
    """Writes the instructions of a project."""

    def browser_path(self) -> str:
        """The path below which browsers reach Label Studio."""

    def project(self, project_id: int) -> Json:
        """The project, with `expert_instruction`."""

    def update_project(self, project_id: int, **fields: Any) -> Json:
        """Change fields of a project."""


class OptionsClient(InstructionsClient, Protocol):
    """Changes what the screens of a project ask."""

    def used_controls(self, project_id: int) -> dict[str, int]:
        """The number of annotations by control."""


class TabsClient(Protocol):
    """Sets up the Data Manager of a project."""

    def columns(self, project_id: int) -> list[str]:
        """The columns, such as `tasks:completed_at` or `tasks:data.place`."""

    def tabs(self, project_id: int) -> list[Json]:
        """The tabs, with `id` and `data`."""

    def create_tab(self, project_id: int, data: Mapping[str, Any]) -> Json:
        """Add a tab."""

    def change_tab(self, project_id: int, tab_id: int, data: Mapping[str, Any]) -> None:
        """Give a tab other filters and columns."""


class SetUpClient(ConnectionClient, OptionsClient, TabsClient, Protocol):
    """Creates projects and sets them up."""

    def projects(self, title: str) -> list[Json]:
        """The projects with exactly this title."""

    def project(self, project_id: int) -> Json:
        """One project."""

    def create_project(self, **fields: Any) -> Json:
        """Create a project."""

    def update_project(self, project_id: int, **fields: Any) -> Json:
        """Change fields of a project."""

    def used_choices(self, project_id: int, controls: Iterable[str]) -> dict[str, int]:
        """The number of annotations by choice of these controls."""

    def local_storages(self, project_id: int) -> list[Json]:
        """The local-files storages of a project."""

    def add_local_storage(self, project_id: int, *, path: str, title: str) -> Json:
        """Let Label Studio serve the files below `path`."""

    def prediction_versions(self, project_id: int) -> dict[str, dt.datetime]:
        """The versions with predictions in the project, and the time of the newest prediction of each."""
