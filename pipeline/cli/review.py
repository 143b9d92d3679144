"""`wildloop review`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pipeline.cli.common import chosen_project, project_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.steps.labelling.review import Suspect


@click.command()
@project_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="List the N worst; with --push, let at most N wait for a second look at a time.",
)
@click.option(
    "--push",
    is_flag=True,
    help="Put them before people again: first in the queue, with no answer chosen.",
)
def review(project: int | None, limit: int, push: bool) -> None:
    """List the labels that look wrong, worst first.

    Each label is compared with what a head says that learned from other locations. Quality is the
    probability of the label, 0 to 1. Nothing is changed without --push.
    """
    from pipeline.steps.labelling.review import request_reviews
    from pipeline.steps.labelling.review import review as review_labels
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    report = review_labels(workspace, chosen.id)
    count = len(report.suspects)
    click.echo(f"{count:,} of {report.labels:,} labels look wrong")
    for line in _table(report.suspects[:limit]):
        click.echo(line)
    if count > limit:
        click.echo(f"{count - limit:,} more: see --limit")
    if not push:
        if report.waiting:
            click.echo(f"{report.waiting:,} more labels wait for a second look already")
        if count:
            click.echo("`wildloop review --push` puts them before people again")
        return
    if not count and not report.waiting:
        return
    asked = request_reviews(
        workspace,
        workspace.label_studio(),
        chosen.id,
        report.suspects,
        limit=limit,
    )
    click.echo(
        f"{asked.created:,} labels put before people again; {asked.waiting:,} now wait for a second look"
    )
    if asked.recovered:
        click.echo(f"{asked.recovered:,} review tasks of an interrupted run were found again")


def _table(suspects: tuple[Suspect, ...]) -> Iterator[str]:
    """Columns as wide as their widest entry."""
    rows = [("quality", "given", "by", "head says", "sure", "task", "file", "detection")]
    rows += [
        (
            f"{one.quality:.3f}",
            one.label_name,
            ", ".join(one.labelled_by) or "-",
            one.predicted,
            f"{one.probability:.3f}",
            "-" if one.task_id is None else str(one.task_id),
            one.file_name,
            one.detection_id,
        )
        for one in suspects
    ]
    if not suspects:
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
