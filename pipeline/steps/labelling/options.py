"""Changing what the screens of a project ask, while people label."""

from __future__ import annotations

from pipeline.label_studio import config
from pipeline.label_studio.project import refuse_used
from pipeline.label_studio.roles import OptionsClient
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.steps.labelling.instructions import renew_instructions
from pipeline.steps.labelling.project import scientific_names
from pipeline.store import projects
from pipeline.workspace import Workspace


def change_options(
    workspace: Workspace, client: OptionsClient, project_id: int, options: ScreenOptions
) -> bool:
    """Give the project these options; returns whether that changes any.

    What is asked beside the species is there in open tasks, too; boxes, and whatever decides which tasks
    there are, in tasks from now on. Raises StoreError for an unknown or replaced project, and
    LabelStudioError for the screen of an earlier release, or if annotations have what shall not be asked.
    """
    with workspace.database.read() as conn:
        present = ScreenOptions.from_json(projects.active_one(conn, project_id).options)
        hints = scientific_names(conn)
    label_config = str(client.project(project_id)["label_config"])
    config.refuse_earlier(project_id, label_config)
    refuse_used(client, project_id, options)
    offered, former = config.offered(label_config), config.former(label_config)
    wanted = config.render(config.species_of(label_config), offered, hints, former, options)
    if not config.same(wanted, label_config):
        client.update_project(project_id, label_config=wanted)
    with workspace.database.write() as conn:
        projects.set_options(conn, project_id, options.to_json())
    renew_instructions(workspace, client, project_id)
    return options != present
