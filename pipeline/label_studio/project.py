"""Setting up a Label Studio project for Wildloop. Settings that are right are not touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import LabelStudioError
from pipeline.label_studio import config, ml_backend
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.files import FOLDERS, ROOT_VARIABLE, ServedFiles
from pipeline.label_studio.results import CONTROL
from pipeline.label_studio.roles import SetUpClient
from pipeline.label_studio.tabs import ensure_tabs
from pipeline.records import EMPTY, UNSURE, category_name
from pipeline.settings import Settings

UNCERTAINTY = "Uncertainty sampling"  # the sampling that shows tasks by the score of their prediction


def ensure_project(
    client: SetUpClient,
    settings: Settings,
    *,
    title: str,
    species: Sequence[str],
    hints: Mapping[str, str] | None = None,
    project_id: int | None = None,
    model_version: str | None = None,
    connect_backend: bool = True,
    known: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Create the project or update the existing one; returns its id and a line for each change.

    The existing project is the one with `title`, or the one with `project_id`, which then gets `title`.
    Species are added and sorted as given; one that annotations use stays. A choice keeps its own spelling,
    such as "Moose". `hints` are those of `config.render`; `known` is the category that each name stands for,
    if it is another name of one. `model_version` is the current version, which the queue must follow.
    `settings` must contain all secrets (`Settings.with_secrets`). Raises LabelStudioError, also if the
    backend is not running: Label Studio calls it to connect it.
    """
    project = _find(client, title, project_id)
    if project is None:
        project = client.create_project(
            title=title,
            label_config=config.render(species, hints=hints),
            sampling=UNCERTAINTY,
            show_collab_predictions=True,
        )
        changes = [f"created project {project['id']} ({title}) with {len(species)} species"]
    else:
        changes = _update(client, project, title, species, hints, known or {})
    number, version_before = int(project["id"]), str(project["model_version"] or "")
    changes += _serve_files(client, settings, number)
    if connect_backend:
        changes += ml_backend.connect(client, settings, number)
    changes += _choose_version(client, number, model_version, version_before)
    changes += ensure_tabs(client, number)
    return number, changes


def _find(client: SetUpClient, title: str, project_id: int | None) -> dict[str, Any] | None:
    if project_id is not None:
        return client.project(project_id)
    same_title = client.projects(title)
    if len(same_title) > 1:
        numbers = ", ".join(str(project["id"]) for project in same_title)
        raise LabelStudioError(
            f"Label Studio has several projects named {title!r}: {numbers}",
            remedy="choose one with --project ID",
        )
    return same_title[0] if same_title else None


def _update(
    client: SetUpClient,
    project: dict[str, Any],
    title: str,
    species: Sequence[str],
    hints: Mapping[str, str] | None,
    known: Mapping[str, str],
) -> list[str]:
    fields: dict[str, Any] = {}
    changes: list[str] = []
    if project["title"] != title:
        fields["title"] = title
        changes.append(f"renamed {project['title']!r} to {title!r}")
    label_config, lines = _label_config(client, project, species, hints, known)
    changes += lines
    if label_config is not None:
        fields["label_config"] = label_config
    if project["sampling"] != UNCERTAINTY:
        fields["sampling"] = UNCERTAINTY
        changes.append(f"sampling: {UNCERTAINTY} instead of {project['sampling']}")
    if not project["show_collab_predictions"]:
        fields["show_collab_predictions"] = True
        changes.append("predictions: shown to annotators")
    if fields:
        client.update_project(int(project["id"]), **fields)
    return changes


def _label_config(
    client: SetUpClient,
    project: Mapping[str, Any],
    species: Sequence[str],
    hints: Mapping[str, str] | None,
    known: Mapping[str, str],
) -> tuple[str | None, list[str]]:
    """The new label config and a line for each change; None if the project has it already."""
    label_config = str(project["label_config"])
    present = config.offered(label_config)

    def category(word: str) -> str:
        name = category_name(word)
        return known.get(name, name)

    spelling: dict[str, str] = {}
    for word in present:
        spelling.setdefault(category(word), word)
    listed = list(dict.fromkeys(spelling.get(category(name), name) for name in species))
    missing = [word for word in present if word not in {*listed, EMPTY, UNSURE}]
    used = client.used_choices(int(project["id"]), CONTROL) if missing else {}
    kept = [word for word in missing if used.get(word)]
    wanted = config.render([*listed, *kept], present, hints, config.former(label_config))
    changes = []
    if kept:
        named = ", ".join(f"{word} ({used[word]})" for word in kept)
        changes.append(f"kept, because labels use them, though they are not in the list: {named}")
    if config.same(wanted, label_config):
        return None, changes
    added = [name for name in listed if name not in present]
    dropped = [word for word in missing if word not in kept]
    changes += [f"species added: {', '.join(added)}"] if added else []
    changes += [f"species removed: {', '.join(dropped)}"] if dropped else []
    return wanted, changes or ["label config updated"]


def _serve_files(client: SetUpClient, settings: Settings, project_id: int) -> list[str]:
    served = ServedFiles.of(settings)
    present = {storage["path"] for storage in client.local_storages(project_id)}
    changes = []
    for name, path in zip(FOLDERS, served.folders, strict=True):
        if path in present:
            continue
        (settings.data_dir / name).mkdir(parents=True, exist_ok=True)  # Label Studio requires it to exist
        try:
            client.add_local_storage(project_id, path=path, title=f"Wildloop {name}")
        except ApiResponseError as error:
            raise LabelStudioError(
                f"Label Studio does not serve {path}: {error.detail}",
                remedy="start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and "
                f"{ROOT_VARIABLE}={served.root}, and set {ROOT_VARIABLE} for wildloop as well",
            ) from error
        changes.append(f"local storage added: {path}")
    return changes


def _choose_version(
    client: SetUpClient, project_id: int, model_version: str | None, version_before: str
) -> list[str]:
    """Make the queue follow the current version: to connect a backend sets it to the backend's title."""
    wanted = model_version if model_version in client.prediction_versions(project_id) else ""
    if (client.project(project_id)["model_version"] or "") != wanted:
        client.update_project(project_id, model_version=wanted)
    if version_before == wanted:
        return []
    return [f"model version: {wanted or 'none'} instead of {version_before or 'none'}"]
