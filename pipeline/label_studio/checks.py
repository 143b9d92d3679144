"""Checks of a Label Studio server and of one project on it; each failure comes with its remedy.

The checks use the API and change nothing. Some settings of the server show only in its error messages:
for these a check sends a request that the server refuses in any case, and reads why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.errors import LabelStudioError, SettingsError, WildloopError
from pipeline.label_studio import config
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.files import ROOT_VARIABLE, ServedFiles, within
from pipeline.label_studio.ml_backend import (
    BACKEND_TITLE,
    CONNECTED,
    SECRET_HEADER,
    is_blocked,
    is_own_backend,
    is_secured,
    stray_webhooks,
    webhook_url,
)
from pipeline.label_studio.project import UNCERTAINTY
from pipeline.records import ProjectRecord
from pipeline.settings import Settings

FAST_IMPORT_FLAG = "fflag_fix_back_4620_memory_efficient_predictions_import_08012025_short"
CREATE_AGAIN = "run `wildloop project create` again with the same title and species"


class State(StrEnum):
    """How serious the result of a check is."""

    OK = "ok"
    WARN = "warn"  # works, but slower or less than it could
    FAIL = "fail"


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The outcome of one check."""

    check: str
    state: State
    what: str
    remedy: str | None = None
    project: int | None = None


def ok(check: str, what: str) -> CheckResult:
    return CheckResult(check=check, state=State.OK, what=what)


def warn(check: str, what: str, remedy: str) -> CheckResult:
    return CheckResult(check=check, state=State.WARN, what=what, remedy=remedy)


def fail(check: str, what: str, remedy: str) -> CheckResult:
    return CheckResult(check=check, state=State.FAIL, what=what, remedy=remedy)


def examine_document_root(settings: Settings) -> CheckResult:
    """Check that Label Studio could serve the data folder at all; needs no server."""
    try:
        served = ServedFiles.of(settings)
    except SettingsError as exc:
        return _broken("document root", exc)
    return ok("document root", f"{served.root} holds the data folder")


def examine_server(client: LabelStudio) -> Iterator[CheckResult]:
    """Check that the server answers and accepts the token; stops at the first failure."""
    try:
        yield ok("server", f"Label Studio {client.version()} at {client.url}")
    except LabelStudioError as exc:
        if isinstance(exc, ApiResponseError) and _is_ml_backend(client):
            yield fail(
                "server",
                f"{client.url} is an ML backend, not Label Studio",
                "set LABEL_STUDIO_URL to the address of Label Studio; the backend's own address belongs into "
                "WILDLOOP_BACKEND_URL",
            )
        else:
            yield _broken("server", exc)
        return
    kind = "legacy token" if client.uses_legacy_token else "refresh token"
    try:
        yield ok("token", f"{kind} of {client.whoami().get('email')}")
    except LabelStudioError as exc:
        remedy = "copy a token from Account & Settings > Access Token into LABEL_STUDIO_API_KEY"
        if client.uses_legacy_token:
            remedy += (
                "; legacy tokens work only if the server runs with LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true"
            )
        yield fail("token", str(exc), remedy)


def examine_project(
    client: LabelStudio,
    settings: Settings,
    record: ProjectRecord,
    shown: tuple[int, str] | None,
    *,
    waiting: bool = True,
) -> Iterator[CheckResult]:
    """Every check of one project. `shown` is a task and its crop's path, relative to the data folder.

    `waiting`: whether any published crop waits for a label.
    """
    try:
        project = client.project(record.id)
    except LabelStudioError as exc:
        yield _broken("project", exc)
        return
    yield ok("project", f"{project['title']!r} with {project['task_number']} tasks")
    checks: list[Callable[[], Iterator[CheckResult]]] = [
        lambda: _label_config(project),
        lambda: _queue(project, record, waiting),
        lambda: _files(client, settings, record.id, shown),
        lambda: _addresses(client, settings, record.id),
        lambda: _backend(client, settings, record.id),
        lambda: _webhooks(client, settings, record.id),
        lambda: _prediction_import(client, record.id),
    ]
    for check in checks:
        try:
            yield from check()
        except WildloopError as exc:
            yield _broken("project", exc)


def _broken(check: str, exc: WildloopError) -> CheckResult:
    return fail(check, exc.what, exc.remedy or "see the message")


def _is_ml_backend(client: LabelStudio) -> bool:
    """Whether the server answers as ML backends do, which all name their model class."""
    with suppress(LabelStudioError):
        return b'"model_class"' in client.content("health")
    return False


def _label_config(project: Mapping[str, Any]) -> Iterator[CheckResult]:
    try:
        number = len(config.species_of(str(project["label_config"])))
    except LabelStudioError as exc:
        yield fail("label config", str(exc), CREATE_AGAIN)
        return
    yield ok("label config", f"{number} species")


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
            f"select {record.current_model} under Settings > Annotation, or run `wildloop push`",
        )
    else:
        yield fail(
            "model version",
            f"the project uses {chosen or 'no version'}, not {record.current_model}: "
            "tasks come in random order",
            "run `wildloop push`",
        )


