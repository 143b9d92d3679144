"""A species list -> a Label Studio project, with its categories and its record in the store."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.embedders import load
from pipeline.errors import ModelError
from pipeline.label_studio.project import ensure_project
from pipeline.label_studio.roles import SetUpClient
from pipeline.records import ProjectRecord
from pipeline.steps.labelling.embedder import default_embedder
from pipeline.store import categories, embeddings, projects
from pipeline.workspace import Workspace


def known_project(
    workspace: Workspace, client: SetUpClient, title: str, project_id: int | None
) -> ProjectRecord | None:
    """The stored record of the project that `create_project` would update; None if it would create one."""
    ids = [project_id] if project_id is not None else [project["id"] for project in client.projects(title)]
    with workspace.database.read() as conn:
        return next((record for record in projects.all(conn) if record.id in ids), None)


def project_embedder(
    workspace: Workspace, client: SetUpClient, title: str, project_id: int | None, spec: str | None
) -> str:
    """The id of the embedder for `create_project`: the one that `spec` names, loaded and registered.

    Without `spec`, an existing project keeps its embedder, and a new one gets `default_embedder`. Raises
    EmbedderError and LabelStudioError.
    """
    existing = known_project(workspace, client, title, project_id)
    if existing is not None and spec is None:
        return existing.embedder
    embedder = load(spec, data_dir=workspace.data_dir) if spec else default_embedder(workspace)
    with workspace.database.write() as conn:
        embeddings.register(conn, embedder)
    return embedder.id


def create_project(
    workspace: Workspace,
    client: SetUpClient,
    *,
    title: str,
    species: Sequence[str],
    embedder_id: str,
    project_id: int | None = None,
    connect_backend: bool = True,
) -> tuple[ProjectRecord, list[str]]:
    """Create the project or update the existing one; returns its record and what was changed.

    `embedder_id` is a registered embedder, whose vectors order the queue. A second call with the same
    arguments changes nothing. Raises ModelError if the existing project has another embedder; nothing is
    changed then. Raises LabelStudioError and SettingsError, each with the remedy.
    """
    existing = known_project(workspace, client, title, project_id)
    if existing is not None and existing.embedder != embedder_id:
        with workspace.database.read() as conn:
            remedy = f"`{embeddings.use_command(conn, embedder_id, existing.id)}` changes that"
        raise ModelError(
            f"project {existing.id} works with {existing.embedder}, not with {embedder_id}", remedy=remedy
        )
    number, changes = ensure_project(
        client,
        workspace.settings.with_secrets(),
        title=title,
        species=species,
        project_id=project_id,
        model_version=existing.current_model if existing else None,
        connect_backend=connect_backend,
    )
    with workspace.database.write() as conn:
        projects.save(conn, ProjectRecord(id=number, title=title, embedder=embedder_id))
        categories.ensure(conn, species)
        return projects.get(conn, number), changes
