"""A new Label Studio project that goes on with the labels of a present one.

Label Studio does not let a project whose tasks have annotations change to other controls (1.23.2). Labels are
of detections, not of projects: a new project from the same store has them all.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import LabelStudioError
from pipeline.label_studio import config
from pipeline.label_studio.client import LabelStudio
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.records import ProjectRecord
from pipeline.steps.labelling.project import create_project
from pipeline.steps.labelling.sync import sync
from pipeline.store import audits, oracle, projects, tasks
from pipeline.workspace import Workspace

FORMER = " (replaced)"  # behind the title of the project whose title the new one has


@dataclass(frozen=True, kw_only=True)
class Renewal:
    """What a renewal did."""

    former: ProjectRecord
    new: ProjectRecord
    changes: list[str]  # a line for each thing that was set up
    labels: int  # that the new project goes on with
    audit: int  # crops of the audit sample that it has taken over


def renew_project(
    workspace: Workspace,
    client: LabelStudio,
    project_id: int,
    *,
    title: str | None = None,
    options: ScreenOptions | None = None,
    connect_backend: bool = True,
) -> Renewal:
    """Make a new project with the species, taxa, embedder, audit sample and labels of a present one.

    Without `title` the new project gets the title of the present one, which gets `FORMER` behind its own. The
    present one is synced before; it is synced afterwards, too, so that late answers count, but nothing is
    asked or trained in it any more. A run that was interrupted can be repeated. Raises StoreError for an
    unknown or replaced project, and LabelStudioError, also if the title is that of another project.
    """
    with workspace.database.read() as conn:
        former = projects.active_one(conn, project_id)
    wanted = title or former.title.removesuffix(FORMER)
    _refuse_taken(workspace, client, wanted, project_id)
    sync(workspace, client, project_id)
    label_config = str(client.project(project_id)["label_config"])
    if former.title == wanted:
        client.update_project(project_id, title=f"{wanted}{FORMER}")
        with workspace.database.write() as conn:
            projects.rename(conn, project_id, f"{wanted}{FORMER}")
    new, changes = create_project(
        workspace,
        client,
        title=wanted,
        species=config.species_of(label_config),
        embedder_id=former.embedder,
        options=options or ScreenOptions.from_json(former.options),
        connect_backend=connect_backend,
    )
    with workspace.database.write() as conn:
        inherited = audits.inherit(conn, project_id, new.id)
        projects.replace(conn, project_id, new.id)
        return Renewal(
            former=projects.get(conn, project_id),
            new=new,
            changes=changes,
            labels=oracle.label_count(conn),
            audit=inherited,
        )


def _refuse_taken(workspace: Workspace, client: LabelStudio, title: str, project_id: int) -> None:
    """Raise LabelStudioError if another project that was ever in use has the title.

    One that asks nothing yet is what an interrupted renewal left: it is used.
    """
    with workspace.database.read() as conn:
        others = {record.id for record in projects.all(conn)} - {project_id}
        known = {number for number in others if tasks.count(conn, number)}
    taken = [int(project["id"]) for project in client.projects(title) if int(project["id"]) in known]
    if taken:
        raise LabelStudioError(
            f"project {taken[0]} has the title {title!r} already", remedy="give another one with --title"
        )