def _files(
    client: LabelStudio, settings: Settings, project_id: int, shown: tuple[int, str] | None
) -> Iterator[CheckResult]:
    """Check that Label Studio serves the crops; each cause is named alone, without what follows from it."""
    try:
        served = ServedFiles.of(settings)
    except SettingsError:
        return  # `examine_document_root` names it
    present = {storage["path"] for storage in client.local_storages(project_id)}
    missing = [path for path in served.folders if path not in present]
    if missing:
        yield fail("local storage", f"the project lacks {', '.join(missing)}", CREATE_AGAIN)
        return
    yield ok("local storage", ", ".join(served.folders))
    if shown is None:
        yield warn("crops", "none is published, so none could be fetched", "run `wildloop publish`")
        return
    task, crop = shown
    if not (settings.data_dir / crop).is_file():
        yield fail(
            "crops",
            f"the published crop {settings.data_dir / crop} does not exist",
            "restore the data folder from a backup, or set WILDLOOP_DATA_DIR to the right folder",
        )
    else:
        yield _pictures(client, served, task)


def _pictures(client: LabelStudio, served: ServedFiles, task: int) -> CheckResult:
    """Fetch the pictures of a task as a browser does, from the addresses in its data."""
    path = client.browser_path()
    try:
        data = client.task(task)["data"]
    except ApiResponseError as refusal:
        if refusal.status != 404:
            raise
        return warn("crops", f"task {task} was deleted", "run `wildloop publish`: it creates the task again")
    for field in ("crop", "frame"):
        address = str(data.get(field))
        inside = within(address, path)
        if inside is None or not inside.startswith(served.prefix):
            return fail(
                "crops",
                f"task {task} shows its {field} from {address}, but Label Studio serves it below "
                f"{path}{served.prefix}",
                "run `wildloop publish`: it gives tasks published before the present address",
            )
        try:
            client.content(inside)
        except ApiResponseError as refusal:
            if refusal.status == 403:
                remedy = "start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true"
            else:
                remedy = (
                    f"set the same {ROOT_VARIABLE} for Label Studio and for wildloop (here {served.root})"
                )
            return fail("crops", f"Label Studio answers {refusal.status} for {address}", remedy)
    return ok("crops", "Label Studio serves them")


def _addresses(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    """Check that the server may connect to the backend's address; the other fields are wrong on purpose."""
    backend = client.refusal_of(
        "checking whether the backend's address is allowed",
        "api/ml",
        {"project": project_id, "url": settings.backend_url, "timeout": "not a number"},
    )
    webhook = client.refusal_of(
        "checking whether the webhook's address is allowed",
        "api/webhooks/",
        {"project": project_id, "url": webhook_url(settings), "headers": "not an object"},
    )
    blocked = [
        variable
        for variable, message in (("ML_BLOCK_LOCAL_IP", backend), ("SSRF_PROTECTION_ENABLED", webhook))
        if is_blocked(message)
    ]
    if blocked:
        yield fail(
            "local addresses",
            f"Label Studio refuses to connect to {settings.backend_url}",
            f"start it with {' and '.join(f'{variable}=false' for variable in blocked)}",
        )
    else:
        yield ok("local addresses", f"Label Studio may connect to {settings.backend_url}")


def _backend(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    backends = [backend for backend in client.backends(project_id) if is_own_backend(backend, settings)]
    if not backends:
        yield warn(
            "backend",
            "not connected: labels arrive by `wildloop sync` only, and tasks outside the queue have no "
            "prediction",
            CREATE_AGAIN,
        )
        return
    backend = backends[0]
    if backend["url"].rstrip("/") != settings.backend_url:
        yield fail("backend", f"connected at {backend['url']}, not at {settings.backend_url}", CREATE_AGAIN)
    elif backend["state"] == CONNECTED:
        yield ok("backend", f"connected at {backend['url']}")
    elif "401" in (backend["error_message"] or ""):
        yield fail(
            "backend",
            f"{backend['url']} rejects the password that Label Studio sends",
            f"run `wildloop serve` and {CREATE_AGAIN.removeprefix('run ')}, with the same settings",
        )
    else:
        yield fail(
            "backend",
            f"Label Studio cannot reach {backend['url']}: {backend['error_message'] or 'no answer'}",
            "start it with `wildloop serve`; WILDLOOP_BACKEND_URL is its address as Label Studio reaches it",
        )
    if len(backends) > 1:
        yield warn("backend", f"connected {len(backends)} times", CREATE_AGAIN)


def _webhooks(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    webhooks = client.webhooks(project_id)
    present = [webhook for webhook in webhooks if webhook["url"] == webhook_url(settings)]
    for webhook in stray_webhooks(webhooks, settings):
        yield warn("webhook", f"a superfluous one sends to {webhook['url']}", CREATE_AGAIN)
    if not present:
        yield warn("webhook", "none: labels arrive by `wildloop sync` only", CREATE_AGAIN)
    elif not is_secured(present[0], settings):
        yield fail(
            "webhook",
            f"{present[0]['url']} is inactive, or lacks the header {SECRET_HEADER}: the backend rejects it",
            CREATE_AGAIN,
        )
    else:
        yield ok("webhook", f"{present[0]['url']} with its secret")


def _prediction_import(client: LabelStudio, project_id: int) -> Iterator[CheckResult]:
    """Check which of two code paths imports predictions: their error messages for task 0 differ."""
    message = client.refusal_of(
        "checking how predictions are imported",
        f"api/projects/{project_id}/import/predictions",
        [{"task": 0, "result": [], "score": 0, "model_version": "wildloop-doctor"}],
    )
    remedy = f"start Label Studio with {FAST_IMPORT_FLAG}=true"
    if "task ID 0 not found" in message:
        yield ok("prediction import", "fast")
    elif "Invalid task ID 0" in message or "corresponding task ID" in message:
        yield warn("prediction import", "slow: each push recounts every task of the project", remedy)
    else:
        yield warn("prediction import", f"fast or slow: unknown, the server says {message!r}", remedy)
