"""`wildloop accept`"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import chosen_project, project_option, tell_queue

if TYPE_CHECKING:
    from pipeline.steps.learning.accept import AcceptedGroup, AcceptReport

_share = click.FloatRange(0.5, 1.0, min_open=True, max_open=True)


@click.command()
@project_option
@click.option(
    "--precision",
    type=_share,
    default=0.95,
    show_default=True,
    help="The least share of the accepted labels that shall be right.",
)
@click.option(
    "--confidence", type=_share, default=0.9, show_default=True, help="How surely they shall be, over audits."
)
def accept(project: int | None, precision: float, confidence: float) -> None:
    """Settle crops without a person: find from which probability on the current version's answers are right
    often enough, judged by audit labels alone. What cannot be promised stays with people. Exports use it,
    and the queue leaves out what is settled.
    """
    from pipeline.steps.labelling.refresh import refill
    from pipeline.steps.learning.accept import accept as find
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    report = find(workspace, chosen.id, precision=precision, confidence=confidence)
    for line in lines(report):
        click.echo(line)
    tell_queue(refill(workspace, chosen.id, report.version))


def lines(report: AcceptReport) -> Iterator[str]:
    """The report in words."""
    yield (
        f"{report.version}, judged by {report.audited} audit labels: a precision of {report.precision:.0%} "
        f"with a confidence of {report.confidence:.0%}"
    )
    rows = [(_species(group), *_evidence(group)) for group in report.groups]
    width = max((len(name) for name, _, _ in rows), default=0)
    for name, evidence, settled in rows:
        yield f"  {name:{width}}  {evidence:38}  {settled}"
    if report.settled:
        yield "the promise is of one look: decide how many audit labels there shall be, then accept once"
    yield (
        f"{report.settled:,} of {report.waiting:,} waiting crops are settled; "
        f"{report.waiting - report.settled:,} stay with people"
        + (f", {report.novel:,} of them far from everything labelled" if report.novel else "")
    )
    if not report.settled:
        yield "too few audit labels, or too many mistakes among them: `wildloop audit --size N` asks for more"


def _species(group: AcceptedGroup) -> str:
    names = group.species[:3]
    more = len(group.species) - len(names)
    return ", ".join(names) + (f" and {more} more, together" if more else "")


def _evidence(group: AcceptedGroup) -> tuple[str, str]:
    if group.threshold is None:
        return f"{group.right} of {group.above} right in the audit", "left to people"
    return (
        f"from {group.threshold:.3f} on, {group.right} of {group.above} right",
        f"settles {group.settled:,} crops",
    )
