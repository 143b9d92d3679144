"""The instructions of a project, kept up to date with its species, its options and its labels."""

from __future__ import annotations

import logging

from pipeline.errors import WildloopError
from pipeline.label_studio.files import ServedFiles
from pipeline.label_studio.instructions import example_crops, guidance, has_guidance, with_guidance
from pipeline.label_studio.roles import InstructionsClient
from pipeline.label_studio.screen.options import ScreenOptions
from pipeline.steps.labelling.species_examples import species_examples
from pipeline.store import projects
from pipeline.workspace import Workspace

log = logging.getLogger(__name__)


def write_instructions(workspace: Workspace, client: InstructionsClient, project_id: int) -> bool:
    """Give the project Wildloop's instructions, behind what people wrote; returns whether that changed them.

    New ones are shown when somebody begins to label. Raises LabelStudioError, and ModelError as
    `species_examples`.
    """
    return _write(workspace, client, project_id, str(client.project(project_id)["expert_instruction"] or ""))


def renew_instructions(workspace: Workspace, client: InstructionsClient, project_id: int) -> bool:
    """Renew Wildloop's instructions if their content has changed; returns whether it has.

    Where somebody has taken them out they stay out. An error is only logged: whatever was done before stands
    without them.
    """
    try:
        present = str(client.project(project_id)["expert_instruction"] or "")
        return has_guidance(present) and _write(workspace, client, project_id, present)
    except WildloopError as exc:
        log.warning("project %d: its instructions could not be renewed: %s", project_id, exc)
        return False


def _write(workspace: Workspace, client: InstructionsClient, project_id: int, present: str) -> bool:
    with workspace.database.read() as conn:
        project = projects.get(conn, project_id)
    if project.options is None:
        return False  # its screen is that of an earlier release, with other keys
    served = ServedFiles.of(workspace.settings, client.browser_path())
    examples = species_examples(workspace, project, served, example_crops(present))
    text = with_guidance(present, guidance(examples, ScreenOptions.from_json(project.options)))
    if text is None:
        return False
    fields = {} if has_guidance(present) else {"show_instruction": True}
    client.update_project(project_id, expert_instruction=text, **fields)
    return True
