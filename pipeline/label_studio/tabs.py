"""The tabs of the Data Manager that Wildloop makes: what waits, what to look at, what was answered.

People may change, rename, add and delete tabs. One that is as Wildloop made it has a mark in its data, which
Label Studio's pages leave out when they save a change (1.23.2): without the mark it is theirs, and stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.identity import json_digest
from pipeline.label_studio.roles import TabsClient
from pipeline.label_studio.screen import controls
from pipeline.records import UNSURE, Purpose, TaskKind

MARK = "wildloop"  # key in the data of a tab; its value tells which definition the tab has
# The columns of tasks, which the server knows only once it has some.
TASK_FIELDS = (
    "picture",
    "kind",
    "purpose",
    "detections",
    "species",
    "probability",
    "place",
    "time",
    "crops",
    "version",
    "head",
    "single",
    "group",
    "photo",
)
GRID_COLUMNS = 7  # with fewer the Data Manager cuts the text off below the pictures (1.23.2)
WIDTHS = {  # pixels: a list of all columns fits 1,366
    "data.picture": 110,
    "data.kind": 100,
    "data.purpose": 120,
    "data.species": 160,
    "data.probability": 130,
    "data.place": 140,
    "data.time": 150,
    "data.crops": 90,
}
_PICTURE = ("data.picture", "data.species", "data.probability", "data.place", "data.time")
_TASK = (*_PICTURE, "data.kind", "data.purpose", "data.crops")
_BY_QUEUE = "tasks:predictions_score"  # the order of the label stream

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Tab:
    """One tab: which tasks, in which order, with which columns."""

    title: str
    columns: Sequence[str]
    filters: Sequence[Json]  # all of them hold, or with `either` one of them
    either: bool = False
    is_grid: bool = False  # pictures beside each other; else a line for each task
    order: str = _BY_QUEUE


def _filter(column: str, operator: str, kind: str, value: Any) -> Json:
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}


def _purpose(purpose: Purpose) -> Json:
    return _filter("data.purpose", "equal", "String", purpose.value)


def _kind(kind: TaskKind) -> Json:
    return _filter("data.kind", "equal", "String", kind.value)


# The first is the one that opens, and in a browser that never pressed "Label All Tasks" the label stream
# serves it: so it is what waits, in the order of the queue.
TABS = (
    Tab(
        title="Waiting",
        columns=_TASK,
        filters=[
            _filter("total_annotations", "equal", "Number", 0),
            # Not a column, so people do not see this filter: parked tasks are out of the label stream.
            _filter("is_labeled", "equal", "Boolean", False),
        ],
    ),
    Tab(
        title="Audit",
        columns=("data.picture", "data.place", "data.time", "total_annotations", "annotators"),
        filters=[_purpose(Purpose.AUDIT)],
    ),
    Tab(
        title="Unsure",
        columns=_PICTURE,
        filters=[_filter("annotations_results", "contains", "String", f'"{UNSURE}"')],
        is_grid=True,
    ),
    Tab(
        title="Disputed",
        columns=(*_PICTURE, "data.purpose"),
        filters=[_purpose(Purpose.DISPUTED), _purpose(Purpose.EXPERT)],
        either=True,
        is_grid=True,
    ),
    Tab(
        title="Boards",
        columns=(*_TASK, "total_annotations", "annotators"),
        filters=[_kind(TaskKind.BOARD), _kind(TaskKind.FRAMES)],
        either=True,
    ),
    Tab(
        title="New names",
        columns=_PICTURE,
        filters=[_filter("annotations_results", "contains", "String", f'{controls.NAME}"')],
        is_grid=True,
    ),
    Tab(
        title="Answered",
        columns=(*_PICTURE, "annotators", "completed_at"),
        filters=[_filter("total_annotations", "greater", "Number", 0)],
        order="-tasks:completed_at",
    ),
)


def ensure_tabs(client: TabsClient, project_id: int) -> list[str]:
    """Create the tabs that the project lacks, and give those of Wildloop their present definition.

    A tab with the same title that people made or changed stays as it is. Returns a line for each change.
    Raises LabelStudioError.
    """
    # Sorted: Label Studio lists the columns in another order once the project has tasks.
    columns = sorted({*client.columns(project_id), *(f"tasks:data.{field}" for field in TASK_FIELDS)})
    present = {tab["data"].get("title"): tab for tab in client.tabs(project_id)}
    created, changed = [], []
    for tab in TABS:
        wanted, existing = _data(tab, columns), present.get(tab.title)
        if existing is None:
            client.create_tab(project_id, wanted)
            created.append(tab.title)
        elif existing["data"].get(MARK, wanted[MARK]) != wanted[MARK]:
            client.change_tab(project_id, int(existing["id"]), wanted)
            changed.append(tab.title)
    changes = [f"tabs added: {', '.join(created)}"] if created else []
    return changes + ([f"tabs changed: {', '.join(changed)}"] if changed else [])


def _data(tab: Tab, columns: Sequence[str]) -> Json:
    """The tab as Label Studio stores it; every one of `columns` that it does not show is hidden."""
    shown = {f"tasks:{column}" for column in tab.columns}
    hidden = [column for column in columns if column not in shown]
    data: Json = {
        "title": tab.title,
        "type": "grid" if tab.is_grid else "list",
        "target": "tasks",
        "ordering": [tab.order],
        "filters": {"conjunction": "or" if tab.either else "and", "items": [*tab.filters]},
        "hiddenColumns": {"explore": hidden, "labeling": hidden},
        "columnsDisplayType": {"tasks:data.picture": "Image", "tasks:data.crops": "Number"},
        "columnsWidth": {f"tasks:{column}": width for column, width in WIDTHS.items()},
        "gridWidth": GRID_COLUMNS,
    }
    return data | {MARK: json_digest(data)}
