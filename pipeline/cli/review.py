"""`wildloop review`"""

from __future__ import annotations

import click

from pipeline.cli.common import chosen_project, project_option
from pipeline.cli.output import emit, json_option, plain
from pipeline.cli.store import opened
from pipeline.records import Purpose
from pipeline.render.labelling import review_request, suspects, undecided_crops
from pipeline.render.text import count, lines, paragraphs
from pipeline.steps.labelling import look_again as decisions
from pipeline.steps.labelling import review as step
from pipeline.workspace import Workspace


@click.command()
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="List the N most probable; with --push, keep at most N labels under review at a time.",
)
@click.option(
    "--push",
    is_flag=True,
    help="Ask people again, first in the queue: labels of one species come as a board of pictures.",
)
@click.option("--disputed", is_flag=True, help="Instead: the crops on which annotators disagree.")
@click.option("--expert", is_flag=True, help="Instead: the crops for which an annotator asks for an expert.")
@project_option
@json_option
def review(project: int | None, limit: int, push: bool, disputed: bool, expert: bool, as_json: bool) -> None:
    """List the labels that are expected to be wrong, and how many of them are.

    Each label is compared with the prediction of a head trained on other locations. Nothing changes without
    --push. Disputed crops, and those for an expert, are asked again by themselves; --push asks once more.
    """
    if disputed and expert:
        raise click.UsageError("--disputed and --expert are two lists: choose one")
    workspace = opened()
    chosen = chosen_project(workspace, project).id
    if disputed or expert:
        purpose = Purpose.DISPUTED if disputed else Purpose.EXPERT
        _decide(workspace, chosen, purpose, push=push, as_json=as_json)
        return
    report = step.review(workspace, chosen)
    found, shown = len(report.suspects), report.suspects[:limit]
    requested = None
    if push and (found or report.waiting):
        requested = step.request_reviews(
            workspace, workspace.label_studio(), chosen, report.suspects, limit=limit
        )
    listed = f"{found:,} of {count(report.labels, 'labels')} listed"
    text = paragraphs(
        f"{listed}; about {report.expected:.0f} of them are expected to be wrong"
        if found
        else f"None of {count(report.labels, 'labels')} is expected to be wrong",
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


def _decide(workspace: Workspace, project_id: int, purpose: Purpose, *, push: bool, as_json: bool) -> None:
    """List the crops that somebody must decide, and ask again with `push`."""
    crops = decisions.waiting_for_decision(workspace, project_id, purpose)
    asked = None
    if push and crops:
        asked = decisions.ask_to_decide(workspace, workspace.label_studio(), project_id, crops)
    what = "are disputed" if purpose is Purpose.DISPUTED else "wait for an expert"
    text = paragraphs(
        f"{count(len(crops), 'crops')} {what}" if crops else f"No crops {what}",
        undecided_crops(crops) if crops else None,
        f"{count(asked, 'crops')} asked again, first in the queue" if asked is not None else None,
        "An annotation marked as ground truth in Label Studio decides at once." if crops else None,
    )
    emit({"crops": crops, "asked": asked}, text, as_json=as_json)
