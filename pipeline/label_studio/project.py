"""A Label Studio project set up for Wildloop. What is right already is left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import LabelStudioError
from pipeline.label_studio import config
from pipeline.label_studio.client import BASIC_AUTH, LabelStudio
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.files import ROOT_VARIABLE, ServedFiles
from pipeline.label_studio.results import CONTROL
from pipeline.records import EMPTY, UNSURE
from pipeline.settings import Settings

BACKEND_TITLE = "Wildloop"
SECRET_HEADER = "X-Wildloop-Secret"
UNCERTAINTY = "Uncertainty sampling"
CONNECTED = "CO"


def ensure_project(
    client: LabelStudio,
    settings: Settings,
    *,
    title: str,
    species: Sequence[str],
    project_id: int | None = None,
    model_version: str | None = None,
    connect_backend: bool = True,
) -> tuple[int, list[str]]:
    """Create the project, or make the existing one right; returns its id and what was changed.

    The project of `title` is taken, or the one of `project_id`, which then gets that title. Species are
    added and put in the order given; one that annotations use cannot go. `model_version` is the version
    that its queue follows now. `settings` carry every secret (`Settings.with_secrets`). Raises
    LabelStudioError, also where the backend is not up: Label Studio asks it before it connects.
    """
    found = _find(client, title, project_id)
    if found is None:
        found = client.create_project(
            title=title,
            label_config=config.render(species),
            sampling=UNCERTAINTY,
            show_collab_predictions=True,
        )
        changes = [f"created project {found['id']} ({title}) with {len(species)} species"]
    else:
        changes = _update(client, found, title, species)
    number, chosen = int(found["id"]), str(found["model_version"] or "")
    changes += _serve_files(client, settings, number)
    if connect_backend:
        changes += _connect(client, settings, number)
    changes += _choose_version(client, number, model_version, chosen)
    return number, changes


def webhook_url(settings: Settings) -> str:
    """Where Label Studio is to tell the backend what happened."""
    return f"{settings.backend_url}/webhook"


def ours(backend: Mapping[str, Any], settings: Settings) -> bool:
    """Whether an ML backend of Label Studio's is Wildloop's, at its present or an earlier address."""
    return backend["title"] == BACKEND_TITLE or str(backend["url"]).rstrip("/") == settings.backend_url


def stray_webhooks(webhooks: Sequence[Mapping[str, Any]], settings: Settings) -> list[Mapping[str, Any]]:
    """Webhooks that were ours once, and every repetition of the one that still is.

    Label Studio leaves a webhook behind when its backend is removed or moves to another address.
    """
    target = webhook_url(settings)
    present = [each for each in webhooks if each["url"] == target]
    former = [each for each in webhooks if each["url"] != target and SECRET_HEADER in (each["headers"] or {})]
    return [*present[1:], *former]


def _find(client: LabelStudio, title: str, project_id: int | None) -> dict[str, Any] | None:
    if project_id is not None:
        return client.project(project_id)
    named = client.projects(title)
    if len(named) > 1:
        numbers = ", ".join(str(each["id"]) for each in named)
        raise LabelStudioError(
            f"Label Studio has several projects named {title!r}: {numbers}",
            remedy="choose one with --project ID",
        )
    return named[0] if named else None


def _update(client: LabelStudio, found: dict[str, Any], title: str, species: Sequence[str]) -> list[str]:
    fields: dict[str, Any] = {}
    changes: list[str] = []
    if found["title"] != title:
        fields["title"] = title
        changes.append(f"renamed {found['title']!r} to {title!r}")
    wanted, told = _label_config(client, found, species)
    if wanted is not None:
        fields["label_config"] = wanted
        changes += told
    if found["sampling"] != UNCERTAINTY:
        fields["sampling"] = UNCERTAINTY
        changes.append(f"sampling: {UNCERTAINTY} instead of {found['sampling']}")
    if not found["show_collab_predictions"]:
        fields["show_collab_predictions"] = True
        changes.append("predictions are shown to annotators")
    if fields:
        client.update_project(int(found["id"]), **fields)
    return changes


def _label_config(
    client: LabelStudio, found: Mapping[str, Any], species: Sequence[str]
) -> tuple[str | None, list[str]]:
    """The label config that the project lacks, and what it changes; None where it has it already."""
    present = config.offered(str(found["label_config"]))
    wanted = config.render(species, present)
    if config.same(wanted, str(found["label_config"])):
        return None, []
    kept = {*species, EMPTY, UNSURE}
    dropped = [name for name in present if name not in kept]
    used = client.used_choices(int(found["id"]), CONTROL) if dropped else {}
    in_use = [f"{name} ({used[name]})" for name in dropped if used.get(name)]
    if in_use:
        raise LabelStudioError(
            f"the list leaves out species that project {found['id']} has labels of: {', '.join(in_use)}",
            remedy="put them back into the list",
        )
    added = [name for name in species if name not in present]
    changes = [f"species added: {', '.join(added)}"] if added else []
    changes += [f"species removed: {', '.join(dropped)}"] if dropped else []
    return wanted, changes or ["label config brought up to date"]


def _serve_files(client: LabelStudio, settings: Settings, project_id: int) -> list[str]:
    served = ServedFiles.of(settings)
    present = {storage["path"] for storage in client.local_storages(project_id)}
    changes = []
    for name, path in zip(("crops", "frames"), served.folders, strict=True):
        if path in present:
            continue
        (settings.data_dir / name).mkdir(parents=True, exist_ok=True)  # it must exist to be added
        try:
            client.add_local_storage(project_id, path=path, title=f"Wildloop {name}")
        except ApiResponseError as refusal:
            raise LabelStudioError(
                f"Label Studio will not serve {path}: {refusal.detail}",
                remedy="start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                f"{ROOT_VARIABLE}={served.root}, and set that variable for wildloop too",
            ) from refusal
        changes.append(f"local storage added: {path}")
    return changes


def _connect(client: LabelStudio, settings: Settings, project_id: int) -> list[str]:
    mine = [each for each in client.backends(project_id) if ours(each, settings)]
    before = client.webhooks(project_id)
    former = {f"{str(each['url']).rstrip('/')}/webhook" for each in mine} - {webhook_url(settings)}
    changes = []
    if not mine or not _right(mine[0], settings):
        _tell_backend(client, settings, project_id, int(mine[0]["id"]) if mine else None)
        changes.append(f"ML backend {'changed' if mine else 'connected'}: {settings.backend_url}")
    for each in mine[1:]:
        client.delete_backend(int(each["id"]))
        changes.append(f"ML backend removed, a repetition: {each['url']}")
    return changes + _secure_webhook(client, settings, project_id, before, former)


def _right(backend: Mapping[str, Any], settings: Settings) -> bool:
    """Whether the backend needs no change. Connected, it has also taken our password just now."""
    return (
        backend["state"] == CONNECTED
        and str(backend["url"]).rstrip("/") == settings.backend_url
        and backend["title"] == BACKEND_TITLE
        and backend["auth_method"] == BASIC_AUTH
        and backend["basic_auth_user"] == settings.basic_auth_user
    )


def _tell_backend(client: LabelStudio, settings: Settings, project_id: int, backend_id: int | None) -> None:
    try:
        client.connect_backend(
            project_id,
            url=settings.backend_url,
            title=BACKEND_TITLE,
            user=settings.basic_auth_user or "",
            password=settings.basic_auth_password or "",
            backend_id=backend_id,
        )
    except ApiResponseError as refusal:
        raise LabelStudioError(
            f"Label Studio does not accept the ML backend at {settings.backend_url}: {refusal.detail}",
            remedy=_connection_remedy(refusal),
        ) from refusal


def is_blocked(words: str) -> bool:
    """Whether Label Studio refused an address for being local or private."""
    return "reserved network" in words or "private network" in words


def _connection_remedy(refusal: ApiResponseError) -> str:
    """What to do about an address that Label Studio refused."""
    if is_blocked(refusal.detail):
        return "start Label Studio with ML_BLOCK_LOCAL_IP=false and SSRF_PROTECTION_ENABLED=false"
    if "authentication parameters" in refusal.detail or "401" in refusal.detail:
        return "the backend has other secrets: run it with the same settings and data folder"
    return "start it with `wildloop serve`; WILDLOOP_BACKEND_URL is its address as Label Studio reaches it"


def _secure_webhook(
    client: LabelStudio,
    settings: Settings,
    project_id: int,
    before: Sequence[Mapping[str, Any]],
    former: set[str],
) -> list[str]:
    """One webhook, to the present address, with the secret: Label Studio makes it without."""
    target = webhook_url(settings)
    headers = {SECRET_HEADER: settings.webhook_secret or ""}
    webhooks = client.webhooks(project_id)
    changes = []
    for each in stray_webhooks(webhooks, settings):
        client.delete_webhook(int(each["id"]))
        changes.append(f"webhook removed, no longer in use: {each['url']}")
    removed = {int(each["id"]) for each in stray_webhooks(webhooks, settings)}
    for each in before:
        if each["url"] in former and int(each["id"]) not in removed:
            client.delete_webhook(int(each["id"]))
            changes.append(f"webhook removed, of an earlier address: {each['url']}")
    present = [each for each in webhooks if each["url"] == target]
    try:
        if not present:
            client.create_webhook(project_id, url=target, headers=headers)
            changes.append(f"webhook added: {target}")
        elif not secured(present[0], settings):
            client.update_webhook(int(present[0]["id"]), url=target, headers=headers)
            changes.append(f"webhook given its secret: {target}")
    except ApiResponseError as refusal:
        raise LabelStudioError(
            f"Label Studio refuses the webhook {target}: {refusal.detail}",
            remedy="start Label Studio with SSRF_PROTECTION_ENABLED=false",
        ) from refusal
    return changes


def secured(webhook: Mapping[str, Any], settings: Settings) -> bool:
    """Whether a webhook is switched on, tells everything and carries our secret."""
    return bool(
        webhook["is_active"]
        and webhook["send_payload"]
        and webhook["send_for_all_actions"]
        and (webhook["headers"] or {}).get(SECRET_HEADER) == settings.webhook_secret
    )


def _choose_version(
    client: LabelStudio, project_id: int, model_version: str | None, chosen: str
) -> list[str]:
    """Point the queue at the current version: connecting a backend points it at the backend's title."""
    wanted = model_version if model_version in client.prediction_versions(project_id) else ""
    if (client.project(project_id)["model_version"] or "") != wanted:
        client.update_project(project_id, model_version=wanted)
    if chosen == wanted:
        return []
    return [f"model version: {wanted or 'none'} instead of {chosen or 'none'}"]
