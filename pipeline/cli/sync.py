"""`wildloop sync`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option, run_now
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.errors import LabelStudioError
from pipeline.records import RunKind
from pipeline.render.labelling import sync_report
from pipeline.render.text import lines
from pipeline.steps.labelling.sync import SyncReport, reset_watermark


@click.command()
@click.option("--full", is_flag=True, help="Compare every task, not only those changed since the last sync.")
@project_option
@json_option
def sync(project: int | None, full: bool, as_json: bool) -> None:
    """Fetch annotations from Label Studio that its webhooks missed."""
    workspace = opened()
    chosen = chosen_project(workspace, project)
    if full:
        reset_watermark(workspace, chosen.id)
    result = dict(run_now(workspace, chosen.id, RunKind.SYNC, LabelStudioError).result or {})
    training = result.pop("training")
    report = SyncReport(**result)
    due = "a training is due: the worker runs it" if training is not None else None
    emit({**plain(report), "training": training}, lines(sync_report(report), due), as_json=as_json)
