"""A species list -> a Label Studio project, with its categories and its record in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from pipeline.embedders import load
from pipeline.errors import ModelError, SourceError
from pipeline.label_studio import config
from pipeline.label_studio.annotations import moment
from pipeline.label_studio.project import ensure_project
from pipeline.label_studio.roles import SetUpClient
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.label_studio.species import SpeciesList
from pipeline.records import ProjectRecord, Taxon, category_name
from pipeline.steps.labelling.embedder import default_embedder
from pipeline.steps.labelling.instructions import write_instructions
from pipeline.store import categories, choices, embeddings, oracle, projects, taxa
from pipeline.taxonomy import hint
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
    species: SpeciesList | Sequence[str],
    embedder_id: str,
    project_id: int | None = None,
    connect_backend: bool = True,
    options: ScreenOptions | None = None,
) -> tuple[ProjectRecord, list[str]]:
    """Create the project or update the existing one; returns its record and what was changed.

    `species` is the list, or its names alone. Its taxa and other names hold in all projects of the store:
    labels that came in under another name of a choice, or will, count as the choice. `embedder_id` is a
    registered embedder, whose vectors order the queue. `options` are those of the screens; without, an
    existing project keeps its own. A second call with the same arguments changes nothing. Raises ModelError
    if the existing project has another embedder, and SourceError if another name in the list is a choice of
    another project; nothing is changed then. Raises LabelStudioError and SettingsError, each with the remedy.
    """
    listed = species if isinstance(species, SpeciesList) else SpeciesList(names=list(species))
    existing = known_project(workspace, client, title, project_id)
    asked = options or ScreenOptions.from_json(existing.options if existing else None)
    with workspace.database.read() as conn:
        names = categories.names(conn)
        known = {name: names[number] for name, number in categories.numbers(conn).items()}
        hints = scientific_names(conn, listed.taxa)
    if existing is not None and existing.embedder != embedder_id:
        with workspace.database.read() as conn:
            remedy = f"`{embeddings.use_command(conn, embedder_id, existing.id)}` changes that"
        raise ModelError(
            f"project {existing.id} works with {existing.embedder}, not with {embedder_id}", remedy=remedy
        )
    _refuse_choices_elsewhere(workspace, listed, existing)
    number, changes = ensure_project(
        client,
        workspace.settings.with_secrets(),
        title=title,
        species=listed.names,
        hints=hints,
        project_id=project_id,
        model_version=existing.current_model if existing else None,
        connect_backend=connect_backend,
        known=known,
        options=asked,
    )
    present = client.project(number)
    words = list(config.offered(str(present["label_config"])))
    made_at = moment(present["created_at"]) if present.get("created_at") else None
    record = ProjectRecord(id=number, title=title, embedder=embedder_id, options=asked.to_json())
    with workspace.database.write() as conn:
        if not projects.save(conn, record) and existing is None:
            # Label Studio has given the id again, or the project was forgotten.
            projects.renew(conn, record, made_at=made_at)
        projects.set_options(conn, number, asked.to_json())
        renamed = taxa.save_list(conn, listed.names, listed.taxa, listed.other_names)
        changes += [f"labels {name} count as {choice}" for name, choice in renamed.items()]
        changes += [
            f'{name} stays another name of {known[name]}: `wildloop project species add "{name}"` parts them'
            for name in listed.names
            if known.get(name, name) != name and known[name] in listed.names
        ]
        choices.see(conn, number, words)
    if write_instructions(workspace, client, number):
        changes.append("instructions written")
    with workspace.database.read() as conn:
        return projects.get(conn, number), changes


def scientific_names(conn: sa.Connection, listed: Iterable[Taxon] = ()) -> dict[str, str]:
    """What screens show beside the categories, by their names; those of `listed` have what it says."""
    described = {taxon.category: taxon for taxon in taxa.all(conn).values()}
    described |= {taxon.category: taxon for taxon in listed if taxon.scientific_name}
    return {name: shown for name, taxon in described.items() if (shown := hint(taxon)) is not None}


def _refuse_choices_elsewhere(
    workspace: Workspace, listed: SpeciesList, existing: ProjectRecord | None
) -> None:
    """Raise SourceError if the list gives a choice of another project to one of its own as another name."""
    with workspace.database.read() as conn:
        others = [record for record in projects.active(conn) if existing is None or record.id != existing.id]
    for record in others:
        offered = {category_name(choice) for choice in record.choices or ()}
        taken = sorted(offered & listed.other_names.keys())
        if taken:
            choice = listed.other_names[taken[0]]
            raise SourceError(
                f"{taken[0]!r}, another name of {choice!r} in the species list, is a choice of project "
                f"{record.id} ({record.title})",
                remedy="give the species one name in both projects, or leave that name out of the list",
            )


def forget_project(workspace: Workspace, project_id: int) -> int:
    """Forget a project that was deleted in Label Studio; returns how many labels it has, which stay.

    Nothing asks Label Studio for it any more, and no command lists it. `create_project` with the same id
    brings it back. Raises StoreError for an unknown project.
    """
    with workspace.database.write() as conn:
        projects.get(conn, project_id)
        projects.forget(conn, project_id)
        return oracle.label_count(conn)
