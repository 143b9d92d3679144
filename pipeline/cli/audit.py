"""`wildloop audit`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, note, plain
from pipeline.cli.store import opened
from pipeline.render.labelling import queue_state
from pipeline.render.learning import audit_report, confirmations
from pipeline.render.text import count, facts, indented, paragraphs
from pipeline.steps.labelling.refresh import refill
from pipeline.steps.learning.audit import draw, judge
from pipeline.steps.learning.confirmations import confirmation_report


@click.command()
@click.option(
    "--size",
    type=click.IntRange(1),
    metavar="N",
    help="Draw N more audit crops now. They come before the rest of the queue.",
)
@click.option(
    "--target",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Accuracy that the forecast aims at.",
)
@project_option
@json_option
def audit(project: int | None, size: int | None, target: float, as_json: bool) -> None:
    """Estimate how good the current version is, and what more labels would bring.

    Judged by the audit: crops drawn at random, shown without a suggestion, that no version learns from.
    Every tenth crop of the queue is an audit crop.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    if size is not None:
        drawn = draw(workspace, chosen.id, size)
        note(f"{count(drawn, 'audit crops')} drawn; they are first in the queue", as_json=as_json)
        if chosen.current_model is not None:
            note(queue_state(refill(workspace, chosen.id, chosen.current_model)), as_json=as_json)
    report = judge(workspace, chosen.id, target=target)
    if report is None:
        emit(None, "No trained version yet: label some crops, then run `wildloop train`.", as_json=as_json)
        return
    # Estimates list their classes by category id; for other programs the name is the key.
    named = {"estimates": report.estimates.as_metrics(), "pooled": report.pooled.as_metrics()}
    with workspace.database.read() as conn:
        confirmed = confirmation_report(conn, chosen.id)
    text = paragraphs(audit_report(report), indented(facts(confirmations(confirmed))))
    emit({**plain(report), **named, "confirmations": confirmed}, text, as_json=as_json)
