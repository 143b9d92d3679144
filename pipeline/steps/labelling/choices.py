"""The label config of a project, wherever it is read -> what the store knows of its choices."""

from __future__ import annotations

import logging

from pipeline.label_studio import config
from pipeline.store import choices, projects
from pipeline.store.choices import Change
from pipeline.workspace import Workspace

log = logging.getLogger(__name__)


def see_choices(workspace: Workspace, project_id: int, label_config: str) -> Change | None:
    """Store the choices of a label config, as `store.choices.see`, and log what has changed.

    Raises LabelStudioError if the config has no choice of species: it is not one of Wildloop.
    """
    words = list(config.offered(label_config))
    with workspace.database.read() as conn:
        if projects.get(conn, project_id).choices == words:
            return None
    with workspace.database.write() as conn:
        change = choices.see(conn, project_id, words)
        unoffered = choices.unoffered(conn, project_id)
    if change is not None:
        log.warning(
            "project %d: somebody changed its choices: added %s; removed %s%s",
            project_id,
            ", ".join(change.added) or "none",
            ", ".join(change.removed) or "none",
            "; labels of no choice now: "
            + ", ".join(f"{name} ({count})" for name, count in unoffered.items())
            if unoffered
            else "",
        )
    return change
