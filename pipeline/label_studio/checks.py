"""What can be wrong with a Label Studio and a project of it, each with its remedy.

Everything is asked over the API and leaves nothing behind: where a setting of the server can be told
only by its refusals, it is sent something that it refuses either way, and its words tell which way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipeline.errors import LabelStudioError, WildloopError
from pipeline.label_studio import config
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.files import ROOT_VARIABLE, ServedFiles
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
    """How bad it is."""

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


def examine_server(client: LabelStudio) -> Iterator[CheckResult]:
    """Whether the server answers and takes the token; ends at the first thing that is fatal."""
    try:
        yield ok("server", f"Label Studio {client.version()} at {client.url}")
    except LabelStudioError as exc:
        yield _broken("server", exc)
        return
    kind = "legacy token" if client.uses_legacy_token else "refresh token"
    try:
        yield ok("token", f"{kind} of {client.whoami().get('email')}")
    except LabelStudioError as exc:
        remedy = "copy a token from Account & Settings > Access Token into LABEL_STUDIO_API_KEY"
        if client.uses_legacy_token:
            remedy += (
                "; legacy tokens work only where the server has LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true"
            )
        yield fail("token", str(exc), remedy)


def examine_project(
    client: LabelStudio, settings: Settings, record: ProjectRecord, crop: str | None
) -> Iterator[CheckResult]:
    """Every check of one project. `crop` is a published crop, below the data folder, to be fetched."""
    try:
        project = client.project(record.id)
    except LabelStudioError as exc:
        yield _broken("project", exc)
        return
    yield ok("project", f"{project['title']!r} with {project['task_number']} tasks")
    checks: list[Callable[[], Iterator[CheckResult]]] = [
        lambda: _label_config(project),
        lambda: _queue(project, record),
        lambda: _storages(client, settings, record.id),
        lambda: _crop(client, settings, crop),
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


def _label_config(project: Mapping[str, Any]) -> Iterator[CheckResult]:
    try:
        number = len(config.species_of(str(project["label_config"])))
    except LabelStudioError as exc:
        yield fail("label config", str(exc), CREATE_AGAIN)
        return
    yield ok("label config", f"{number} species")


def _queue(project: Mapping[str, Any], record: ProjectRecord) -> Iterator[CheckResult]:
    """What makes Label Studio follow our order and show our predictions."""
    if project["sampling"] != UNCERTAINTY:
        yield fail("sampling", f"{project['sampling']}: the order of the queue is ignored", CREATE_AGAIN)
    else:
        yield ok("sampling", UNCERTAINTY)
    if not project["show_collab_predictions"]:
        yield fail("predictions", "annotators are not shown any", CREATE_AGAIN)
    chosen = project["model_version"] or None
    if record.current_model is None:
        yield warn("model version", "no queue yet, so tasks come in random order", "run `wildloop publish`")
    elif chosen == record.current_model:
        yield ok("model version", record.current_model)
    elif chosen == BACKEND_TITLE:
        yield fail(
            "model version",
            f"the ML backend {chosen!r} is chosen for live predictions, so tasks come in random order",
            f"choose {record.current_model} under Settings > Annotation, or run `wildloop push`",
        )
    else:
        yield fail(
            "model version",
            f"the project follows {chosen or 'no version'}, not {record.current_model}: the order is random",
            "run `wildloop push`",
        )


def _storages(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    served = ServedFiles.of(settings)
    present = {storage["path"] for storage in client.local_storages(project_id)}
    missing = [path for path in served.folders if path not in present]
    if missing:
        yield fail("local storage", f"the project lacks {', '.join(missing)}", CREATE_AGAIN)
    else:
        yield ok("local storage", ", ".join(served.folders))


def _crop(client: LabelStudio, settings: Settings, crop: str | None) -> Iterator[CheckResult]:
    if crop is None:
        yield warn("crops", "none is published, so none could be fetched", "run `wildloop publish`")
        return
    served = ServedFiles.of(settings)
    try:
        client.content(served.address(crop))
    except ApiResponseError as refusal:
        if refusal.status == 403:
            remedy = "start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true"
        else:
            remedy = f"give Label Studio and wildloop the same {ROOT_VARIABLE} (here {served.root})"
        yield fail("crops", f"Label Studio answers {refusal.status} for {served.address(crop)}", remedy)
        return
    yield ok("crops", "served by Label Studio")


def _addresses(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    """Whether the server would talk to our addresses at all: the other fields are wrong on purpose."""
    backend = client.refusal_of(
        "asking whether the backend's address is allowed",
        "api/ml",
        {"project": project_id, "url": settings.backend_url, "timeout": "not a number"},
    )
    webhook = client.refusal_of(
        "asking whether the webhook's address is allowed",
        "api/webhooks/",
        {"project": project_id, "url": webhook_url(settings), "headers": "not an object"},
    )
    blocked = [
        variable
        for variable, words in (("ML_BLOCK_LOCAL_IP", backend), ("SSRF_PROTECTION_ENABLED", webhook))
        if is_blocked(words)
    ]
    if blocked:
        yield fail(
            "local addresses",
            f"Label Studio refuses to talk to {settings.backend_url}",
            f"start it with {' and '.join(f'{each}=false' for each in blocked)}",
        )
    else:
        yield ok("local addresses", f"Label Studio may talk to {settings.backend_url}")


def _backend(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    mine = [each for each in client.backends(project_id) if is_own_backend(each, settings)]
    if not mine:
        yield warn(
            "backend",
            "not connected: labels arrive by `wildloop sync` only, and tasks outside the queue stay blank",
            CREATE_AGAIN,
        )
        return
    backend = mine[0]
    if backend["url"].rstrip("/") != settings.backend_url:
        yield fail("backend", f"connected at {backend['url']}, not at {settings.backend_url}", CREATE_AGAIN)
    elif backend["state"] == CONNECTED:
        yield ok("backend", f"connected at {backend['url']}")
    elif "401" in (backend["error_message"] or ""):
        yield fail(
            "backend",
            f"{backend['url']} does not take the password that Label Studio has",
            f"run `wildloop serve` and {CREATE_AGAIN.removeprefix('run ')}, with the same settings",
        )
    else:
        yield fail(
            "backend",
            f"Label Studio cannot reach {backend['url']}: {backend['error_message'] or 'no answer'}",
            "start it with `wildloop serve`; WILDLOOP_BACKEND_URL is its address as Label Studio reaches it",
        )
    if len(mine) > 1:
        yield warn("backend", f"connected {len(mine)} times", CREATE_AGAIN)


def _webhooks(client: LabelStudio, settings: Settings, project_id: int) -> Iterator[CheckResult]:
    webhooks = client.webhooks(project_id)
    present = [each for each in webhooks if each["url"] == webhook_url(settings)]
    for each in stray_webhooks(webhooks, settings):
        yield warn("webhook", f"a stray one sends to {each['url']}", CREATE_AGAIN)
    if not present:
        yield warn("webhook", "none: labels arrive by `wildloop sync` only", CREATE_AGAIN)
    elif not is_secured(present[0], settings):
        yield fail(
            "webhook",
            f"{present[0]['url']} is switched off, or lacks its {SECRET_HEADER}: the backend turns it away",
            CREATE_AGAIN,
        )
    else:
        yield ok("webhook", f"{present[0]['url']} with its secret")


def _prediction_import(client: LabelStudio, project_id: int) -> Iterator[CheckResult]:
    """Which of its two ways the server imports predictions: each refuses task 0 in words of its own."""
    words = client.refusal_of(
        "asking how predictions are imported",
        f"api/projects/{project_id}/import/predictions",
        [{"task": 0, "result": [], "score": 0, "model_version": "wildloop-doctor"}],
    )
    remedy = f"start Label Studio with {FAST_IMPORT_FLAG}=true"
    if "task ID 0 not found" in words:
        yield ok("prediction import", "fast")
    elif "Invalid task ID 0" in words or "corresponding task ID" in words:
        yield warn("prediction import", "slow: each push recounts every task of the project", remedy)
    else:
        yield warn("prediction import", f"cannot tell whether it is fast: {words!r}", remedy)
