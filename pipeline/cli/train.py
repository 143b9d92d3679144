"""`wildloop train`"""

from __future__ import annotations

import click

from pipeline import jobs
from pipeline.cli.common import chosen_project, project_option, run_now
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.errors import ModelError
from pipeline.records import ModelRecord, RunKind
from pipeline.render.labelling import unoffered
from pipeline.render.learning import version_metrics
from pipeline.render.text import count, indented, lines
from pipeline.store import choices, models


@click.command()
@click.option(
    "--now/--queue",
    default=True,
    help="Train here and wait for the figures, or leave it to the worker. [default: now]",
)
@project_option
@json_option
def train(project: int | None, now: bool, as_json: bool) -> None:
    """Train a model version on all labels, and refresh the queue.

    Before the first label, the queue covers the whole pool. The same labels make no second version.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    if not now:
        run_id = jobs.request(workspace, chosen.id, RunKind.TRAIN, trigger="command")
        emit({"run": run_id}, f"run {run_id} waits for `wildloop worker`", as_json=as_json)
        return
    run = run_now(workspace, chosen.id, RunKind.TRAIN, ModelError)
    result = run.result or {}
    record = None
    if result.get("version"):
        with workspace.database.read() as conn:
            record = models.get(conn, result["version"])
    text = str(result.get("reason")) if record is None else _told(record, is_new=result["new"])
    with workspace.database.read() as conn:
        missing = choices.unoffered(conn, chosen.id)
    model = None if record is None else plain(record)
    report = {"run": run.id, **result, "model": model, "unoffered": missing}
    emit(report, lines(text, unoffered(missing)), as_json=as_json)


def _told(record: ModelRecord, *, is_new: bool) -> str:
    if not record.labels:
        return (
            f"No labels to train on yet. The queue of {record.version} covers "
            f"{count(record.metrics['pool'], 'crops')}: label some of them in Label Studio, then run "
            "`wildloop train` again."
        )
    state = "is trained" if is_new else "is unchanged: no new labels"
    return lines(f"{record.version} {state}", indented(version_metrics(record)))
