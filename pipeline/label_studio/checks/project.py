"""Checks of one project: its label config, its queue, and through the other modules what surrounds it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import LabelStudioError, WildloopError
from pipeline.label_studio import config
from pipeline.label_studio.checks.backend import backend, webhooks
from pipeline.label_studio.checks.result import CREATE_AGAIN, CheckResult, State, broken, fail, ok, warn
from pipeline.label_studio.checks.served import files
from pipeline.label_studio.checks.server import addresses, prediction_import
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.ml_backend import BACKEND_TITLE
from pipeline.label_studio.project import UNCERTAINTY
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.tabs import TABS
from pipeline.records import ProjectRecord
from pipeline.settings import Settings


def examine_project(
    client: LabelStudio,
    settings: Settings,
    record: ProjectRecord,
    shown: Sequence[tuple[int, str]],
    *,
    waiting: bool = True,
) -> Iterator[CheckResult]:
    """Every check of one project. `shown` are some of its tasks, with their crops below the data folder.

    `waiting`: whether any published crop waits for a label.
    """
    try:
        project = client.project(record.id)
    except LabelStudioError as exc:
        yield broken("project", exc)
        return
    described = f"{project['title']!r} with {project['task_number']} tasks"
    if record.replaced_by is not None:
        yield ok("project", f"{described}, replaced by project {record.replaced_by}: its answers still count")
        return
    yield ok("project", described)
    checks: list[Callable[[], Iterator[CheckResult]]] = [
        lambda: _label_config(project, record),
        lambda: _tabs(client, record.id),
        lambda: _queue(project, record, waiting),
        lambda: files(client, settings, record.id, shown),
        lambda: _connected(client, settings, record.id),
        lambda: webhooks(client, settings, record.id),
        lambda: iter([prediction_import(client, record.id)]),
    ]
    for check in checks:
        try:
            yield from check()
        except WildloopError as exc:
            yield broken("project", exc)


def _connected(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    """Check the backend; an address that the server refuses is named alone, without what follows from it."""
    allowed = addresses(client, settings, project_id)
    yield allowed
    if allowed.state is State.OK:
        yield from backend(client, settings, project_id)


def _label_config(project: Mapping[str, Any], record: ProjectRecord) -> Iterator[CheckResult]:
    label_config = str(project["label_config"])
    try:
        species = config.species_of(label_config)
    except LabelStudioError as exc:
        yield fail("label config", str(exc), CREATE_AGAIN)
        return
    try:
        config.refuse_earlier(record.id, label_config)
    except LabelStudioError as exc:
        yield warn("label config", exc.what, exc.remedy or CREATE_AGAIN)
        return
    wanted = config.render(species, options=ScreenOptions.from_json(record.options))
    missing = sorted(config.controls(wanted) - config.controls(label_config))
    if missing:
        yield warn("label config", f"the screens lack {', '.join(missing)}", CREATE_AGAIN)
    else:
        yield ok("label config", f"{len(species)} species")


def _tabs(client: LabelStudio, project_id: int) -> Iterator[CheckResult]:
    """Check that the Data Manager has tabs of Wildloop; people may have changed or deleted some."""
    titles = {tab["data"].get("title") for tab in client.tabs(project_id)}
    present = [tab.title for tab in TABS if tab.title in titles]
    if present:
        yield ok("tabs", ", ".join(present))
    else:
        yield warn("tabs", "the Data Manager has none of Wildloop's", CREATE_AGAIN)


def _queue(project: Mapping[str, Any], record: ProjectRecord, waiting: bool) -> Iterator[CheckResult]:
    """Check the settings that make Label Studio follow the queue and show predictions."""
    if project["sampling"] != UNCERTAINTY:
        yield fail(
            "sampling", f"{project['sampling']}: Label Studio ignores the order of the queue", CREATE_AGAIN
        )
    else:
        yield ok("sampling", UNCERTAINTY)
    if not project["show_collab_predictions"]:
        yield fail("predictions", "Label Studio hides them from annotators", CREATE_AGAIN)
    chosen = project["model_version"] or None
    if record.current_model is None:
        yield warn("model version", "no queue yet: tasks come in random order", "run `wildloop publish`")
    elif chosen == record.current_model:
        yield ok("model version", record.current_model)
    elif chosen is None and not waiting:
        yield ok("model version", f"{record.current_model}, and nothing waits for a label")
    elif chosen == BACKEND_TITLE:
        yield fail(
            "model version",
            f"the ML backend {chosen!r} is selected for live predictions: tasks come in random order",
            f"select {record.current_model} under Settings > Annotation, or run `wildloop publish`",
        )
    else:
        yield fail(
            "model version",
            f"the project uses {chosen or 'no version'}, not {record.current_model}: "
            "tasks come in random order",
            "run `wildloop publish`",
        )
