"""A species list -> a Label Studio project, its categories and its record."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.embedders import load
from pipeline.errors import ModelError
from pipeline.label_studio.project import ensure_project
from pipeline.label_studio.roles import SetUpClient
from pipeline.records import ProjectRecord
from pipeline.store import categories, embeddings, projects
from pipeline.workspace import Workspace


def known_project(
    workspace: Workspace, client: SetUpClient, title: str, project_id: int | None
) -> ProjectRecord | None:
    """The store's record of the project that `create_project` would take; None where it is new."""
    numbers = [project_id] if project_id is not None else [each["id"] for each in client.projects(title)]
    with workspace.database.read() as conn:
        return next((record for record in projects.all(conn) if record.id in numbers), None)


def project_embedder(
    workspace: Workspace, client: SetUpClient, title: str, project_id: int | None, spec: str | None
) -> str:
    """The id of the embedder for `create_project`: the one that `spec` names, loaded and registered.

    Without `spec`, an existing project keeps its embedder, and a new one gets that of the settings. Raises
    EmbedderError and LabelStudioError.
    """
    existing = known_project(workspace, client, title, project_id)
    if existing is not None and spec is None:
        return existing.embedder
    embedder = load(spec or workspace.settings.embedder, data_dir=workspace.data_dir)
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
    """Create the project or make the existing one right; returns its record and what was changed.

    A new project's queue is ordered by the embeddings of registered `embedder_id`. A second run changes
    nothing. Raises ModelError, before anything is changed, where the project works with another
    embedder, and LabelStudioError and SettingsError, each with the remedy.
    """
    before = known_project(workspace, client, title, project_id)
    if before is not None and before.embedder != embedder_id:
        with workspace.database.read() as conn:
            remedy = f"`{embeddings.use_command(conn, embedder_id, before.id)}` changes that"
        raise ModelError(
            f"project {before.id} works with {before.embedder}, not with {embedder_id}", remedy=remedy
        )
    number, changes = ensure_project(
        client,
        workspace.settings.with_secrets(),
        title=title,
        species=species,
        project_id=project_id,
        model_version=before.current_model if before else None,
        connect_backend=connect_backend,
    )
    with workspace.database.write() as conn:
        projects.save(conn, ProjectRecord(id=number, title=title, embedder=embedder_id))
        categories.ensure(conn, species)
        return projects.get(conn, number), changes
