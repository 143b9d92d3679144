"""`wildloop publish`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option, run_now
from pipeline.cli.output import emit, json_option
from pipeline.cli.store import opened
from pipeline.errors import LabelStudioError, ModelError
from pipeline.records import RunKind
from pipeline.render.labelling import stock_report
from pipeline.steps.labelling.stock import StockReport


@click.command()
@project_option
@json_option
def publish(project: int | None, as_json: bool) -> None:
    """Top up what Label Studio asks people, and make the first queue if there is none yet.

    Workers do this by themselves: after an import, after a training, and whenever tasks run low. Until a
    version is trained on labels, the queue covers the whole pool. The crops must be embedded
    (`wildloop embed`).
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    stock = run_now(workspace, chosen.id, RunKind.PUBLISH, LabelStudioError).result["stock"]
    if stock is None:  # the new crops have no order yet; the training tops up
        made = run_now(workspace, chosen.id, RunKind.TRAIN, ModelError).result
        if made.get("stock") is None:
            raise ModelError(made["reason"])
        stock = made["stock"]
    report = StockReport(**stock)
    emit(report, stock_report(report), as_json=as_json)
