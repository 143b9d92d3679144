"""`wildloop audit`"""

from __future__ import annotations

from typing import Any

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, note, plain
from pipeline.cli.store import opened
from pipeline.render.labelling import queue_state
from pipeline.render.learning import audit_report, confirmations, drawn_empties, empties_report
from pipeline.render.text import count, facts, indented, paragraphs
from pipeline.steps.labelling import frames
from pipeline.steps.labelling.refresh import refill
from pipeline.steps.learning.audit import Judgement, draw, judge
from pipeline.steps.learning.confirmations import confirmation_report
from pipeline.steps.learning.empties import judge_empties


@click.command()
@click.option(
    "--size",
    type=click.IntRange(1),
    metavar="N",
    help="Draw N more audit crops now. They come before the rest of the queue.",
)
@click.option(
    "--empties",
    type=click.IntRange(1),
    metavar="N",
    help="Draw N more photographs in which the detector saw nothing, for people to sign off.",
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
def audit(project: int | None, size: int | None, empties: int | None, target: float, as_json: bool) -> None:
    """Estimate how good the current version is, and what more labels would bring.

    Judged by the audit: crops drawn at random, shown without a suggestion, that no version learns from.
    Every tenth crop of the queue is an audit crop.

    Photographs that only machines call empty are judged by a random sample of their own (--empties): people
    sign it off on boards of whole photographs, and that bounds how many of all of them show an animal.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    if size is not None:
        drawn = draw(workspace, chosen.id, size)
        note(f"{count(drawn, 'audit crops')} drawn; they are first in the queue", as_json=as_json)
        if chosen.current_model is not None:
            note(queue_state(refill(workspace, chosen.id, chosen.current_model)), as_json=as_json)
    if empties is not None:
        note(drawn_empties(frames.draw(workspace, empties)), as_json=as_json)
        if workspace.settings.label_studio_api_key is not None:
            asked = frames.ask_due(workspace, workspace.label_studio(), chosen.id)
            note(f"{count(len(asked), 'tasks')} with them in Label Studio", as_json=as_json)
    report = judge(workspace, chosen.id, target=target)
    with workspace.database.read() as conn:
        of_empties = judge_empties(conn)
        confirmed = confirmation_report(conn, chosen.id)
    text = paragraphs(
        "No trained version yet: label some crops, then run `wildloop train`."
        if report is None
        else audit_report(report),
        indented(facts(confirmations(confirmed))),
        None if of_empties is None else empties_report(of_empties),
    )
    figures: dict[str, Any] = {}
    if report is not None:
        figures = {**plain(report), **_by_name(report), "confirmations": confirmed}
    if of_empties is not None:
        figures["empties"] = {**plain(of_empties), "share": of_empties.share}
    emit(figures or None, text, as_json=as_json)


def _by_name(report: Judgement) -> dict[str, Any]:
    """Estimates list their classes by category id; for other programs the name is the key."""
    return {"estimates": report.estimates.as_metrics(), "pooled": report.pooled.as_metrics()}
