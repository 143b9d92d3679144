"""Setting up a Label Studio project for Wildloop. Settings that are right are not touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import LabelStudioError
from pipeline.label_studio import config, ml_backend
from pipeline.label_studio.connection import ApiResponseError
from pipeline.label_studio.files import FOLDERS, ROOT_VARIABLE, ServedFiles
from pipeline.label_studio.roles import OptionsClient, SetUpClient
from pipeline.label_studio.screen import controls
from pipeline.label_studio.screen.controls import NAMED
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.tabs import ensure_tabs
from pipeline.records import EMPTY, UNSURE, category_name
from pipeline.settings import Settings

# The controls of each option, which Label Studio keeps once annotations have them (1.23.2)
OPTIONAL = {
    "count": (controls.COUNT, controls.GROUP_COUNT),
    "sex": (controls.SEX,),
    "age": (controls.AGE,),
    "behaviour": (controls.BEHAVIOUR,),
    "several": (controls.ALSO,),
    "comment": (controls.COMMENT, controls.GROUP_COMMENT),
}
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
    options: ScreenOptions | None = None,
) -> tuple[int, list[str]]:
    """Create the project or update the existing one; returns its id and a line for each change.

    The existing project is the one with `title`, or the one with `project_id`, which then gets `title`.
    Species are added and sorted as given; one that annotations use stays. A choice keeps its own spelling,
    such as "Moose". `hints` are those of `config.render`; `known` is the category that each name stands for,
    if it is another name of one. `options` say what the screens ask. `model_version` is the current version,
    which the queue must follow.
    `settings` must contain all secrets (`Settings.with_secrets`). Raises LabelStudioError, also if the
    backend is not running, which Label Studio calls to connect it, or if the existing project has the screen
    of an earlier release.
    """
    options = options or ScreenOptions()
    project = _find(client, title, project_id)
    if project is None:
        project = client.create_project(
            title=title,
            label_config=config.render(species, hints=hints, options=options),
            sampling=UNCERTAINTY,
            show_collab_predictions=True,
        )
        changes = [f"created project {project['id']} ({title}) with {len(species)} species"]
    else:
        config.refuse_earlier(int(project["id"]), str(project["label_config"]))
        refuse_used(client, int(project["id"]), options)
        changes = _update(client, project, title, species, hints, known or {}, options)
    number, version_before = int(project["id"]), str(project["model_version"] or "")
    changes += _serve_files(client, settings, number)
    if connect_backend:
        changes += ml_backend.connect(client, settings, number)
    changes += _choose_version(client, number, model_version, version_before)
    changes += ensure_tabs(client, number)
    return number, changes


def refuse_used(client: OptionsClient, project_id: int, options: ScreenOptions) -> None:
    """Raise LabelStudioError if annotations have what `options` do not ask."""
    used = client.used_controls(project_id)
    for option, names in OPTIONAL.items():
        count = sum(used.get(name, 0) for name in names)
        if count and not getattr(options, option):
            raise LabelStudioError(
                f"annotations of project {project_id} have the option {option} ({count:,}), and Label Studio "
                "keeps what annotations have",
                remedy=f"leave it on, or `wildloop project renew --project {project_id} --without {option}` "
                "makes a project without it that goes on with the labels",
            )


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
    options: ScreenOptions,
) -> list[str]:
    fields: dict[str, Any] = {}
    changes: list[str] = []
    if project["title"] != title:
        fields["title"] = title
        changes.append(f"renamed {project['title']!r} to {title!r}")
    label_config, lines = _label_config(client, project, species, hints, known, options)
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
    options: ScreenOptions,
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
    used = client.used_choices(int(project["id"]), NAMED) if missing else {}
    kept = [word for word in missing if used.get(word)]
    wanted = config.render([*listed, *kept], present, hints, config.former(label_config), options)
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
