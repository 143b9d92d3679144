"""The tasks of a project, page by page, as the Data Manager's API lists them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.label_studio.connection import Connection

PAGE_TASKS = 1_000  # tasks without annotations in one page
ADDRESS_IDS = 250  # ids in one address: 4 kB, within the limit of common reverse proxies

Json = dict[str, Any]


def list_tasks(
    connection: Connection,
    project_id: int,
    query: Mapping[str, Any] | None = None,
    *,
    fields: str = "id,data,updated_at,total_annotations,cancelled_annotations",
) -> Iterator[Json]:
    """The tasks of a project, sorted by id, with `fields`: all but annotations, and their counts.

    `query` is a query of the Data Manager with `filters` or `selectedItems`. Each task is listed once,
    also if tasks are deleted meanwhile.
    """
    params = {
        "project": project_id,
        "fields": "task_only",
        "include": fields,
        "query": json.dumps({**(query or {}), "ordering": ["tasks:id"]}),
        "page_size": PAGE_TASKS,
    }
    page, seen, total, last_id = 1, 0, 1, 0
    while seen < total:
        answer = connection.get(
            f"listing the tasks of project {project_id}", "api/tasks/", {**params, "page": page}
        )
        if answer["total"] < total and page > 1:  # a deletion moved tasks to pages that are already read
            page, seen, total = 1, 0, 1
            continue
        yield from (task for task in answer["tasks"] if int(task["id"]) > last_id)
        if not answer["tasks"]:
            return
        last_id = max(last_id, int(answer["tasks"][-1]["id"]))
        page, seen, total = page + 1, seen + len(answer["tasks"]), answer["total"]


def in_stream(connection: Connection, project_id: int) -> set[int]:
    """The ids of the tasks that the label stream can serve to somebody: neither answered nor parked."""
    query = _conjunction(_filter("is_labeled", "equal", "Boolean", False))
    return {int(task["id"]) for task in list_tasks(connection, project_id, query, fields="id")}


def with_drafts(connection: Connection, project_id: int) -> set[int]:
    """The ids of the tasks in which anybody has begun an annotation that is not submitted yet."""
    query = _conjunction(_filter("draft_exists", "equal", "Boolean", True))
    return {int(task["id"]) for task in list_tasks(connection, project_id, query, fields="id")}


def some_tasks(connection: Connection, project_id: int, task_ids: Iterable[int]) -> Iterator[Json]:
    """Those of these tasks that the project has, as `list_tasks` gives them."""
    for ids in _chunks(sorted(task_ids)):
        yield from list_tasks(connection, project_id, _selection(ids))


def updated_since(connection: Connection, project_id: int, moment: dt.datetime | None) -> Iterator[Json]:
    """The tasks with activity by people after `moment` (ever, if None), sorted by id.

    A task's `updated_at` changes when an annotation of it is created, updated or deleted, and when the
    task is imported. Tasks that were only imported are left out: they have no annotation and no "updated
    by". Each task has `id`, `data`, `updated_at` and complete `annotations`, except for their
    `unique_id`, which only exports contain (see `export_tasks`). Tasks that change during the listing may
    be missed.
    """
    ids_since = [int(task["id"]) for task in list_tasks(connection, project_id, _activity_query(moment))]
    for ids in _chunks(ids_since):
        query = {**_selection(ids), "ordering": ["tasks:id"]}
        answer = connection.get(
            f"reading {len(ids)} tasks of project {project_id}",
            "api/tasks/",
            {"project": project_id, "fields": "all", "query": json.dumps(query), "page_size": len(ids)},
        )
        yield from answer["tasks"]


def export_tasks(connection: Connection, project_id: int, task_ids: Sequence[int]) -> Iterator[Json]:
    """Those of these tasks that exist, with complete annotations including `unique_id`.

    Label Studio keeps a copy of every export in its `export` folder: export only the tasks that you need.
    """
    for ids in _chunks(task_ids):
        yield from connection.get(
            f"exporting annotations of project {project_id}",
            f"api/projects/{project_id}/export",
            {"exportType": "JSON", "download_all_tasks": "true", "ids[]": ids},
        )


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + ADDRESS_IDS] for start in range(0, len(ids), ADDRESS_IDS))


def _selection(ids: Sequence[int]) -> Json:
    return {"selectedItems": {"all": False, "included": ids}}


def _activity_query(moment: dt.datetime | None) -> Json:
    later: Json = {}
    if moment is not None:
        value = moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # the only format it accepts
        later = {"child_filter": _filter("updated_at", "greater", "Datetime", value)}
    return _conjunction(
        _filter("updated_by", "empty", "List", False) | later,
        _filter("total_annotations", "greater", "Number", 0) | later,
        _filter("cancelled_annotations", "greater", "Number", 0) | later,
        by="or",
    )


def _conjunction(*items: Json, by: str = "and") -> Json:
    return {"filters": {"conjunction": by, "items": items}}


def _filter(column: str, operator: str, kind: str, value: Any) -> Json:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}
