"""`wildloop audit`"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pipeline.cli.common import chosen_project, project_option, tell_queue

if TYPE_CHECKING:
    from pipeline.steps.learning.audit import Judgement
    from pipeline.stopping import Estimate, Forecast


@click.command()
@project_option
@click.option("--size", type=click.IntRange(1), metavar="N", help="Draw N more crops, before the queue.")
@click.option(
    "--target",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="The accuracy that the forecast asks for.",
)
def audit(project: int | None, size: int | None, target: float) -> None:
    """How good the current version's labels are, judged by crops drawn at random that no version learns from.

    Every tenth crop of the queue is an audit crop anyway; `--size` asks for more of them at once.
    """
    from pipeline.steps.labelling.refresh import refill
    from pipeline.steps.learning.audit import draw, judge
    from pipeline.workspace import open_workspace

    workspace = open_workspace()
    chosen = chosen_project(workspace, project)
    if size is not None:
        drawn = draw(workspace, chosen.id, size)
        click.echo(f"{drawn} audit crops drawn; they come before the queue, without a pre-selected species")
        if chosen.current_model is not None:
            tell_queue(refill(workspace, chosen.id, chosen.current_model))
    judgement = judge(workspace, chosen.id, target=target)
    if judgement is None:
        click.echo("no version answers yet: label some crops, then `wildloop train`")
        return
    for line in lines(judgement):
        click.echo(line)


def lines(judgement: Judgement) -> Iterator[str]:
    """The judgement in words."""
    aside = f", {judgement.unanswered} without an answer" if judgement.unanswered else ""
    yield (
        f"{judgement.version}, judged by {judgement.labelled} audit labels "
        f"({judgement.open} audit crops still wait{aside})"
    )
    estimates = judgement.estimates
    if estimates.accuracy is None:
        yield "nothing can be said before the first audit label"
        return
    yield f"  of crops that nobody chose it names rightly  {interval(estimates.accuracy)}"
    yield f"  ({judgement.waiting:,} wait; they are usually easier, for the hard ones were chosen)"
    pooled = judgement.pooled.accuracy
    if pooled is not None and pooled.value > estimates.accuracy.value:
        yield f"  with `wildloop export --pool-sequences`  {interval(pooled)}"
    yield f"  macro recall, over the species that the audit met  {interval(estimates.macro_recall)}"
    width = max(len(one.name) for one in estimates.classes.values())
    for one in sorted(estimates.classes.values(), key=lambda one: (-one.labels, one.name)):
        yield (
            f"  {one.name:{width}}  {one.labels:5} labels  precision {interval(one.precision):22}  "
            f"recall {interval(one.recall)}"
        )
    if judgement.forecast is None:
        yield "no forecast yet: it takes three versions, and audit labels of 20 sequences"
    else:
        yield forecast(judgement.forecast)


def interval(estimate: Estimate | None) -> str:
    """A share with its 95% interval; a dash where there is no row to tell it by."""
    return "-" if estimate is None else f"{estimate.value:.0%} ({estimate.low:.0%} to {estimate.high:.0%})"


def forecast(given: Forecast) -> str:
    """What more labels would bring, in one line."""
    gain = f"half as many labels again would bring {100 * (given.gain.value or 0):.1f} points"
    if given.gain.high is not None:
        gain += f" ({100 * (given.gain.low or 0):.1f} to {100 * given.gain.high:.1f})"
    needed = given.needed
    if needed.value is None:
        told = f"an accuracy of {given.target:.0%} is out of reach by labelling alone"
    elif needed.value == 0:
        told = f"an accuracy of {given.target:.0%} is reached"
    else:
        low = f"{needed.low:,.0f}" if needed.low is not None else "?"
        high = f"{needed.high:,.0f}" if needed.high is not None else "no end"
        told = f"an accuracy of {given.target:.0%} needs {needed.value:,.0f} more labels ({low} to {high})"
    return f"{'stop: ' if given.stop else ''}{gain}; {told}"
