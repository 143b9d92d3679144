"""`wildloop embedding use`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, note
from pipeline.cli.store import opened
from pipeline.embedders import load
from pipeline.render import embedding as render
from pipeline.render.labelling import queue_state
from pipeline.steps.embedding.use import EmbedderChange, use_embedder
from pipeline.steps.labelling.refresh import top_up_stock
from pipeline.workspace import Workspace

if TYPE_CHECKING:
    from pipeline.records import ProjectRecord


@click.command()
@click.argument("spec")
@project_option
@json_option
def use(spec: str, project: int | None, as_json: bool) -> None:
    """Switch a project to another embedder. SPEC is as for `wildloop embed`.

    First every crop is embedded and a version is trained on the new vectors; if the command is killed, it
    continues when run again. The previous embedder and version stay in use until then, and are kept, so
    switching back is quick.
    """
    workspace = opened()
    change = switch(workspace, chosen_project(workspace, project), spec, as_json=as_json)
    if as_json:
        emit(change, "", as_json=True)


def switch(
    workspace: Workspace, project: ProjectRecord, spec: str, *, as_json: bool
) -> EmbedderChange | None:
    """Make the project use the embedder that `spec` names, top its stock up, and print what happened.

    Returns the change; None if the project uses that embedder already.
    """
    title = f"project {project.id} ({project.title})"
    embedder = load(spec, data_dir=workspace.data_dir)
    change = use_embedder(workspace, embedder, project.id, progress=True)
    if change is None:
        note(f"{title} already uses {embedder.id}; nothing changed", as_json=as_json)
        return None
    note(render.change(change, title), as_json=as_json)
    if change.record is not None:
        note(queue_state(top_up_stock(workspace, change.record)), as_json=as_json)
    return change
