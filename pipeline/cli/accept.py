"""`wildloop accept`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, note
from pipeline.cli.store import opened
from pipeline.render.labelling import queue_state
from pipeline.render.learning import accept_report
from pipeline.steps.labelling.refresh import refill
from pipeline.steps.learning import accept as step

_share = click.FloatRange(0.5, 1.0, min_open=True, max_open=True)


@click.command()
@click.option(
    "--precision",
    type=_share,
    default=0.95,
    show_default=True,
    help="Target precision: the share of accepted labels that are correct.",
)
@click.option(
    "--confidence", type=_share, default=0.9, show_default=True, help="Confidence level of the guarantee."
)
@project_option
@json_option
def accept(project: int | None, precision: float, confidence: float, as_json: bool) -> None:
    """Accept predictions as labels, under a guarantee.

    Finds, for each species, the lowest probability at which predictions of the current version meet the
    target precision, judged by the audit labels. Predictions above it count as labels in exports and leave
    the queue; everything else stays with people.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    report = step.accept(workspace, chosen.id, precision=precision, confidence=confidence)
    emit(report, accept_report(report), as_json=as_json)
    note(queue_state(refill(workspace, chosen.id, report.version)), as_json=as_json)
