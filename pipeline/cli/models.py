"""`wildloop models` and `wildloop activate`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.render.labelling import queue_state
from pipeline.render.learning import versions
from pipeline.render.text import lines
from pipeline.steps.labelling import refresh as step
from pipeline.store import models as model_store


@click.command()
@project_option
@json_option
def models(project: int | None, as_json: bool) -> None:
    """List the model versions and their held-out figures; a star marks the current one."""
    workspace = opened()
    chosen = chosen_project(workspace, project)
    with workspace.database.read() as conn:
        records = model_store.all(conn, chosen.id)
    rows = [{**plain(record), "current": record.version == chosen.current_model} for record in records]
    text = (
        versions(records, chosen.current_model) if records else "No version yet: `wildloop train` makes one."
    )
    emit(rows, text, as_json=as_json)


@click.command()
@click.argument("version")
@json_option
def activate(version: str, as_json: bool) -> None:
    """Make VERSION the current one again, and give Label Studio its queue.

    The beginning of a version's name is enough, as in `wildloop activate v3`. If the version belongs to
    another embedder, the project switches to that embedder.
    """
    workspace = opened()
    with workspace.database.read() as conn:
        record = model_store.find(conn, version)
    stock = step.activate(workspace, record.project_id, record.version)
    emit(
        {**plain(record), "stock": stock},
        lines(f"{record.version} is current in project {record.project_id}", queue_state(stock)),
        as_json=as_json,
    )
