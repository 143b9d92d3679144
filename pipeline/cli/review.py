"""`wildloop review`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.render.labelling import review_request, suspects
from pipeline.render.text import count, lines, paragraphs
from pipeline.steps.labelling import review as step


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="List the N worst labels; with --push, keep at most N in review at a time.",
)
@click.option(
    "--push",
    is_flag=True,
    help="Ask people again: each label gets a second task, first in the queue and without a suggestion.",
)
@project_option
@json_option
def review(project: int | None, limit: int, push: bool, as_json: bool) -> None:
    """List the labels that look wrong, worst first.

    Each label is compared with the prediction of a head trained on other locations. Quality is the
    probability of the given label, from 0 to 1. Nothing changes without --push.
    """
    workspace = opened()
    chosen = chosen_project(workspace, project)
    report = step.review(workspace, chosen.id)
    found, shown = len(report.suspects), report.suspects[:limit]
    requested = None
    if push and (found or report.waiting):
        requested = step.request_reviews(
            workspace, workspace.label_studio(), chosen.id, report.suspects, limit=limit
        )
    verb = "looks" if found == 1 else "look"
    text = paragraphs(
        f"{found:,} of {count(report.labels, 'labels')} {verb} wrong",
        suspects(shown) if shown else None,
        f"{found - len(shown):,} more: see --limit" if found > len(shown) else None,
        review_request(requested) if requested is not None else None,
        lines(
            f"{count(report.waiting, 'labels')} already in review" if report.waiting else None,
            "To have them labelled again, run `wildloop review --push`." if found else None,
        )
        if not push
        else None,
    )
    emit({**plain(report), "suspects": shown, "found": found, "requested": requested}, text, as_json=as_json)
